#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/principal.h"
#include "foundation/clock.h"
#include "foundation/error.h"
#include "foundation/headers.h"
#include "foundation/task.h"

namespace inthub {

/// A request as the router hands it over. Views live as long as the handler runs.
struct ServerRequest {
  std::string_view method;
  std::string_view path;   ///< percent-encoded, without the query; begins with "/"
  std::string_view query;  ///< percent-encoded, without "?"
  std::string_view body;
  std::string_view peer_address;
  std::string_view request_id;  ///< the client's X-Request-Id if it is 1–128 of [A-Za-z0-9._-], else a fresh UUID
  std::string_view trace_id;    ///< 32 hexadecimal digits, from traceparent (W3C Trace Context) or fresh
  Deadline deadline;            ///< when the answer must be on its way
  Principal principal;          ///< set by the router for routes that need one
  /// Values of the route's {placeholders}, percent-decoded, in order.
  std::vector<std::string> parameters;
  /// The first field of that name.
  virtual std::optional<std::string_view> header(std::string_view name) const = 0;

 protected:
  ~ServerRequest() = default;
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>>
      headers;  ///< besides Content-Type, Content-Length, Date, X-Request-Id
  std::string body;
};

/// Decoded query parameters: "a=1&b=x%20y", "+" is a blank. nullopt on a bad escape or more than 64 parameters.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

/// {"success":true,"data":…,"meta":{…}}. `data_json` and `meta_members` (such as "\"pagination\":{…}") are JSON text
/// already.
ServerResponse success(const ServerRequest& request, int status, std::string_view data_json,
                       std::string_view meta_members = {});
/// {"success":false,"error":{"code","reason"?,"message","remedy"?,"field"?,"details"?,"validationErrors"?},"meta":{…}}
/// with the error's HTTP status; "code" is the name of the ErrorCode, "reason" the finer word when there is one;
/// Retry-After where it has one. An `internal` error's message is replaced by a general one naming the request id.
ServerResponse failure(const ServerRequest& request, const Error& error);

}  // namespace inthub
