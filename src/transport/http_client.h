#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/headers.h"
#include "foundation/http_url.h"
#include "foundation/result.h"
#include "foundation/secret.h"
#include "foundation/task.h"

namespace inthub {

class AddressPolicy;
class Metrics;

/// How to reach one remote system: what an integration's config says about the network. Immutable once shared.
/// Two requests share a connection or a proxy tunnel only if their profiles are equal in everything that decides trust
/// or identity (CA bundle, client certificate, proxy and its credential, tenant). TLS sessions are never resumed, so
/// every connection is verified. The remembered address of a host is shared within the same bounds.
struct TransportProfile {
  /// Trusted *in addition to* the system's store, at most 1 MiB; empty: the system's store alone.
  std::string ca_bundle_pem = {};
  std::string client_certificate_pem = {};            ///< chain, leaf first; empty: none
  SecretPtr client_key_pem = {};                      ///< required with a client certificate
  std::string proxy_url = {};                         ///< "http://host:port", "https://…" or "socks5h://…"; empty: none
  SecretPtr proxy_password = {};                      ///< optional; "user:password"
  std::vector<std::string> no_proxy = {};             ///< host names, ".suffixes", CIDRs, as in the NO_PROXY convention
  std::chrono::milliseconds connect_timeout{10'000};  ///< DNS + TCP + TLS
  std::string partition = {};  ///< connections are never shared across partitions; the tenant's id
};
using TransportProfilePtr = std::shared_ptr<const TransportProfile>;

/// One request. Redirects are never followed here: whoever holds the credential decides (connector_runtime).
/// Headers that frame the message (Content-Length, Transfer-Encoding, Connection, Expect, …) are refused. GET, HEAD,
/// OPTIONS, TRACE, PUT and DELETE are repeated once a kept-alive connection turns out to have been closed by the peer
/// meanwhile; other methods are never sent twice.
struct HttpRequest {
  std::string method = "GET";
  HttpUrl url = {};
  Headers headers = {};
  std::string body = {};
  std::size_t max_body_bytes = std::size_t{8} << 20;  ///< of the response, after content decoding
  std::size_t max_header_bytes = std::size_t{64} << 10;
  /// True: gzip and deflate are asked for and decoded (within max_body_bytes); a decoded answer has no Content-Encoding
  /// and no Content-Length. False: identity; what the peer encodes all the same keeps its Content-Encoding and its
  /// bytes.
  bool accept_compressed = false;
};

/// Durations since the request began, zero for stages that did not happen (a kept-alive connection has no dns, tcp,
/// tls).
struct HttpTimings {
  std::chrono::microseconds dns{};         ///< end of name resolution
  std::chrono::microseconds tcp{};         ///< end of TCP connect
  std::chrono::microseconds tls{};         ///< end of TLS handshake
  std::chrono::microseconds first_byte{};  ///< first byte of the answer
  std::chrono::microseconds total{};
};

/// How far an exchange came: the ordered steps of a connection test.
enum class HttpStage : std::uint8_t { dns, tcp, proxy, tls, http };
std::string_view name_of(HttpStage stage);

/// What was connected to. Present in successes, and in failures (HttpFailure) as far as the exchange came.
struct HttpPeer {
  std::string address;      ///< "192.0.2.1:443"; of the proxy when there is one
  std::string tls_version;  ///< "TLSv1.3", empty without TLS
  bool reused_connection = false;
  bool via_proxy = false;
};

struct HttpResponse {
  int status = 0;
  Headers headers;
  std::string body;
  HttpTimings timings;
  HttpPeer peer;
};

/// A failed exchange: where it stopped, and why. `error.reason()` is one of (same words as the doctor's codes):
///   connectivity.dns_not_found, .dns_timeout, .refused, .timeout, .unreachable, .reset, .proxy_refused,
///   .address_denied; tls.hostname_mismatch, .unknown_authority, .self_signed, .expired, .not_yet_valid,
///   .incomplete_chain, .handshake_failed, .timeout, .client_certificate_refused, .bad_ca_bundle,
///   .bad_client_certificate; http.timeout (connected, no complete answer in time), http.malformed,
///   http.body_too_large, http.headers_too_large, http.connection_closed, http.overloaded (too many requests of this
///   hub at once).
/// `error.field()` points at the config member to mend ("/endpoint", "/caBundle", "/proxy", …), `error.remedy()` says
/// how. The class is unavailable, deadline_exceeded or vendor_failure (for what the peer answered); invalid_argument
/// for a request that cannot be written as HTTP, cancelled when the client is being destroyed. A certificate with
/// several faults is reported by the first of: not yet valid, expired, wrong name, unknown issuer. `error.details()`
/// has host, port, address; for certificates subject, issuer, names, notBefore, notAfter.
struct HttpFailure {
  Error error;
  HttpStage stage = HttpStage::dns;
  HttpTimings timings;
  HttpPeer peer;
};

/// Outbound HTTP/1.1 over libcurl on its own Asio thread. One per process. Thread-safe.
/// TLS 1.2 and 1.3, certificates and names always verified (RFC 9525: subject alternative names). Nothing is read from
/// the environment: no proxy variables, no .netrc. Metrics: inthub_http_client_*.
class HttpClient {
 public:
  static constexpr std::size_t kMaxQueued = 4096;  ///< requests that wait; further ones fail with http.overloaded
  static constexpr std::size_t kMaxIdlePartitions = 128;  ///< sets of idle connections, one per trust and identity

  struct Options {
    std::size_t max_connections =
        512;  ///< requests at once, one connection each; further ones queue within their deadline
    std::size_t max_idle_connections = 128;  ///< kept alive beside those in use
    std::chrono::seconds idle_timeout{60};   ///< an idle connection is not used any longer after this, and closed
    std::string system_ca_file = {};         ///< empty: /etc/ssl/certs/ca-certificates.crt
    std::string user_agent = {};             ///< "inthub/0.1.0"
  };
  /// Starts the thread. `policy` and `metrics` must outlive the client.
  HttpClient(Options options, const AddressPolicy& policy, Metrics& metrics);
  ~HttpClient();  ///< cancels what is in flight, joins the thread
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends and reads the whole answer. Any status, 5xx included, is a value. Call from any io_context; resumes on it.
  /// Cancellation of the calling coroutine aborts the transfer and closes its connection.
  Task<std::expected<HttpResponse, HttpFailure>> send(HttpRequest request, TransportProfilePtr profile,
                                                      Deadline deadline);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace inthub
