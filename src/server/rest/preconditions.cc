#include "server/rest/preconditions.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace inthub {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// etagc of RFC 9110 section 8.8.3.
bool is_tag_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x21 || (byte >= 0x23 && byte != 0x7F);
}

std::optional<EntityTags::Tag> take_tag(std::string_view& rest) {
  EntityTags::Tag tag;
  if (rest.starts_with("W/")) {
    tag.weak = true;
    rest.remove_prefix(2);
  }
  if (!rest.starts_with('"')) return std::nullopt;
  rest.remove_prefix(1);
  const std::size_t end = rest.find('"');
  if (end == std::string_view::npos) return std::nullopt;
  tag.opaque = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (!std::ranges::all_of(tag.opaque, is_tag_character)) return std::nullopt;
  return tag;
}

std::optional<std::int64_t> revision_of(const EntityTags::Tag& tag) {
  std::int64_t revision = 0;
  const char* end = tag.opaque.data() + tag.opaque.size();
  const auto [stop, error] = std::from_chars(tag.opaque.data(), end, revision);
  if (tag.weak || error != std::errc() || stop != end || tag.opaque.front() == '0') return std::nullopt;
  return revision;
}

}  // namespace

std::optional<EntityTags> parse_entity_tags(std::string_view value) {
  EntityTags result;
  std::string_view rest = trim(value);
  if (rest == "*") {
    result.any = true;
    return result;
  }
  while (true) {
    auto tag = take_tag(rest);
    if (!tag || result.tags.size() == kMaxEntityTags) return std::nullopt;
    result.tags.push_back(std::move(*tag));
    rest = trim(rest);
    if (rest.empty()) return result;
    if (rest.front() != ',') return std::nullopt;
    rest = trim(rest.substr(1));
  }
}

Result<RevisionCondition> read_if_match(const ServerRequest& request) {
  RevisionCondition condition;
  const auto header = request.header("If-Match");
  if (!header) return condition;
  const auto tags = parse_entity_tags(*header);
  if (!tags) {
    return fail(Error(ErrorCode::invalid_argument, "If-Match is neither * nor a list of quoted entity tags")
                    .with_reason("header.malformed")
                    .with_field("If-Match")
                    .with_remedy("send the ETag of the last answer as it was, with its quotes: If-Match: \"3\""));
  }
  if (tags->any) return condition;
  condition.given = true;
  for (const EntityTags::Tag& tag : tags->tags) {
    if (const auto revision = revision_of(tag)) condition.revisions.push_back(*revision);
  }
  return condition;
}

bool matches_if_none_match(const ServerRequest& request, std::string_view etag) {
  const auto header = request.header("If-None-Match");
  if (!header) return false;
  if (*header == etag) return true;
  const auto tags = parse_entity_tags(*header);
  if (!tags) return false;
  return tags->any || std::ranges::any_of(tags->tags, [etag](const EntityTags::Tag& tag) {
           return etag.size() == tag.opaque.size() + 2 && etag.substr(1, tag.opaque.size()) == tag.opaque;
         });
}

Result<std::optional<std::string>> read_idempotency_key(const ServerRequest& request) {
  const auto header = request.header("Idempotency-Key");
  if (!header) return std::nullopt;
  const bool visible = std::ranges::all_of(*header, [](char c) { return c > 0x20 && c < 0x7F; });
  if (header->empty() || header->size() > kMaxIdempotencyKeyBytes || !visible) {
    return fail(Error(ErrorCode::invalid_argument,
                      fmt::format("Idempotency-Key must be 1 to {} visible ASCII characters", kMaxIdempotencyKeyBytes))
                    .with_reason("header.malformed")
                    .with_field("Idempotency-Key")
                    .with_remedy("use a fresh UUID per operation, and the same one for its repetitions"));
  }
  return std::string(*header);
}

}  // namespace inthub
