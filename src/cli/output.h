#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/error.h"
#include "foundation/json.h"

namespace inthub {

struct CliEnvironment;

enum class OutputFormat : std::uint8_t { table, json, yaml };

/// What a piece of text means, shown as a colour where there are colours.
enum class Tone : std::uint8_t { plain, strong, faint, good, warning, bad };

/// Text that is safe on a terminal: control characters, which could be escape sequences, become "?". Line ends too,
/// unless `keep_lines`. Invalid UTF-8 becomes U+FFFD. Pure.
std::string printable(std::string_view text, bool keep_lines = false);
/// Columns that the text takes, one per code point. Pure.
std::size_t display_width(std::string_view text);

struct Cell {
  Cell(std::string cell_text, Tone cell_tone = Tone::plain) : text(std::move(cell_text)), tone(cell_tone) {}
  std::string text;
  Tone tone;
};

/// Aligned columns, two blanks between them, no blanks at the end of a line.
class Table {
 public:
  explicit Table(std::vector<std::string> titles, std::size_t indent = 0);
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }
  /// `paint` colours a text or returns it as it is.
  std::string text(const std::function<std::string(std::string_view, Tone)>& paint) const;

 private:
  std::vector<std::string> titles_;
  std::size_t indent_;
  std::vector<std::vector<Cell>> rows_;
};

/// YAML that reads back as the same value: every string that could be taken for something else is quoted. Ends with a
/// line end.
std::string to_yaml(const Json& value);

/// Where results, errors and progress go. Colours only on a terminal, and not when NO_COLOR is set
/// (https://no-color.org).
class Output {
 public:
  Output(CliEnvironment& environment, OutputFormat format);

  bool for_people() const { return format_ == OutputFormat::table; }
  /// One JSON or YAML document and a line end. Only when for_people() is false.
  void document(const Json& value);
  /// `text` coloured for standard output.
  std::string paint(std::string_view text, Tone tone) const;
  void line(std::string_view text = {});
  void raw(std::string_view bytes);
  void table(const Table& table);
  /// Label and value pairs, aligned.
  void fields(const std::vector<std::pair<std::string, Cell>>& entries);

  /// A line on standard error: "warning: …".
  void warning(std::string_view text);
  /// The error, its violations with the option that sets each, its remedy and the hub's request id, on standard error.
  void error(const Error& error, const std::function<std::string(std::string_view pointer)>& option_for);
  /// What is going on, on standard error when that is a terminal; replaced by the next and erased by done().
  void progress(std::string_view text);
  void done();

 private:
  std::string paint_error(std::string_view text, Tone tone) const;
  CliEnvironment& environment_;
  OutputFormat format_;
  bool colour_out_;
  bool colour_err_;
  bool progress_shown_ = false;
};

}  // namespace inthub
