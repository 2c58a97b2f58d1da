#include "transport/failure.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "foundation/redact.h"

namespace inthub::transport {
namespace {

constexpr std::size_t kMaxQuotedBytes = 160;
constexpr std::size_t kMaxQuotedNames = 6;

std::string quoted(std::string_view text) {
  return redact(text, {}, kMaxQuotedBytes);
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

std::string destination(const FailedExchange& failed) {
  return host_and_port(failed.url.host, failed.url.port);
}

/// Whether what failed is the way to the proxy itself, not the way beyond it.
bool is_about_the_proxy(const FailedExchange& failed) {
  if (!failed.proxy) return false;
  if (!failed.progress.connected) return true;
  const bool proxy_speaks_tls = failed.proxy->kind == ProxyKind::https;
  return proxy_speaks_tls && failed.tls && failed.tls->handshakes_begun <= 1 && !failed.progress.request_sent;
}

std::string next_hop(const FailedExchange& failed) {
  if (!failed.proxy || !is_about_the_proxy(failed)) return destination(failed);
  return fmt::format("the proxy {}", host_and_port(failed.proxy->host, failed.proxy->port));
}

const char* field_of(const FailedExchange& failed) {
  return is_about_the_proxy(failed) ? "/proxy" : "/endpoint";
}
const char* member_of(const FailedExchange& failed) {
  return is_about_the_proxy(failed) ? "proxy" : "endpoint";
}

Error with_reason(ErrorCode code, std::string reason, std::string field, std::string message, std::string remedy) {
  return Error(code, std::move(message))
      .with_reason(std::move(reason))
      .with_field(std::move(field))
      .with_remedy(std::move(remedy));
}

HttpStage stage_of(const FailedExchange& failed) {
  const Progress& progress = failed.progress;
  // libcurl repeats a request by itself when its kept-alive connection turns out to be dead: what the first attempt
  // reached says nothing about a second one that found no name or no listener.
  if (failed.code == CURLE_COULDNT_RESOLVE_HOST || failed.code == CURLE_COULDNT_RESOLVE_PROXY) return HttpStage::dns;
  if (failed.code == CURLE_COULDNT_CONNECT && progress.request_sent) return HttpStage::tcp;
  if (progress.request_sent) return HttpStage::http;
  if (!progress.looked_up) return HttpStage::dns;
  if (!progress.connected) return HttpStage::tcp;
  const bool destination_tls_begun =
      failed.url.scheme == "https" && failed.tls && failed.tls->handshakes_begun > 0 && !is_about_the_proxy(failed);
  if (destination_tls_begun) return HttpStage::tls;
  if (failed.proxy) return HttpStage::proxy;
  return failed.url.scheme == "https" ? HttpStage::tls : HttpStage::http;
}

// --- DNS and TCP
// ------------------------------------------------------------------------------------------------------

Error name_not_found(const FailedExchange& failed) {
  const bool about_proxy = failed.code == CURLE_COULDNT_RESOLVE_PROXY || is_about_the_proxy(failed);
  const std::string& host = about_proxy && failed.proxy ? failed.proxy->host : failed.url.host;
  return with_reason(ErrorCode::unavailable, "connectivity.dns_not_found", about_proxy ? "/proxy" : "/endpoint",
                     fmt::format("the name {} does not resolve on this machine", host),
                     fmt::format("check the host in {}, and this machine's name servers: getent ahosts {}",
                                 about_proxy ? "proxy" : "endpoint", host));
}

Error not_connected(const FailedExchange& failed) {
  const std::string where = next_hop(failed);
  const std::string field = field_of(failed);
  const bool about_proxy = is_about_the_proxy(failed);
  switch (failed.os_error) {
    case ECONNREFUSED:
      return with_reason(ErrorCode::unavailable, about_proxy ? "connectivity.proxy_refused" : "connectivity.refused",
                         field, fmt::format("{} refused the connection: nothing listens on that port", where),
                         fmt::format("check the port in {}, and that the service runs", member_of(failed)));
    case ETIMEDOUT:
      return with_reason(ErrorCode::deadline_exceeded, "connectivity.timeout", field,
                         fmt::format("{} did not answer the connection attempt", where),
                         "look for a firewall between this machine and it, or set proxy if one is needed");
    case ECONNRESET:
    case EPIPE:
      return with_reason(ErrorCode::unavailable, "connectivity.reset", field,
                         fmt::format("{} reset the connection while it was being opened", where),
                         "look for a firewall or load balancer that ends connections");
    default:
      return with_reason(ErrorCode::unavailable, "connectivity.unreachable", field,
                         fmt::format("{} cannot be reached from this machine", where),
                         fmt::format("check the host in {}, this machine's routes and firewall, or set proxy if one is "
                                     "needed",
                                     member_of(failed)));
  }
}

// --- proxy
// ------------------------------------------------------------------------------------------------------------

Error proxy_refused(const FailedExchange& failed) {
  const std::string proxy = failed.proxy ? failed.proxy->to_string() : "the proxy";
  constexpr long kProxyAuthenticationRequired = 407;
  std::string message = fmt::format("the proxy {} refused to connect to {}", proxy, destination(failed));
  if (failed.proxy_status != 0) message += fmt::format(": it answered {}", failed.proxy_status);
  std::string remedy =
      fmt::format("let the proxy allow {}, use another proxy, or list the host in noProxy", failed.url.host);
  if (failed.proxy_status == kProxyAuthenticationRequired) {
    remedy = "the proxy wants a user name and password: give it the credential it expects";
  }
  return with_reason(ErrorCode::unavailable, "connectivity.proxy_refused", "/proxy", std::move(message),
                     std::move(remedy));
}

// --- TLS
// --------------------------------------------------------------------------------------------------------------

std::string names_of(const CertificateFacts& facts) {
  std::string text;
  std::size_t shown = 0;
  for (const std::string& name : facts.names) {
    if (shown == kMaxQuotedNames) {
      text += ", …";
      break;
    }
    text += (shown++ == 0 ? "" : ", ") + quoted(name);
  }
  return text.empty() ? "no name at all" : text;
}

std::string which_certificate(const FailedExchange& failed, const CertificateRefusal& refusal) {
  if (refusal.culprit_is_leaf) return fmt::format("the certificate of {}", next_hop(failed));
  return fmt::format("the authority certificate \"{}\" in the chain of {}", quoted(refusal.culprit.subject),
                     next_hop(failed));
}

Error certificate_refused(const FailedExchange& failed, const CertificateRefusal& refusal) {
  const std::string endpoint_field = field_of(failed);
  const std::string issuer = quoted(refusal.culprit.issuer);
  std::string reason;
  std::string field = endpoint_field;
  std::string message;
  std::string remedy;
  switch (refusal.fault) {
    case CertificateFault::not_yet_valid:
      reason = "tls.not_yet_valid";
      message = fmt::format("{} is not valid before {}", which_certificate(failed, refusal),
                            to_rfc3339(refusal.culprit.not_before));
      remedy = "check this machine's clock; if it is right, the server must serve a certificate that is valid now";
      break;
    case CertificateFault::expired:
      reason = "tls.expired";
      message =
          fmt::format("{} expired on {}", which_certificate(failed, refusal), to_rfc3339(refusal.culprit.not_after));
      remedy = "renew that certificate on the server";
      break;
    case CertificateFault::hostname_mismatch:
      reason = "tls.hostname_mismatch";
      message = fmt::format("the certificate of {} is for {}; not for {}", next_hop(failed), names_of(refusal.leaf),
                            refusal.checked_name.empty() ? failed.url.host : refusal.checked_name);
      remedy = fmt::format("use one of those names in {}, or let the server's certificate name this host",
                           member_of(failed));
      break;
    case CertificateFault::self_signed:
      reason = "tls.self_signed";
      field = "/caBundle";
      message =
          fmt::format("the certificate of {} is signed with its own key, so nobody vouches for it", next_hop(failed));
      remedy = "after comparing its fingerprint with the server's operator, put that certificate into caBundle";
      break;
    case CertificateFault::unknown_authority:
      reason = "tls.unknown_authority";
      field = "/caBundle";
      message = fmt::format("the certificate of {} was issued by \"{}\", which is not trusted here", next_hop(failed),
                            issuer);
      remedy = fmt::format("put the certificate of the authority \"{}\" into caBundle", issuer);
      break;
    case CertificateFault::incomplete_chain:
      reason = "tls.incomplete_chain";
      message =
          fmt::format("{} sends only its own certificate, without that of its issuer \"{}\"", next_hop(failed), issuer);
      remedy =
          "let the server send the full chain (its certificate, then the intermediates), or put the issuer's "
          "certificate into caBundle";
      break;
    case CertificateFault::other:
      reason = "tls.handshake_failed";
      message =
          fmt::format("{} is not acceptable: {}", which_certificate(failed, refusal), quoted(refusal.explanation));
      remedy =
          "let the server serve a certificate that is fit for TLS servers, with a key and signature of today's "
          "strength";
      break;
  }
  return with_reason(ErrorCode::unavailable, std::move(reason), std::move(field), std::move(message), std::move(remedy))
      .with_detail("subject", quoted(refusal.leaf.subject))
      .with_detail("issuer", quoted(refusal.leaf.issuer))
      .with_detail("names", names_of(refusal.leaf))
      .with_detail("notBefore", to_rfc3339(refusal.leaf.not_before))
      .with_detail("notAfter", to_rfc3339(refusal.leaf.not_after));
}

// RFC 8446, section 6.2, and for the older ones RFC 5246, section 7.2.2.
constexpr int kAlertHandshakeFailure = 40;
constexpr int kAlertProtocolVersion = 70;
constexpr int kAlertCertificateRequired = 116;
constexpr std::array kAlertsAboutACertificate{42, 43, 44, 45, 46, 48, 49, kAlertCertificateRequired};

std::optional<int> alert_of(const FailedExchange& failed) {
  return failed.tls ? failed.tls->fatal_alert : std::nullopt;
}

/// Whether the peer ended the connection because of the client certificate, or because there was none.
bool client_certificate_was_refused(const FailedExchange& failed) {
  const std::optional<int> alert = alert_of(failed);
  if (!alert) return false;
  if (alert == kAlertCertificateRequired) return true;
  if (!failed.tls->client_certificate_requested) return false;
  if (std::ranges::find(kAlertsAboutACertificate, *alert) != kAlertsAboutACertificate.end()) return true;
  // Servers speaking TLS 1.2 say no more than this when the certificate they asked for does not come.
  return alert == kAlertHandshakeFailure && !failed.has_client_certificate;
}

/// With TLS 1.3 the client has finished its handshake, and sent its request, before the server has looked at the client
/// certificate. A server that then closes with the request unread resets the connection, and its alert may be lost.
bool client_certificate_was_probably_refused(const FailedExchange& failed) {
  const bool was_reset = failed.os_error == ECONNRESET || failed.os_error == EPIPE;
  return was_reset && failed.connections_opened > 0 && failed.progress.header_bytes == 0 && failed.tls &&
         failed.tls->client_certificate_requested && failed.tls->version == "TLSv1.3";
}

Error client_certificate_refused(const FailedExchange& failed) {
  const std::optional<int> alert = alert_of(failed);
  const std::string words = alert ? SSL_alert_desc_string_long(*alert) : "it asked for one and reset the connection";
  if (is_about_the_proxy(failed)) {
    return with_reason(
        ErrorCode::unavailable, "tls.client_certificate_refused", "/proxy",
        fmt::format("{} wants a client certificate; the hub shows one to the destination only", next_hop(failed)),
        "use a proxy that takes a user name and password, or none");
  }
  if (!failed.has_client_certificate) {
    return with_reason(ErrorCode::unavailable, "tls.client_certificate_refused", "/clientCertificate",
                       fmt::format("{} wants a client certificate, and none is configured", next_hop(failed)),
                       "set clientCertificate and a credential with its private key");
  }
  return with_reason(ErrorCode::unavailable, "tls.client_certificate_refused", "/clientCertificate",
                     fmt::format("{} refused the client certificate: {}", next_hop(failed), words),
                     "use a client certificate that is valid and issued by an authority the server accepts");
}

Error handshake_failed(const FailedExchange& failed) {
  const std::string where = next_hop(failed);
  const std::string field = field_of(failed);
  const std::string& words = failed.curl_message;
  const auto says = [&](std::string_view part) { return words.find(part) != std::string::npos; };
  const std::optional<int> alert = alert_of(failed);
  if (says("wrong version number") || says("packet length too long") || says("http request")) {
    return with_reason(ErrorCode::unavailable, "tls.handshake_failed", field,
                       fmt::format("{} does not speak TLS", where),
                       fmt::format("check scheme and port in {}: is it an http:// service?", member_of(failed)));
  }
  if (says("unsupported protocol") || alert == kAlertProtocolVersion) {
    return with_reason(ErrorCode::unavailable, "tls.handshake_failed", field,
                       fmt::format("{} does not speak TLS 1.2 or later", where), "enable TLS 1.2 or 1.3 on the server");
  }
  std::string why = "it closed the connection";
  if (alert) {
    why = fmt::format("it sent the alert \"{}\"", SSL_alert_desc_string_long(*alert));
  } else if (const std::size_t colon = words.rfind("SSL routines:"); colon != std::string::npos) {
    std::string_view text = std::string_view(words).substr(colon + std::string_view("SSL routines:").size());
    while (text.starts_with(':')) text.remove_prefix(1);
    if (!text.empty() && text.find("unexpected eof") == std::string_view::npos) why = quoted(text);
  }
  return with_reason(ErrorCode::unavailable, "tls.handshake_failed", field,
                     fmt::format("the TLS handshake with {} failed: {}", where, why),
                     "check that the port is the TLS port of this service, and that a TLS 1.2 or 1.3 cipher is shared");
}

Error tls_failed(const FailedExchange& failed) {
  if (const TlsWatch* const tls = failed.tls.get(); tls != nullptr && tls->refusal) {
    return certificate_refused(failed, *tls->refusal);
  }
  if (client_certificate_was_refused(failed)) return client_certificate_refused(failed);
  if (failed.code == CURLE_SSL_CERTPROBLEM) {
    return with_reason(ErrorCode::unavailable, "tls.bad_client_certificate", "/clientCertificate",
                       "clientCertificate: the certificate and its key cannot be used",
                       "give the certificate chain as PEM, the client's own certificate first, and its private key");
  }
  if (failed.code == CURLE_PEER_FAILED_VERIFICATION && (!failed.tls || !failed.tls->fatal_alert)) {
    return with_reason(
        ErrorCode::unavailable, "tls.hostname_mismatch", field_of(failed),
        fmt::format("the certificate of {} is not for that host", next_hop(failed)),
        fmt::format("use a name of the certificate in {}, or let the certificate name this host", member_of(failed)));
  }
  return handshake_failed(failed);
}

// --- HTTP
// -------------------------------------------------------------------------------------------------------------

std::string seconds(std::chrono::milliseconds length) {
  return fmt::format("{:.1f} s", static_cast<double>(length.count()) / 1000.0);
}

Error timed_out(const FailedExchange& failed) {
  const std::string field = field_of(failed);
  const std::string after = seconds(failed.elapsed);
  switch (stage_of(failed)) {
    case HttpStage::dns: {
      const std::string& host = failed.proxy ? failed.proxy->host : failed.url.host;
      return with_reason(ErrorCode::deadline_exceeded, "connectivity.dns_timeout", field,
                         fmt::format("the name servers did not answer for {} within {}", host, after),
                         fmt::format("check this machine's name servers: getent ahosts {}", host));
    }
    case HttpStage::tcp:
      return with_reason(ErrorCode::deadline_exceeded, "connectivity.timeout", field,
                         fmt::format("{} did not accept a connection within {}", next_hop(failed), after),
                         "look for a firewall between this machine and it, or set proxy if one is needed");
    case HttpStage::proxy:
      return with_reason(ErrorCode::deadline_exceeded, "connectivity.timeout", "/proxy",
                         fmt::format("the proxy {} did not open the way to {} within {}",
                                     failed.proxy ? failed.proxy->to_string() : "", destination(failed), after),
                         "check that proxy names an HTTP proxy, and that it can reach the host");
    case HttpStage::tls:
      return with_reason(ErrorCode::deadline_exceeded, "tls.timeout", field,
                         fmt::format("{} accepted the connection, but did not finish the TLS handshake within {}",
                                     next_hop(failed), after),
                         "check that the port is the TLS port of this service; the server may be overloaded");
    case HttpStage::http:
      break;
  }
  const Progress& progress = failed.progress;
  std::string how_far = "sent nothing";
  if (progress.headers_complete) {
    how_far = fmt::format("stopped after {} bytes of the body", progress.body_bytes);
  } else if (progress.header_bytes > 0) {
    how_far = "stopped within the headers";
  }
  return with_reason(ErrorCode::deadline_exceeded, "http.timeout", "/endpoint",
                     fmt::format("{} was asked, but {} within {}", destination(failed), how_far, after),
                     "the server is slow or stuck: look at its load, or allow more time with timeout");
}

Error malformed(const FailedExchange& failed) {
  return with_reason(
      ErrorCode::vendor_failure, "http.malformed", "/endpoint",
      fmt::format("{} answered something that is not HTTP/1.1: {}", destination(failed), quoted(failed.curl_message)),
      "check that endpoint names the API of this service, not another protocol's port");
}

Error connection_lost(const FailedExchange& failed) {
  const std::string where = destination(failed);
  if (failed.os_error == ECONNRESET || failed.os_error == EPIPE) {
    return with_reason(ErrorCode::unavailable, "connectivity.reset", "/endpoint",
                       fmt::format("{} reset the connection before its answer was complete", where),
                       "look at the server's log, and for a firewall or load balancer that ends connections");
  }
  std::string message = fmt::format("{} closed the connection before its answer was complete", where);
  std::string remedy = "look at the server's log; a load balancer may end connections early";
  if (failed.code == CURLE_ABORTED_BY_CALLBACK) {
    message += fmt::format("; the {} was not repeated, because it may have been carried out", failed.method);
    remedy = "find out at the remote system whether it was carried out, then repeat it if not";
  }
  return with_reason(ErrorCode::unavailable, "http.connection_closed", "/endpoint", std::move(message),
                     std::move(remedy));
}

Error too_large(const FailedExchange& failed) {
  if (failed.body_too_large) {
    return with_reason(ErrorCode::vendor_failure, "http.body_too_large", "/endpoint",
                       fmt::format("{} answered more than {} bytes", destination(failed), failed.max_body_bytes),
                       "ask for less, for example a smaller page");
  }
  return with_reason(
      ErrorCode::vendor_failure, "http.headers_too_large", "/endpoint",
      fmt::format("{} answered more than {} bytes of headers", destination(failed), failed.max_header_bytes),
      "look for a proxy or server that adds large headers, such as cookies");
}

/// libcurl reports some framing errors as receive errors, told apart only by their text.
bool is_framing_error(const FailedExchange& failed) {
  return failed.code == CURLE_RECV_ERROR && failed.os_error == 0 &&
         failed.curl_message.find("hunk") != std::string::npos;
}

Error explain(const FailedExchange& failed) {
  if (failed.body_too_large || failed.headers_too_large) return too_large(failed);
  const HttpStage stage = stage_of(failed);
  switch (failed.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return name_not_found(failed);
    case CURLE_COULDNT_CONNECT:
      if (failed.denied_address) return *failed.denied_address;
      return stage == HttpStage::proxy ? proxy_refused(failed) : not_connected(failed);
    case CURLE_OPERATION_TIMEDOUT:
      if (failed.denied_address && !failed.progress.connected) return *failed.denied_address;
      return timed_out(failed);
    case CURLE_PROXY:
      return proxy_refused(failed);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
      return tls_failed(failed);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
      return malformed(failed);
    // A line of the head that outgrows libcurl's own buffer is reported as a lack of memory.
    case CURLE_OUT_OF_MEMORY:
      return failed.progress.request_sent ? too_large(failed) : not_connected(failed);
    default:
      break;
  }
  if (client_certificate_was_refused(failed) || client_certificate_was_probably_refused(failed)) {
    return client_certificate_refused(failed);
  }
  if (stage == HttpStage::proxy) return proxy_refused(failed);
  if (stage == HttpStage::tls) return tls_failed(failed);
  if (stage == HttpStage::dns || stage == HttpStage::tcp) return not_connected(failed);
  return is_framing_error(failed) ? malformed(failed) : connection_lost(failed);
}

}  // namespace

Diagnosis diagnose(const FailedExchange& failed) {
  Error error =
      explain(failed).with_detail("host", failed.url.host).with_detail("port", std::to_string(failed.url.port));
  HttpStage stage = stage_of(failed);
  // With TLS 1.3 a refused client certificate shows only when the answer is awaited.
  if (error.reason().starts_with("tls.")) stage = HttpStage::tls;
  if (error.reason() == "connectivity.address_denied") stage = HttpStage::tcp;
  if (failed.peer_address.empty()) return {.error = std::move(error), .stage = stage};
  return {.error = std::move(error).with_detail("address", failed.peer_address), .stage = stage};
}

}  // namespace inthub::transport
