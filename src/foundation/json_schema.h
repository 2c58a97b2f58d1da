#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/json.h"
#include "foundation/result.h"

namespace inthub {

/// A compiled JSON Schema (draft-07). Immutable; check() is thread-safe.
class JsonSchema {
 public:
  /// Errors: invalid_argument when the schema itself is broken or uses a remote $ref (never fetched).
  static Result<JsonSchema> compile(JsonPtr schema);
  JsonSchema(JsonSchema&&) noexcept;
  JsonSchema& operator=(JsonSchema&&) noexcept;
  ~JsonSchema();

  /// Every violation, sorted by pointer, each at the innermost place, its pointer prefixed by `prefix` ("/config"). At
  /// most 100. Codes: required, unknown_field, type, enum, pattern, minimum, maximum, min_length, max_length,
  /// min_items, max_items, unique, format, schema. Values are never echoed: one of them may be a misplaced secret.
  std::vector<Violation> check(const Json& document, std::string_view prefix = {}) const;

 private:
  struct Impl;
  explicit JsonSchema(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub
