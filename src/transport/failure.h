#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "foundation/error.h"
#include "foundation/http_url.h"
#include "transport/c_handles.h"
#include "transport/http_client.h"
#include "transport/proxy.h"
#include "transport/tls_watch.h"

namespace inthub::transport {

/// How far an exchange came.
struct Progress {
  bool looked_up = false;     ///< an address is known
  bool connected = false;     ///< TCP to the destination or its proxy
  bool request_sent = false;  ///< everything below HTTP stood, and the request began to go out
  bool headers_complete = false;
  int sends = 0;  ///< more than one when a kept-alive connection turned out to be dead
  std::size_t header_bytes = 0;
  std::size_t body_bytes = 0;
};

/// Everything that the diagnosis of a failed exchange looks at.
struct FailedExchange {
  CURLcode code = CURLE_OK;
  std::string curl_message;  ///< libcurl's words; may quote the peer
  long os_error = 0;         ///< errno of the failing socket call, 0 when unknown
  long proxy_status = 0;     ///< of the answer to CONNECT, 0 when there was none
  HttpUrl url;
  std::string method;
  std::optional<Proxy> proxy;  ///< when the exchange goes through one
  bool has_client_certificate = false;
  Progress progress;
  long connections_opened = 0;
  std::string peer_address;  ///< "192.0.2.1:443" once connected
  std::shared_ptr<const TlsWatch> tls;
  std::optional<Error> denied_address;
  bool body_too_large = false;
  bool headers_too_large = false;
  std::size_t max_body_bytes = 0;
  std::size_t max_header_bytes = 0;
  std::chrono::milliseconds elapsed{};
};

struct Diagnosis {
  Error error;
  HttpStage stage;
};

/// Says where and why an exchange failed, in the words listed at HttpFailure. Pure.
Diagnosis diagnose(const FailedExchange& failed);

}  // namespace inthub::transport
