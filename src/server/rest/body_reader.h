#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/json.h"
#include "foundation/result.h"
#include "server/http/message.h"

namespace inthub {

/// Reads the members of one JSON object and collects every violation of its shape, with pointers. No violation's
/// message holds a value of the document: it may be a secret in the wrong place.
class ObjectReader {
 public:
  /// At most this many violations are reported; a hostile document could have a million.
  static constexpr std::size_t kMaxViolations = 100;

  /// `object` and `violations` outlive the reader. A value that is no object is a violation, and every member counts as
  /// absent without being reported as missing.
  ObjectReader(Json& object, std::string pointer, std::vector<Violation>& violations);

  /// Null when absent or of another type (which is a violation). The string may be moved from.
  std::string* required_text(std::string_view name);
  std::string* optional_text(std::string_view name);
  std::optional<bool> optional_flag(std::string_view name);
  Json* required_object(std::string_view name);
  /// The member whatever its type, null when absent.
  Json* optional_member(std::string_view name);
  void violate(std::string_view name, std::string message, std::string code);
  /// Reports every member that was not asked for. Call last.
  void refuse_unknown_members();
  std::string pointer_to(std::string_view name) const;

 private:
  Json* find(std::string_view name, bool required);
  Json* object_;
  std::string pointer_;
  std::vector<Violation>& violations_;
  std::vector<std::string_view> known_;
};

/// The JSON body of a request. Its strings are wiped when it is destroyed, because one of them may be a secret.
class JsonBody {
 public:
  /// Errors: as parse_json; invalid_argument with reason "body.missing" when there is none.
  static Result<JsonBody> parse(const ServerRequest& request);
  explicit JsonBody(Json value);
  JsonBody(JsonBody&&) noexcept;
  JsonBody& operator=(JsonBody&&) = delete;
  ~JsonBody();
  Json& value() { return *value_; }

 private:
  std::unique_ptr<Json> value_;
};

}  // namespace inthub
