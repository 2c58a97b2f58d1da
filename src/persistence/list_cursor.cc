#include "persistence/list_cursor.h"

#include <charconv>

#include <fmt/format.h>

#include "foundation/encoding.h"

namespace inthub {
namespace {

constexpr std::size_t kFingerprintBytes = 8;
constexpr std::size_t kIdBytes = 36;
constexpr std::size_t kMaxCursorBytes = 4096;

std::string fingerprint(TenantId tenant, const IntegrationFilter& filter) {
  // The length before each part keeps ("ab", "c") and ("a", "bc") apart.
  const std::string query =
      fmt::format("{}|{}:{}|{}:{}|{}:{}|{}:{}|{}|{}", tenant.to_string(), filter.type.size(), filter.type,
                  filter.family.size(), filter.family, filter.health.size(), filter.health, filter.query.size(),
                  filter.query, static_cast<int>(filter.sort), filter.descending);
  return sha256(query).substr(0, kFingerprintBytes);
}

/// base64url without padding; empty when it is not.
std::string decode_base64url(std::string_view text) {
  std::string standard(text);
  for (char& c : standard) {
    if (c == '+' || c == '/' || c == '=') return {};
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  standard.append((4 - standard.size() % 4) % 4, '=');
  return base64_decode(standard).value_or(std::string());
}

bool is_key_of(const IntegrationFilter& filter, std::string_view key) {
  if (filter.sort == IntegrationFilter::Sort::name) return true;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), value);
  return error == std::errc() && end == key.data() + key.size();
}

}  // namespace

std::string encode_cursor(TenantId tenant, const IntegrationFilter& filter, const ListCursor& cursor) {
  return base64url_encode(fingerprint(tenant, filter) + cursor.last.to_string() + cursor.key);
}

Result<ListCursor> decode_cursor(TenantId tenant, const IntegrationFilter& filter, std::string_view text) {
  const std::string bytes = text.size() <= kMaxCursorBytes ? decode_base64url(text) : std::string();
  if (bytes.size() >= kFingerprintBytes + kIdBytes) {
    const auto last = IntegrationId::parse(std::string_view(bytes).substr(kFingerprintBytes, kIdBytes));
    ListCursor cursor{.key = bytes.substr(kFingerprintBytes + kIdBytes), .last = last.value_or(IntegrationId{})};
    const bool same_query = std::string_view(bytes).substr(0, kFingerprintBytes) == fingerprint(tenant, filter);
    if (last && same_query && is_key_of(filter, cursor.key)) return cursor;
  }
  return fail(Error(ErrorCode::invalid_argument, "the cursor does not belong to this query")
                  .with_reason("cursor.invalid")
                  .with_field("/cursor")
                  .with_remedy(
                      "send the cursor with the same filter and order as the page it came with, or begin without one"));
}

}  // namespace inthub
