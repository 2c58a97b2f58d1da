#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/result.h"
#include "server/http/message.h"

namespace inthub {

inline constexpr std::size_t kMaxEntityTags = 16;
inline constexpr std::size_t kMaxIdempotencyKeyBytes = 255;

/// If-Match or If-None-Match (RFC 9110 section 13.1): "*", or a list of entity tags.
struct EntityTags {
  bool any = false;
  struct Tag {
    std::string opaque;  ///< without the quotes
    bool weak = false;
  };
  std::vector<Tag> tags;
};
/// nullopt when malformed or longer than kMaxEntityTags. Pure.
std::optional<EntityTags> parse_entity_tags(std::string_view value);

/// What If-Match demands of an integration's revision: nothing, or one of `revisions`. A weak tag, or one that is no
/// revision of ours, never matches, as the strong comparison has it.
struct RevisionCondition {
  bool given = false;
  std::vector<std::int64_t> revisions;
};
/// Errors: invalid_argument, field "If-Match", when the header is malformed.
Result<RevisionCondition> read_if_match(const ServerRequest& request);

/// Whether If-None-Match names `etag` (quoted, strong), by the weak comparison. A malformed header matches nothing.
bool matches_if_none_match(const ServerRequest& request, std::string_view etag);

/// Errors: invalid_argument, field "Idempotency-Key", unless it is 1 to kMaxIdempotencyKeyBytes visible ASCII
/// characters.
Result<std::optional<std::string>> read_idempotency_key(const ServerRequest& request);

}  // namespace inthub
