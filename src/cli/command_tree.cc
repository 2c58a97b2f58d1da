#include "cli/command_tree.h"

#include <algorithm>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/command.h"

namespace inthub {
namespace {

constexpr std::string_view kFile = "FILE";
constexpr std::size_t kLabelColumn = 34;
constexpr std::size_t kLineWidth = 100;

std::string path_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name();
}

OptionNode describe_option(const CLI::Option& option) {
  OptionNode node;
  node.description = option.get_description();
  node.required = option.get_required();
  node.repeatable = option.get_expected_max() > 1;
  node.positional = option.get_positional();
  if (option.get_positional()) {
    node.names.push_back(option.get_name(true, false));
  } else {
    for (const std::string& name : option.get_snames()) node.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) node.names.push_back("--" + name);
  }
  if (option.get_type_size_max() > 0 && option.get_items_expected_max() > 0) {
    node.value = option.get_type_name();
    node.takes_file = node.value == kFile;
    if (node.value.find('|') != std::string::npos) node.words = CLI::detail::split(node.value, '|');
  }
  return node;
}

/// `text` broken at blanks into lines of at most kLineWidth, all but the first indented.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t used = indent;
  while (!text.empty()) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, blank);
    text.remove_prefix(std::min(blank + 1, text.size()));
    const std::size_t width = display_width(word);
    if (used > indent && used + 1 + width > kLineWidth) {
      out += '\n';
      out.append(indent, ' ');
      used = indent;
    } else if (used > indent) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
  }
  return out;
}

void append_entry(std::string& out, std::string_view label, std::string_view description) {
  const std::size_t width = display_width(label) + 2;
  out += "  ";
  out += label;
  if (width + 2 > kLabelColumn) {
    out += '\n';
    out.append(kLabelColumn, ' ');
  } else {
    out.append(kLabelColumn - width, ' ');
  }
  out += wrapped(description, kLabelColumn) + "\n";
}

std::string label_of(const OptionNode& option) {
  std::string label = fmt::format("{}", fmt::join(option.names, ", "));
  if (!option.positional && !option.value.empty()) label += " " + option.value;
  return label;
}

std::string usage_of(const CommandNode& node) {
  std::string usage = "usage: " + node.path;
  if (!node.commands.empty()) usage += " COMMAND";
  for (const OptionNode& positional : node.positionals) {
    usage += positional.required ? " " + positional.names.front() : fmt::format(" [{}]", positional.names.front());
  }
  return usage + " [OPTIONS]\n";
}

void append_options(std::string& out, std::string_view title, const std::vector<OptionNode>& options) {
  if (options.empty()) return;
  out += fmt::format("\n{}:\n", title);
  for (const OptionNode& option : options) {
    append_entry(out, label_of(option),
                 option.description + (option.repeatable ? " (may be given several times)" : ""));
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-no-recursion): as deep as the commands are nested
CommandNode describe_commands(const CLI::App& app) {
  CommandNode node;
  node.name = app.get_name();
  node.path = path_of(app);
  node.description = app.get_description();
  node.examples = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    (option->get_positional() ? node.positionals : node.options).push_back(describe_option(*option));
  }
  for (const CLI::App* command : app.get_subcommands({})) node.commands.push_back(describe_commands(*command));
  return node;
}

std::string render_help(const CLI::App& app) {
  const CommandNode node = describe_commands(app);
  std::string out = usage_of(node);
  out += "\n" + wrapped(node.description, 0) + "\n";
  if (!node.positionals.empty()) {
    out += "\nArguments:\n";
    for (const OptionNode& positional : node.positionals)
      append_entry(out, label_of(positional), positional.description);
  }
  if (!node.commands.empty()) {
    out += "\nCommands:\n";
    for (const CommandNode& command : node.commands) append_entry(out, command.name, command.description);
  }
  append_options(out, "Options", node.options);
  const CLI::App* root = &app;
  while (root->get_parent() != nullptr) root = root->get_parent();
  if (root != &app) {
    std::vector<OptionNode> everywhere = describe_commands(*root).options;
    std::erase_if(everywhere, [](const OptionNode& option) {
      return std::ranges::find(option.names, "--help") != option.names.end() ||
             std::ranges::find(option.names, "--version") != option.names.end();
    });
    append_options(out, "Options of every command", everywhere);
  }
  if (!node.examples.empty()) {
    out += "\nExamples:\n";
    for (const std::string& line : CLI::detail::split(node.examples, '\n'))
      out += line.empty() ? "\n" : fmt::format("  {}\n", line);
  }
  return out;
}

CLI::App* add_command(CLI::App& parent, std::string name, std::string description, std::string examples) {
  CLI::App* command = parent.add_subcommand(std::move(name), std::move(description));
  command->footer(std::move(examples));
  command->set_help_flag("-h,--help", "Show this help");
  return command;
}

CLI::Option* one_of(CLI::Option* option, std::vector<std::string> words) {
  option->type_name(fmt::format("{}", fmt::join(words, "|")));
  return option->check(CLI::Validator(
      [words](std::string& value) {
        if (std::ranges::find(words, value) != words.end()) return std::string();
        return fmt::format("must be one of {}", fmt::join(words, ", "));
      },
      ""));
}

CLI::Option* takes_file(CLI::Option* option) {
  return option->type_name(std::string(kFile));
}

}  // namespace inthub
