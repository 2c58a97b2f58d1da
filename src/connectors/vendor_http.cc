#include "connectors/vendor_http.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "foundation/clock.h"
#include "foundation/redact.h"

namespace inthub {
namespace {

/// A vendor that asks for more is taken to mean a day: nobody waits longer for an answer.
constexpr std::chrono::seconds kLongestRetryAfter = std::chrono::hours{24};

/// Retry-After, RFC 9110 section 10.2.3. The date form is measured against the answer's own Date, so that the machine's
/// clock plays no part; without a Date it says nothing.
std::optional<std::chrono::seconds> retry_after(const Headers& headers) {
  const auto field = headers.find("Retry-After");
  if (!field || field->empty()) return std::nullopt;
  long long seconds = 0;
  const auto [end, error] = std::from_chars(field->data(), field->data() + field->size(), seconds);
  if (error == std::errc::result_out_of_range) return kLongestRetryAfter;
  if (error != std::errc{} || end != field->data() + field->size()) {
    const auto at = parse_http_date(*field);
    const auto date = headers.find("Date");
    const auto sent = date ? parse_http_date(*date) : std::nullopt;
    if (!at || !sent) return std::nullopt;
    seconds = std::chrono::ceil<std::chrono::seconds>(*at - *sent).count();
  }
  return std::chrono::seconds(std::clamp<long long>(seconds, 0, kLongestRetryAfter.count()));
}

Error classify(const VendorResponse& response, std::string message) {
  const int status = response.status;
  if (status == 401) {
    return Error(ErrorCode::vendor_failure, std::move(message))
        .with_reason("authentication.rejected")
        .with_field("/credentialRef")
        .with_remedy(response.authenticated ? "store a credential that works and test the connection again"
                                            : "give the integration a credential: the remote system wants one");
  }
  if (status == 403) {
    return Error(ErrorCode::vendor_failure, std::move(message))
        .with_reason("authentication.forbidden")
        .with_field("/credentialRef")
        .with_remedy("give the credential the missing permission, or use one that has it");
  }
  if (status == 404) return Error(ErrorCode::not_found, std::move(message)).with_reason("vendor.not_found");
  if (status == 429) {
    Error error = Error(ErrorCode::unavailable, std::move(message))
                      .with_reason("vendor.rate_limited")
                      .with_remedy("wait, or raise the quota of the credential at the remote system");
    if (const auto wait = retry_after(response.headers)) error = std::move(error).with_retry_after(*wait);
    return error;
  }
  if (status >= 500) {
    Error error = Error(ErrorCode::vendor_failure, std::move(message))
                      .with_reason("vendor.server_error")
                      .with_remedy("look at the remote system's own log; nothing is wrong with the integration");
    if (const auto wait = retry_after(response.headers)) error = std::move(error).with_retry_after(*wait);
    return error;
  }
  return Error(ErrorCode::vendor_failure, std::move(message)).with_reason("vendor.refused");
}

}  // namespace

Error vendor_error(const VendorResponse& response, std::string_view what_was_asked, std::string_view what_vendor_said) {
  std::string message = fmt::format("{}: the remote system answered {}", what_was_asked, response.status);
  if (const std::string said = redact(what_vendor_said); !said.empty()) message += fmt::format(": \"{}\"", said);
  return classify(response, std::move(message)).with_detail("httpStatus", std::to_string(response.status));
}

}  // namespace inthub
