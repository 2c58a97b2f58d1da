#include "connectors/oci/digest.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "foundation/encoding.h"

namespace inthub::oci {
namespace {

struct Algorithm {
  std::string_view name;
  std::size_t hex_length;
  std::string (*compute)(std::string_view);
};
constexpr std::array kAlgorithms{Algorithm{"sha256", 64, &sha256}, Algorithm{"sha384", 96, &sha384},
                                 Algorithm{"sha512", 128, &sha512}};

const Algorithm* find_algorithm(std::string_view name) {
  const auto* found = std::ranges::find(kAlgorithms, name, &Algorithm::name);
  return found == kAlgorithms.end() ? nullptr : found;
}

/// `[a-z0-9]+([+._-][a-z0-9]+)*`, the OCI image specification's grammar; wider than what is accepted, to tell an
/// unknown algorithm from nonsense.
bool is_algorithm_name(std::string_view text) {
  bool after_separator = true;
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      after_separator = false;
    } else if ((c == '+' || c == '.' || c == '_' || c == '-') && !after_separator) {
      after_separator = true;
    } else {
      return false;
    }
  }
  return !text.empty() && !after_separator;
}

std::unexpected<Error> bad_digest(std::string_view reason, std::string message) {
  return fail(Error(ErrorCode::invalid_argument, std::move(message))
                  .with_reason(fmt::format("digest.{}", reason))
                  .with_remedy("write the digest as the registry prints it, \"sha256:\" and 64 digits of 0-9a-f"));
}

}  // namespace

Result<Digest> parse_digest(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !is_algorithm_name(text.substr(0, colon))) {
    return bad_digest("format", "a digest has the form algorithm:hex, the algorithm in lower case");
  }
  const std::string_view hex = text.substr(colon + 1);
  const Algorithm* algorithm = find_algorithm(text.substr(0, colon));
  if (algorithm == nullptr) {
    return bad_digest("algorithm", "the digest's algorithm is not one of sha256, sha384 and sha512");
  }
  const bool lower_hex =
      std::ranges::all_of(hex, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!lower_hex) return bad_digest("encoding", "a digest is written in lower-case hexadecimal");
  if (hex.size() != algorithm->hex_length) {
    return bad_digest("length", fmt::format("a {} digest has {} hexadecimal digits, not {}", algorithm->name,
                                            algorithm->hex_length, hex.size()));
  }
  return Digest{.algorithm = std::string(algorithm->name), .hex = std::string(hex)};
}

Digest digest_of(std::string_view algorithm, std::string_view bytes) {
  const Algorithm* known = find_algorithm(algorithm);
  if (known == nullptr) known = kAlgorithms.data();
  return {.algorithm = std::string(known->name), .hex = hex_encode(known->compute(bytes))};
}

bool matches(const Digest& digest, std::string_view bytes) {
  return digest_of(digest.algorithm, bytes) == digest;
}

}  // namespace inthub::oci
