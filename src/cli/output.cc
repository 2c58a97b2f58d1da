#include "cli/output.h"

#include <algorithm>
#include <array>
#include <ostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/client.h"

namespace inthub {
namespace {

constexpr std::size_t kColumnGap = 2;

std::string coloured(std::string_view text, Tone tone, bool enabled) {
  static constexpr std::array<std::string_view, 6> kCodes{"", "1", "2", "32", "33", "31"};
  const std::string_view code = kCodes.at(static_cast<std::size_t>(tone));
  if (!enabled || code.empty() || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

bool wants_colour(const CliEnvironment& environment, bool is_terminal) {
  if (!is_terminal) return false;
  if (const auto no_colour = environment.variable("NO_COLOR"); no_colour && !no_colour->empty()) return false;
  return environment.variable("TERM").value_or("") != "dumb";
}

// YAML 1.1 readers take these for booleans or null, so they are quoted for them too.
constexpr std::array<std::string_view, 11> kYamlWords{"true", "false", "yes", "no",   "on",  "off",
                                                      "null", "y",     "n",   ".nan", ".inf"};

bool is_plain_yaml(const std::string& text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !is_letter(text.front())) return false;
  if (!std::ranges::all_of(text, [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
      })) {
    return false;
  }
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::ranges::find(kYamlWords, std::string_view(lower)) == kYamlWords.end();
}

std::string yaml_scalar(const Json& value) {
  if (!value.is_string()) return to_text(value);
  const auto& text = value.get_ref<const std::string&>();
  // A JSON string is a double-quoted YAML scalar (YAML 1.2 section 1.3).
  return is_plain_yaml(text) ? text : to_text(value);
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of a parsed document
void append_yaml(std::string& out, const Json& value, std::size_t indent, bool after_dash) {
  const std::string blanks(indent, ' ');
  auto begin_entry = [&, first = after_dash]() mutable {
    if (!first) out += blanks;
    first = false;
  };
  const auto append_child = [&](const Json& child, bool of_list) {
    if (child.is_structured() && !child.empty()) {
      if (of_list) {
        out += ' ';
        append_yaml(out, child, indent + 2, true);
      } else {
        out += '\n';
        append_yaml(out, child, indent + 2, false);
      }
    } else {
      out += ' ';
      out += yaml_scalar(child);
      out += '\n';
    }
  };
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, child] : value.items()) {
      begin_entry();
      out += yaml_scalar(Json(key)) + ":";
      append_child(child, false);
    }
  } else if (value.is_array() && !value.empty()) {
    for (const Json& child : value) {
      begin_entry();
      out += '-';
      append_child(child, true);
    }
  } else {
    out += yaml_scalar(value) + "\n";
  }
}

}  // namespace

std::string printable(std::string_view text, bool keep_lines) {
  // Dumping as JSON and reading back replaces what is not UTF-8.
  const std::string utf8 =
      is_utf8(text) ? std::string(text) : Json::parse(to_text(Json(std::string(text)))).get<std::string>();
  std::string out;
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte == '\n' && keep_lines) {
      out += '\n';
    } else if (byte < 0x20 || byte == 0x7F) {
      out += '?';
    } else if (byte == 0xC2 && i + 1 < utf8.size() && static_cast<unsigned char>(utf8[i + 1]) < 0xA0) {
      out += '?';  // C1 controls, which some terminals obey
      ++i;
    } else {
      out += utf8[i];
    }
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Table::Table(std::vector<std::string> titles, std::size_t indent) : titles_(std::move(titles)), indent_(indent) {}

void Table::add(std::vector<Cell> row) {
  for (Cell& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

std::string Table::text(const std::function<std::string(std::string_view, Tone)>& paint) const {
  std::vector<std::size_t> widths;
  const auto widen = [&widths](std::size_t column, std::string_view cell) {
    if (widths.size() <= column) widths.resize(column + 1);
    widths[column] = std::max(widths[column], display_width(cell));
  };
  for (std::size_t column = 0; column < titles_.size(); ++column) widen(column, titles_[column]);
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column) widen(column, row[column].text);
  }
  std::string out;
  const auto append = [&](const std::vector<Cell>& row) {
    std::size_t last = row.size();
    while (last > 0 && row[last - 1].text.empty()) --last;
    if (last > 0) out.append(indent_, ' ');
    for (std::size_t column = 0; column < last; ++column) {
      out += paint(row[column].text, row[column].tone);
      if (column + 1 < last) out.append(widths[column] - display_width(row[column].text) + kColumnGap, ' ');
    }
    out += '\n';
  };
  if (!titles_.empty()) {
    std::vector<Cell> head;
    head.reserve(titles_.size());
    for (const std::string& title : titles_) head.emplace_back(title, Tone::strong);
    append(head);
  }
  for (const auto& row : rows_) append(row);
  return out;
}

std::string to_yaml(const Json& value) {
  std::string out;
  append_yaml(out, value, 0, false);
  return out;
}

Output::Output(CliEnvironment& environment, OutputFormat format)
    : environment_(environment),
      format_(format),
      colour_out_(wants_colour(environment, environment.out_is_terminal)),
      colour_err_(wants_colour(environment, environment.err_is_terminal)) {}

void Output::document(const Json& value) {
  if (format_ == OutputFormat::yaml) {
    environment_.out << to_yaml(value);
  } else {
    environment_.out << to_pretty_text(value) << '\n';
  }
}

std::string Output::paint(std::string_view text, Tone tone) const {
  return coloured(text, tone, colour_out_);
}
std::string Output::paint_error(std::string_view text, Tone tone) const {
  return coloured(text, tone, colour_err_);
}
void Output::line(std::string_view text) {
  environment_.out << text << '\n';
}
void Output::raw(std::string_view bytes) {
  environment_.out << bytes;
}

void Output::table(const Table& table) {
  environment_.out << table.text([this](std::string_view text, Tone tone) { return paint(text, tone); });
}

void Output::fields(const std::vector<std::pair<std::string, Cell>>& entries) {
  Table table({});
  for (const auto& [label, value] : entries) table.add({Cell(label, Tone::faint), value});
  this->table(table);
}

void Output::warning(std::string_view text) {
  done();
  environment_.err << paint_error("warning:", Tone::warning) << ' ' << printable(text) << '\n';
}

void Output::error(const Error& error, const std::function<std::string(std::string_view pointer)>& option_for) {
  done();
  std::ostream& err = environment_.err;
  const auto labelled = [&](std::string_view label, std::string_view text) {
    err << paint_error(label, Tone::strong) << ' ' << printable(text) << '\n';
  };
  err << paint_error("error:", Tone::bad) << ' ' << printable(error.message());
  if (error.reason() != describe(error.code()).name)
    err << paint_error(fmt::format(" [{}]", printable(error.reason())), Tone::faint);
  err << '\n';
  const auto place = [&](const std::string& pointer) {
    const std::string option = option_for(pointer);
    const std::string shown = pointer.empty() ? "the request" : printable(pointer);
    return option.empty() ? shown : fmt::format("{} ({})", shown, option);
  };
  for (const Violation& violation : error.violations()) {
    err << "  " << paint_error(place(violation.field), Tone::strong) << ": " << printable(violation.message) << '\n';
  }
  if (error.violations().empty() && !error.field().empty()) labelled("field:", place(error.field()));
  if (!error.remedy().empty()) labelled("remedy:", error.remedy());
  if (const auto wait = error.retry_after()) labelled("retry after:", fmt::format("{} s", wait->count()));
  if (const auto id = error.details().find(std::string(kRequestIdDetail)); id != error.details().end())
    labelled("request:", id->second);
}

void Output::progress(std::string_view text) {
  if (!environment_.err_is_terminal) return;
  environment_.err << "\r\x1b[K" << paint_error(printable(text), Tone::faint) << std::flush;
  progress_shown_ = true;
}

void Output::done() {
  if (progress_shown_) environment_.err << "\r\x1b[K" << std::flush;
  progress_shown_ = false;
}

}  // namespace inthub
