#include "transport/exchange.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>

namespace inthub::transport {
namespace {

namespace ip = boost::asio::ip;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxReservedBytes = std::size_t{1} << 20;

std::optional<ip::address> address_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    ip::address_v6::bytes_type bytes;
    std::copy_n(std::begin(v6.sin6_addr.s6_addr), bytes.size(), bytes.begin());
    return ip::address_v6(bytes);
  }
  return std::nullopt;
}

/// A host that is an address, also in the forms that inet_aton() takes ("127.1", "0x7f000001", "2130706433"): a proxy
/// would connect to it.
std::optional<ip::address> literal_address(const std::string& host) {
  boost::system::error_code no_address;
  if (ip::address address = ip::make_address(host, no_address); !no_address) return address;
  in_addr v4{};
  const std::string without_dot = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  if (::inet_aton(without_dot.c_str(), &v4) == 1) return ip::address_v4(ntohl(v4.s_addr));
  return std::nullopt;
}

bool is_token(std::string_view text) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](unsigned char c) {
    return std::isalnum(c) != 0 || kPunctuation.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
}

/// What frames the message or the connection is libcurl's to say.
bool frames_the_message(std::string_view name) {
  return equals_ignore_case(name, "Content-Length") || equals_ignore_case(name, "Transfer-Encoding") ||
         equals_ignore_case(name, "Connection") || equals_ignore_case(name, "Expect") ||
         equals_ignore_case(name, "Upgrade") || equals_ignore_case(name, "TE") || equals_ignore_case(name, "Trailer");
}

void append(CurlList& list, const std::string& line) {
  if (curl_slist* longer = curl_slist_append(list.get(), line.c_str())) {
    if (!list) list.reset(longer);  // else the first element stays the same
  }
}

std::chrono::microseconds duration(CURL* easy, CURLINFO what) {
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy, what, &microseconds);
  return std::chrono::microseconds(microseconds);
}

std::chrono::milliseconds until(Deadline deadline) {
  return std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
}

}  // namespace

Exchange::Exchange(HttpRequest request, TransportProfilePtr profile, Deadline deadline)
    : request_(std::move(request)),
      profile_(std::move(profile)),
      begun_(SteadyClock::now()),
      started_(begun_),
      tls_(std::make_shared<TlsWatch>()) {
  deadline_ = std::min(deadline, begun_ + kMaxLength);
}

std::chrono::microseconds Exchange::since_begin(SteadyClock::time_point when) const {
  return std::chrono::ceil<std::chrono::microseconds>(when - begun_);
}

HttpFailure Exchange::failure(Error error, HttpStage stage) const {
  HttpTimings timings;
  timings.total = since_begin(SteadyClock::now());
  return {.error = std::move(error), .stage = stage, .timings = timings, .peer = {}};
}

std::optional<Error> Exchange::refuse_request() const {
  if (!is_token(request_.method)) return Error(ErrorCode::invalid_argument, "the request's method is not a token");
  for (const auto& [name, value] : request_.headers) {
    if (!is_token(name)) return Error(ErrorCode::invalid_argument, "a request header's name is not a token");
    if (!is_field_value(value)) {
      return Error(ErrorCode::invalid_argument,
                   fmt::format("the request header {} contains a control character", name));
    }
    if (frames_the_message(name)) {
      return Error(ErrorCode::invalid_argument, fmt::format("the request header {} cannot be set", name));
    }
  }
  return std::nullopt;
}

/// What a proxy is asked to connect to is never seen by on_open(), so an address is checked here.
std::optional<Error> Exchange::refuse_destination() const {
  if (!surroundings_.proxy) return std::nullopt;
  const auto address = literal_address(request_.url.host);
  if (!address) return std::nullopt;
  auto allowed = surroundings_.policy->check(*address);
  if (allowed) return std::nullopt;
  return std::move(allowed).error();
}

bool Exchange::may_be_repeated() const {
  constexpr std::array<std::string_view, 6> kIdempotent{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
  return std::ranges::find(kIdempotent, std::string_view(request_.method)) != kIdempotent.end();
}

std::optional<HttpFailure> Exchange::start(ExchangeSurroundings surroundings) {
  surroundings_ = std::move(surroundings);
  started_ = SteadyClock::now();
  if (auto refused = refuse_request()) return failure(*std::move(refused), HttpStage::dns);
  if (auto refused = refuse_destination()) return failure(*std::move(refused), HttpStage::tcp);
  if (configure()) added_ = surroundings_.loop->add(easy_.get());
  if (added_) return std::nullopt;
  end();
  return failure(Error(ErrorCode::internal, "the HTTP client cannot make a request: out of memory"), HttpStage::dns);
}

bool Exchange::configure() {
  easy_.reset(curl_easy_init());
  CURL* const easy = easy_.get();
  if (easy == nullptr) return false;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message_.data());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Otherwise giving up a transfer that is still looking up its host waits for the resolver's thread to return.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  const std::string url = request_.url.to_string();
  if (curl_easy_setopt(easy, CURLOPT_URL, url.c_str()) != CURLE_OK) return false;

  const auto left = std::max(until(deadline_), std::chrono::milliseconds(1));
  const auto to_connect = std::clamp(profile_->connect_timeout, std::chrono::milliseconds(1), left);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(to_connect.count()));
  auto max_idle = surroundings_.idle_timeout;
  if (!may_be_repeated()) max_idle = std::min(max_idle, kMaxIdleForUnsafeMethods);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(max_idle.count()));

  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Exchange::on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlLoop::close_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, surroundings_.loop.get());
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Exchange::on_request);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);

  configure_method();
  configure_headers(headers_);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  configure_proxy();
  configure_tls();
  return true;
}

void Exchange::configure_method() {
  CURL* const easy = easy_.get();
  const std::string& method = request_.method;
  if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  const bool announces_a_body = method == "POST" || method == "PUT" || method == "PATCH";
  if (announces_a_body || !request_.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.data());
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
}

void Exchange::configure_headers(CurlList& list) const {
  for (const auto& [name, value] : request_.headers) {
    append(list, value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  }
  append(list, "Expect:");  // without it libcurl waits a second for "100 Continue" before it sends a larger body
  if (!request_.headers.find("Content-Type")) append(list, "Content-Type:");
  if (!request_.headers.find("User-Agent") && !surroundings_.user_agent.empty()) {
    append(list, fmt::format("User-Agent: {}", surroundings_.user_agent));
  }
  if (request_.accept_compressed) curl_easy_setopt(easy_.get(), CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
}

void Exchange::configure_proxy() {
  CURL* const easy = easy_.get();
  // Both are set in any case: left alone, they are read from the environment.
  curl_easy_setopt(easy, CURLOPT_PROXY, surroundings_.proxy ? surroundings_.proxy->to_string().c_str() : "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  if (!surroundings_.proxy) return;
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // Keeps the request's headers, the credential among them, out of what is said to the proxy when a tunnel is opened.
  curl_easy_setopt(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  if (!profile_->proxy_password) return;
  const std::string_view both = profile_->proxy_password->reveal();
  const std::size_t colon = both.find(':');
  std::string user(both.substr(0, colon));
  std::string password(colon == std::string_view::npos ? std::string_view{} : both.substr(colon + 1));
  curl_easy_setopt(easy, CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC));
  curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, user.c_str());
  curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, password.c_str());
  wipe(user);
  wipe(password);
}

void Exchange::configure_tls() {
  if (!surroundings_.trust) return;
  CURL* const easy = easy_.get();
  const bool to_https_proxy = surroundings_.proxy && surroundings_.proxy->kind == ProxyKind::https;
  if (request_.url.is_ip_literal && !to_https_proxy) tls_->host_literal = request_.url.host;

  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
  // The trust store comes from on_tls(). Anything named here would be parsed again for every connection, into that
  // shared store; and libcurl's own store cache, which does not know about on_tls(), would put an earlier connection's
  // store in place of it.
  for (const CURLoption option : {CURLOPT_CAINFO, CURLOPT_CAPATH, CURLOPT_PROXY_CAINFO, CURLOPT_PROXY_CAPATH}) {
    curl_easy_setopt(easy, option, nullptr);
  }
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
  // A resumed session is not verified again. Connections are kept alive; a full handshake costs about a millisecond.
  curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &Exchange::on_tls);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, this);

  if (profile_->client_certificate_pem.empty() || !profile_->client_key_pem) return;
  // For the destination alone: a proxy's certificate options are others. The bytes live in the profile.
  const auto blob = [](std::string_view bytes) {
    return curl_blob{.data = const_cast<char*>(bytes.data()), .len = bytes.size(), .flags = CURL_BLOB_NOCOPY};
  };
  curl_blob certificate = blob(profile_->client_certificate_pem);
  curl_blob key = blob(profile_->client_key_pem->reveal());
  curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
  curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
}

// --- callbacks
// --------------------------------------------------------------------------------------------------------

curl_socket_t Exchange::on_open(void* exchange, curlsocktype, curl_sockaddr* address) noexcept {
  auto& self = *static_cast<Exchange*>(exchange);
  self.progress_.looked_up = true;
  if (!self.looked_up_at_) self.looked_up_at_ = SteadyClock::now();
  const auto target = address_of(address->addr);
  if (!target) return CURL_SOCKET_BAD;
  auto allowed = self.surroundings_.policy->check(*target);
  if (!allowed) {
    if (!self.denied_address_) self.denied_address_ = std::move(allowed).error();
    return CURL_SOCKET_BAD;
  }
  return self.surroundings_.loop->open_socket(*address);
}

CURLcode Exchange::on_tls(CURL*, void* context, void* exchange) noexcept {
  auto& self = *static_cast<Exchange*>(exchange);
  if (!self.tls_begun_at_) self.tls_begun_at_ = SteadyClock::now();
  const bool watched = watch_tls(static_cast<SSL_CTX*>(context), self.surroundings_.trust.get(), self.tls_);
  return watched ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/// Called when everything below HTTP stands; a second time when libcurl wants to repeat the request because the
/// kept-alive connection it took was dead.
int Exchange::on_request(void* exchange, char*, char*, int, int) noexcept {
  auto& self = *static_cast<Exchange*>(exchange);
  self.progress_.request_sent = true;
  ++self.progress_.sends;
  return self.progress_.sends > 1 && !self.may_be_repeated() ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

std::size_t Exchange::on_header(char* bytes, std::size_t size, std::size_t count, void* exchange) noexcept {
  auto& self = *static_cast<Exchange*>(exchange);
  const std::string_view line(bytes, size * count);
  self.progress_.header_bytes += line.size();
  if (self.progress_.header_bytes > self.request_.max_header_bytes) {
    self.headers_too_large_ = true;
    return 0;
  }
  self.take_header_line(line);
  return line.size();
}

void Exchange::take_header_line(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (in_trailers_) return;
  if (line.starts_with("HTTP/")) {  // also of the answer after an interim one
    response_.headers = Headers();
    progress_.headers_complete = false;
    if (response_.peer.tls_version.empty() && request_.url.scheme == "https") {
      const curl_tlssessioninfo* session = nullptr;
      curl_easy_getinfo(easy_.get(), CURLINFO_TLS_SSL_PTR, &session);
      if (session != nullptr && session->internals != nullptr) {
        response_.peer.tls_version = SSL_get_version(static_cast<const SSL*>(session->internals));
      }
    }
    return;
  }
  if (line.empty()) {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    constexpr long kFirstFinalStatus = 200;
    progress_.headers_complete = status >= kFirstFinalStatus;
    in_trailers_ = progress_.headers_complete;
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  response_.headers.add(std::string(line.substr(0, colon)), std::string(value));
}

std::size_t Exchange::on_body(char* bytes, std::size_t size, std::size_t count, void* exchange) noexcept {
  auto& self = *static_cast<Exchange*>(exchange);
  const std::string_view piece(bytes, size * count);
  std::string& body = self.response_.body;
  if (piece.size() > self.request_.max_body_bytes - body.size()) {
    self.body_too_large_ = true;
    return CURL_WRITEFUNC_ERROR;
  }
  if (body.empty()) {
    curl_off_t announced = -1;
    curl_easy_getinfo(self.easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    const auto expected = static_cast<std::size_t>(std::max<curl_off_t>(announced, 0));
    body.reserve(std::min({expected, self.request_.max_body_bytes, kMaxReservedBytes}));
  }
  body.append(piece);
  self.progress_.body_bytes = body.size();
  return piece.size();
}

// --- the end
// ----------------------------------------------------------------------------------------------------------

std::string Exchange::peer_address() const {
  const char* address = nullptr;
  long port = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_PRIMARY_IP, &address);
  curl_easy_getinfo(easy_.get(), CURLINFO_PRIMARY_PORT, &port);
  if (address == nullptr || *address == '\0') return {};
  const bool v6 = std::strchr(address, ':') != nullptr;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address, v6 ? "]" : "", port);
}

HttpPeer Exchange::peer() const {
  HttpPeer peer = response_.peer;
  peer.address = peer_address();
  if (peer.tls_version.empty() && request_.url.scheme == "https") peer.tls_version = tls_->version;
  peer.reused_connection = progress_.request_sent && connections_opened_ == 0;
  peer.via_proxy = surroundings_.proxy.has_value();
  return peer;
}

HttpTimings Exchange::timings() const {
  CURL* const easy = easy_.get();
  const auto queued = since_begin(started_);
  const auto at = [&](std::chrono::microseconds since_start) {
    return since_start.count() > 0 ? since_start + queued : since_start;
  };
  HttpTimings timings;
  if (connections_opened_ > 0 || !progress_.request_sent) {
    timings.dns = at(duration(easy, CURLINFO_NAMELOOKUP_TIME_T));
    timings.tcp = at(duration(easy, CURLINFO_CONNECT_TIME_T));
    timings.tls = at(duration(easy, CURLINFO_APPCONNECT_TIME_T));
    // libcurl fills these in only once everything stands.
    if (timings.dns.count() == 0 && looked_up_at_) timings.dns = since_begin(*looked_up_at_);
    if (timings.tcp.count() == 0 && tls_begun_at_) timings.tcp = since_begin(*tls_begun_at_);
  }
  timings.first_byte =
      progress_.header_bytes > 0 ? at(duration(easy, CURLINFO_STARTTRANSFER_TIME_T)) : std::chrono::microseconds{};
  timings.total = since_begin(SteadyClock::now());
  return timings;
}

FailedExchange Exchange::facts(CURLcode code) const {
  CURL* const easy = easy_.get();
  FailedExchange failed;
  failed.code = code;
  failed.curl_message = message_.data();
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &failed.os_error);
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &failed.proxy_status);
  failed.url = request_.url;
  failed.method = request_.method;
  failed.proxy = surroundings_.proxy;
  failed.has_client_certificate = !profile_->client_certificate_pem.empty();
  failed.progress = progress_;
  failed.progress.connected = connections_opened_ > 0 || progress_.request_sent;
  failed.connections_opened = connections_opened_;
  failed.peer_address = peer_address();
  failed.tls = tls_;
  failed.denied_address = denied_address_;
  failed.body_too_large = body_too_large_;
  failed.headers_too_large = headers_too_large_;
  failed.max_body_bytes = request_.max_body_bytes;
  failed.max_header_bytes = request_.max_header_bytes;
  failed.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - begun_);
  return failed;
}

HttpOutcome Exchange::finish(CURLcode code) {
  curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &connections_opened_);
  if (code != CURLE_OK) {
    Diagnosis diagnosis = diagnose(facts(code));
    return std::unexpected(HttpFailure{
        .error = std::move(diagnosis.error), .stage = diagnosis.stage, .timings = timings(), .peer = peer()});
  }
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  response_.timings = timings();
  response_.peer = peer();
  if (request_.accept_compressed && !response_.body.empty() && response_.headers.find("Content-Encoding")) {
    response_.headers.remove("Content-Encoding");  // they describe bytes that nobody sees any more
    response_.headers.remove("Content-Length");
  }
  return std::move(response_);
}

void Exchange::end() {
  if (added_) surroundings_.loop->remove(easy_.get());
  added_ = false;
  easy_.reset();
  // The caller may keep this object longer than the I/O thread lives, on which the loop depends.
  surroundings_ = {};
}

}  // namespace inthub::transport
