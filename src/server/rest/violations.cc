#include "server/rest/violations.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace inthub {
namespace {

bool covers(const std::string& field, const std::string& other) {
  return other == field || (other.starts_with(field) && other[field.size()] == '/');
}

}  // namespace

Error violations_error(std::vector<Violation> violations) {
  const Violation& first = violations.front();
  std::string message = fmt::format("{} {}", first.field.empty() ? "the document" : first.field, first.message);
  if (violations.size() > 1) message += fmt::format(" (and {} more, see validationErrors)", violations.size() - 1);
  std::string field = first.field;
  return Error(ErrorCode::validation_failed, std::move(message))
      .with_field(std::move(field))
      .with_violations(std::move(violations));
}

std::vector<Violation> merge_violations(std::vector<Violation> shape, std::vector<Violation> rules) {
  const std::size_t from_shape = shape.size();
  for (Violation& rule : rules) {
    const bool repeats = std::any_of(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(from_shape),
                                     [&](const Violation& wrong) { return covers(wrong.field, rule.field); });
    if (!repeats) shape.push_back(std::move(rule));
  }
  return shape;
}

}  // namespace inthub
