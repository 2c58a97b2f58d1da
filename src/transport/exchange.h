#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "foundation/task.h"
#include "transport/address_policy.h"
#include "transport/c_handles.h"
#include "transport/curl_loop.h"
#include "transport/failure.h"
#include "transport/http_client.h"
#include "transport/proxy.h"
#include "transport/tls_watch.h"

namespace inthub::transport {

using HttpOutcome = std::expected<HttpResponse, HttpFailure>;

/// What an exchange runs in.
struct ExchangeSurroundings {
  const AddressPolicy* policy = nullptr;
  std::shared_ptr<CurlLoop> loop = {};
  TrustStorePtr trust = {};         ///< may be null when no TLS is spoken
  std::optional<Proxy> proxy = {};  ///< when the request goes through one
  std::chrono::seconds idle_timeout{};
  std::string_view user_agent = {};
};

/// One request on its way: a libcurl easy handle with its callbacks, and what they saw. Made on the caller's thread;
/// from start() on used on the I/O thread only.
class Exchange {
 public:
  /// A kept-alive connection idle for longer than this is not used for a request that must not be sent twice: servers
  /// close idle connections after 5 s and more, and a request that crosses such a close is lost.
  static constexpr std::chrono::seconds kMaxIdleForUnsafeMethods{3};
  /// No exchange takes longer, whatever its deadline.
  static constexpr std::chrono::hours kMaxLength{1};

  Exchange(HttpRequest request, TransportProfilePtr profile, Deadline deadline);

  const HttpRequest& request() const { return request_; }
  const TransportProfile& profile() const { return *profile_; }
  const TransportProfilePtr& shared_profile() const { return profile_; }
  Deadline deadline() const { return deadline_; }
  std::chrono::steady_clock::time_point begun() const { return begun_; }

  /// Gives the easy handle to the surroundings' loop. An error when the request cannot be sent.
  std::optional<HttpFailure> start(ExchangeSurroundings surroundings);
  /// The result of a finished transfer. Call before the handle is removed from its loop.
  HttpOutcome finish(CURLcode code);
  /// A failure of this exchange that has nothing to do with libcurl.
  HttpFailure failure(Error error, HttpStage stage) const;
  /// Takes the handle out of the loop, ending the transfer if need be, and frees it. Idempotent.
  void end();
  CURL* handle() const { return easy_.get(); }
  /// New connections made for this exchange.
  long connections_opened() const { return connections_opened_; }

 private:
  std::optional<Error> refuse_request() const;
  std::optional<Error> refuse_destination() const;
  bool configure();
  void configure_method();
  void configure_headers(CurlList& list) const;
  void configure_proxy();
  void configure_tls();
  bool may_be_repeated() const;
  void take_header_line(std::string_view line);
  FailedExchange facts(CURLcode code) const;
  HttpTimings timings() const;
  HttpPeer peer() const;
  std::string peer_address() const;
  std::chrono::microseconds since_begin(std::chrono::steady_clock::time_point when) const;

  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* exchange) noexcept;
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* exchange) noexcept;
  static int on_request(void* exchange, char*, char*, int, int) noexcept;
  static curl_socket_t on_open(void* exchange, curlsocktype purpose, curl_sockaddr* address) noexcept;
  static CURLcode on_tls(CURL* easy, void* context, void* exchange) noexcept;

  HttpRequest request_;
  TransportProfilePtr profile_;
  Deadline deadline_;
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point started_;  ///< after waiting in the queue
  ExchangeSurroundings surroundings_;

  HttpResponse response_;
  Progress progress_;
  bool in_trailers_ = false;
  bool body_too_large_ = false;
  bool headers_too_large_ = false;
  std::optional<Error> denied_address_;
  std::optional<std::chrono::steady_clock::time_point> looked_up_at_;
  std::optional<std::chrono::steady_clock::time_point> tls_begun_at_;
  std::shared_ptr<TlsWatch> tls_;
  long connections_opened_ = 0;
  std::array<char, CURL_ERROR_SIZE> message_{};

  CurlList headers_;  // before the handle that refers to it
  CurlEasy easy_;
  bool added_ = false;
};

}  // namespace inthub::transport
