#pragma once

#include <string>
#include <vector>

#include "foundation/headers.h"
#include "foundation/result.h"
#include "foundation/task.h"
#include "transport/http_client.h"

namespace inthub {

/// A request in the connector's words: what to ask, not how to get there.
struct VendorRequest {
  std::string method = "GET";
  /// Appended to the endpoint's path ("/v2/_catalog?n=100"), or an absolute URL (a Link, a Location), which must be of
  /// an origin that the integration allows.
  std::string target;
  Headers headers;
  std::string body;
  std::vector<std::string> scopes;  ///< for the type's authenticator
  std::size_t max_body_bytes = std::size_t{4} << 20;
  bool accept_compressed = true;
  /// False for the steps that must see the first refusal as it is (a connection test): no retry, no breaker.
  bool retry = true;
};

struct VendorResponse {
  int status = 0;
  Headers headers;
  std::string body;
  HttpUrl url;          ///< that answered, after redirects
  HttpTimings timings;  ///< of the last exchange
  HttpPeer peer;
  bool authenticated = false;  ///< the credential was sent
};

/// The only way out for a connector. Checks the destination, adds the credential, applies the integration's CA bundle,
/// client certificate, proxy, timeouts, headers, retry, breaker, budgets and redirect rules. Valid during the call it
/// came with.
class VendorHttp {
 public:
  virtual ~VendorHttp() = default;
  /// Any HTTP status is a value; see VendorResponse::status. Errors: those of HttpFailure; "authentication.*" when the
  /// credential cannot be resolved or exchanged; "http.redirect_loop", "http.redirect_refused"; "breaker.open"
  /// (unavailable).
  virtual Task<Result<VendorResponse>> send(VendorRequest request) = 0;
  /// The exchange of the last send(), also when it failed: how far it came. For the steps of a connection test.
  virtual const HttpFailure* last_failure() const = 0;
};

/// Maps a vendor's refusal to an Error: 401 and 403 to vendor_failure with reason "authentication.rejected" /
/// "authentication.forbidden", 404 not_found, 429 rate_limited-by-vendor (unavailable + retry_after), 5xx
/// vendor_failure. `what_vendor_said` is redacted and quoted. Pure.
Error vendor_error(const VendorResponse& response, std::string_view what_was_asked, std::string_view what_vendor_said);

}  // namespace inthub
