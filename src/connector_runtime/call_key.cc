#include "connector_runtime/call_key.h"

#include <cstring>
#include <string>

#include <sodium.h>

#include "connectors/connector.h"
#include "foundation/clock.h"

namespace inthub {
namespace {

/// Parameter lists up to this size are fingerprinted without allocating; image references and names are far shorter.
constexpr std::size_t kInlineBytes = 1024;

}  // namespace

CallKeys::CallKeys(RandomSource& random) {
  static_assert(sizeof secret_key_ == crypto_shorthash_siphashx24_KEYBYTES);
  random.fill(secret_key_);
}

std::array<std::uint64_t, 2> CallKeys::fingerprint(std::initializer_list<std::string_view> parts) const {
  std::size_t total = 0;
  for (const auto part : parts) total += sizeof(std::uint64_t) + part.size();
  std::array<char, kInlineBytes>
      inline_buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  std::string heap_buffer;
  char* const buffer = total <= kInlineBytes ? inline_buffer.data() : (heap_buffer.resize(total), heap_buffer.data());
  // Each part behind its length: ("ab", "c") and ("a", "bc") differ.
  char* out = buffer;
  for (const auto part : parts) {
    const std::uint64_t size = part.size();
    std::memcpy(out, &size, sizeof size);
    out += sizeof size;
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  std::array<std::uint8_t, crypto_shorthash_siphashx24_BYTES> digest{};
  std::array<std::uint64_t, 2> result{};
  static_assert(sizeof digest == sizeof result);
  const void* const input = buffer;
  crypto_shorthash_siphashx24(digest.data(), static_cast<const unsigned char*>(input), total, secret_key_.data());
  std::memcpy(result.data(), digest.data(), sizeof result);
  return result;
}

CallKey CallKeys::of(IntegrationId integration, std::int64_t revision, const DiscoverRequest& request) const {
  return {integration, revision, fingerprint({request.resource_type, request.parent_id, request.query})};
}
CallKey CallKeys::of(IntegrationId integration, std::int64_t revision, const ResolveRequest& request) const {
  return {integration, revision, fingerprint({request.image_ref, request.platform, request.strict ? "strict" : ""})};
}
CallKey CallKeys::of(IntegrationId integration, std::int64_t revision, const ManifestRequest& request) const {
  return {integration, revision, fingerprint({request.image_ref, request.platform})};
}
CallKey CallKeys::of(IntegrationId integration, std::int64_t revision, const VerifyRequest& request) const {
  return {integration, revision, fingerprint({request.image_ref, request.digest})};
}

}  // namespace inthub
