#include "authenticators/token_response.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "foundation/json.h"

namespace inthub {
namespace {

std::unexpected<Error> malformed(std::string_view what) {
  return fail(
      Error(ErrorCode::vendor_failure, "the token service's answer " + std::string(what))
          .with_reason("authentication.malformed_token")
          .with_field("/endpoint")
          .with_remedy("check the token service that the registry names, and what stands between it and the hub"));
}

/// What may stand in an Authorization header: visible ASCII.
bool is_token_text(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7F'; });
}

std::chrono::seconds life_of(const Json& answer) {
  const auto member = answer.find("expires_in");
  if (member == answer.end() || !member->is_number()) return kLeastTokenLife;
  const double seconds = member->get<double>();
  const double most = static_cast<double>(kMostTokenLife.count());
  const double least = static_cast<double>(kLeastTokenLife.count());
  return std::chrono::seconds(static_cast<std::int64_t>(std::clamp(seconds, least, most)));
}

std::chrono::seconds age_of(const Json& answer, std::chrono::seconds life, Timestamp now) {
  const auto member = answer.find("issued_at");
  if (member == answer.end() || !member->is_string()) return {};
  const auto issued = parse_rfc3339(member->get<std::string>());
  if (!issued || *issued > now || now - *issued >= life) return {};
  return std::chrono::ceil<std::chrono::seconds>(now - *issued);
}

/// Takes the string out of the tree, so that no copy of a secret stays in it.
std::string take_text(Json& answer, const char* name) {
  const auto member = answer.find(name);
  if (member == answer.end() || !member->is_string()) return {};
  auto& text = member->get_ref<std::string&>();
  std::string copy = text;
  wipe(text);
  return copy;
}

}  // namespace

Result<TokenGrant> read_token_grant(std::string& body, Timestamp now) {
  auto answer = parse_json(body, {.max_bytes = kMaxTokenBodyBytes, .max_depth = 16});
  wipe(body);
  if (!answer || !answer->is_object()) return malformed("is not a JSON object");
  const std::chrono::seconds life = life_of(*answer);
  const std::chrono::seconds age = age_of(*answer, life, now);
  std::string token = take_text(*answer, "token");
  std::string access_token = take_text(*answer, "access_token");
  std::string refresh_token = take_text(*answer, "refresh_token");
  wipe(refresh_token);
  if (token.empty()) token.swap(access_token);
  wipe(access_token);
  if (!is_token_text(token)) {
    wipe(token);
    return malformed("holds no token that fits into a header");
  }
  const std::chrono::seconds margin = std::max(kExpiryMargin, life / 10);
  return TokenGrant{.token = make_secret(std::move(token)),
                    .usable_for = std::max(life - margin - age, std::chrono::seconds{0})};
}

}  // namespace inthub
