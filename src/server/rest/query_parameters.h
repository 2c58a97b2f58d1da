#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "foundation/result.h"
#include "server/http/message.h"

namespace inthub {

/// The query of one request, read against the names that the endpoint knows. A value out of its bounds is remembered,
/// and check() reports all of them at once; until then the getters answer their fallback.
class QueryParameters {
 public:
  static constexpr std::size_t kMaxValueBytes = 2048;

  /// Errors: invalid_argument with reason "query.malformed" (bad escape, too many, not UTF-8, control characters, a
  /// value of more than kMaxValueBytes), "query.unknown_parameter" naming the unknown and the known ones,
  /// "query.duplicate_parameter".
  static Result<QueryParameters> read(const ServerRequest& request, std::initializer_list<std::string_view> known);

  /// The value; nullopt when it is absent or empty.
  std::optional<std::string_view> find(std::string_view name) const;
  /// The value, empty when absent.
  std::string text(std::string_view name) const { return std::string(find(name).value_or(std::string_view())); }
  /// "true" or "false"; false when absent.
  bool flag(std::string_view name);
  std::int64_t number(std::string_view name, std::int64_t least, std::int64_t most, std::int64_t fallback);
  /// One of `words`, or empty when absent.
  std::string word(std::string_view name, std::initializer_list<std::string_view> words);
  void violate(std::string_view name, std::string message, std::string code);

  /// Errors: validation_failed with a violation per wrong value; its field is the parameter's name.
  Result<void> check() const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
  std::vector<Violation> violations_;
};

}  // namespace inthub
