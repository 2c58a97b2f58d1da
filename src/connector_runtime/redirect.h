#pragma once

#include <optional>
#include <string_view>

#include "foundation/http_url.h"
#include "foundation/result.h"
#include "transport/http_client.h"

namespace inthub {

/// Redirects of one request that are followed; a further one is a loop.
inline constexpr int kMostRedirects = 5;

/// Where an answer to a GET or HEAD redirects to (301, 302, 303, 307, 308 with a Location); nothing when it does not,
/// or the method is another one. Errors (vendor_failure): reason "http.redirect_refused" for a Location that is not an
/// http(s) URL, leads from https to http, or from elsewhere to a loopback host. Pure.
Result<std::optional<HttpUrl>> redirect_target(const HttpUrl& from, std::string_view method,
                                               const HttpResponse& response);

}  // namespace inthub
