#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <openssl/ssl.h>

#include "foundation/clock.h"
#include "transport/c_handles.h"

namespace inthub::transport {

/// What a certificate says, as far as a message needs it. Text from the peer: redact() it before it is shown.
struct CertificateFacts {
  std::string subject = {};
  std::string issuer = {};
  std::vector<std::string> names = {};  ///< DNS names and addresses of the SAN, at most kMaxNames
  Timestamp not_before{};
  Timestamp not_after{};

  static constexpr std::size_t kMaxNames = 16;
};

enum class CertificateFault : std::uint8_t {
  not_yet_valid,
  expired,
  hostname_mismatch,
  self_signed,
  unknown_authority,
  incomplete_chain,
  other,
};

/// Why a peer's certificate was refused.
struct CertificateRefusal {
  CertificateFault fault = CertificateFault::other;
  std::string explanation = {};   ///< OpenSSL's words
  std::string checked_name = {};  ///< the name or address that the certificate had to be for
  CertificateFacts leaf = {};
  CertificateFacts culprit = {};  ///< the certificate at fault: the leaf or one of its issuers
  bool culprit_is_leaf = true;
};

/// What happened in the TLS handshakes of one exchange. OpenSSL's contexts outlive the exchange on a kept-alive
/// connection, so they share it.
struct TlsWatch {
  std::string host_literal = {};  ///< the destination when it is an IP literal, which TLS does not name by itself
  int handshakes_begun = 0;       ///< with an https proxy the first is the proxy's
  int handshakes_done = 0;
  std::string version = {};             ///< of the last finished handshake
  std::optional<int> fatal_alert = {};  ///< received from the peer (RFC 8446, section 6)
  bool client_certificate_requested = false;
  std::optional<CertificateRefusal> refusal = {};
};

/// Makes connections of `context` verify against `store` and by name (RFC 9525: subject alternative names only), before
/// any client certificate is shown, and tell `watch` what happens. False when OpenSSL is out of memory.
bool watch_tls(SSL_CTX* context, X509_STORE* store, std::shared_ptr<TlsWatch> watch);

}  // namespace inthub::transport
