#include "connector_runtime/redirect.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "connector_runtime/call_settings.h"

namespace inthub {
namespace {

std::unexpected<Error> refused(std::string message, std::string remedy) {
  return fail(Error(ErrorCode::vendor_failure, std::move(message))
                  .with_reason("http.redirect_refused")
                  .with_field("/endpoint")
                  .with_remedy(std::move(remedy)));
}

}  // namespace

Result<std::optional<HttpUrl>> redirect_target(const HttpUrl& from, std::string_view method,
                                               const HttpResponse& response) {
  static constexpr std::array kStatuses{301, 302, 303, 307, 308};
  if (method != "GET" && method != "HEAD") return std::nullopt;
  if (std::ranges::find(kStatuses, response.status) == kStatuses.end()) return std::nullopt;
  const auto location = response.headers.find("Location");
  if (!location) return std::nullopt;
  Result<HttpUrl> to = from.resolve(*location);
  if (!to) {
    return refused(
        fmt::format("{} answered {} with a Location that is not an http or https URL", from.origin(), response.status),
        "check that the endpoint is the API's base URL and not a page for browsers");
  }
  if (from.scheme == "https" && to->scheme == "http") {
    return refused(fmt::format("{} redirects to plain http ({}), which is not followed", from.origin(), to->origin()),
                   "mend the server's redirect, or set the endpoint to the address that answers without one");
  }
  if (is_loopback_host(*to) && !is_loopback_host(from)) {
    return refused(fmt::format("{} redirects to a loopback address, which is not followed", from.origin()),
                   "mend the server's redirect (often a wrong external URL in its settings)");
  }
  return *std::move(to);
}

}  // namespace inthub
