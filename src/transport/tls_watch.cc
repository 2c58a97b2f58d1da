#include "transport/tls_watch.h"

#include <ctime>
#include <string_view>

#include <boost/asio/ip/address.hpp>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace inthub::transport {
namespace {

using SharedWatch = std::shared_ptr<TlsWatch>;
using Names = CHandle<GENERAL_NAMES, &GENERAL_NAMES_free>;
using AccessDescriptions = CHandle<AUTHORITY_INFO_ACCESS, &AUTHORITY_INFO_ACCESS_free>;

constexpr std::size_t kMaxNameBytes = 256;
constexpr unsigned kNameCheck = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

void free_watch(void*, void* watch, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<SharedWatch*>(watch);
}

int watch_slot() {
  static const int slot = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, &free_watch);
  return slot;
}

TlsWatch* watch_of(const SSL* session) {
  auto* const watch = static_cast<SharedWatch*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), watch_slot()));
  return watch != nullptr ? watch->get() : nullptr;
}

Timestamp time_of(const ASN1_TIME* time) {
  std::tm broken_down{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &broken_down) != 1) return {};
  return std::chrono::time_point_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::from_time_t(timegm(&broken_down)));
}

/// The common name, or the whole name when there is none.
std::string text_of(const X509_NAME* name) {
  if (name == nullptr) return {};
  char common_name[kMaxNameBytes];
  if (X509_NAME_get_text_by_NID(name, NID_commonName, common_name, sizeof common_name) > 0) return common_name;
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size)).substr(0, kMaxNameBytes);
}

std::string text_of(const GENERAL_NAME* name) {
  if (name->type == GEN_DNS) {
    const ASN1_IA5STRING* const text = name->d.dNSName;
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)))
        .substr(0, kMaxNameBytes);
  }
  if (name->type != GEN_IPADD) return {};
  const unsigned char* const bytes = ASN1_STRING_get0_data(name->d.iPAddress);
  const auto size = static_cast<std::size_t>(ASN1_STRING_length(name->d.iPAddress));
  boost::asio::ip::address_v4::bytes_type v4;
  boost::asio::ip::address_v6::bytes_type v6;
  if (size == v4.size()) {
    std::copy_n(bytes, size, v4.begin());
    return boost::asio::ip::address_v4(v4).to_string();
  }
  if (size == v6.size()) {
    std::copy_n(bytes, size, v6.begin());
    return boost::asio::ip::address_v6(v6).to_string();
  }
  return {};
}

CertificateFacts facts_of(const X509* certificate) {
  CertificateFacts facts;
  if (certificate == nullptr) return facts;
  facts.subject = text_of(X509_get_subject_name(certificate));
  facts.issuer = text_of(X509_get_issuer_name(certificate));
  facts.not_before = time_of(X509_get0_notBefore(certificate));
  facts.not_after = time_of(X509_get0_notAfter(certificate));
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count && facts.names.size() < CertificateFacts::kMaxNames; ++i) {
    if (std::string text = text_of(sk_GENERAL_NAME_value(names.get(), i)); !text.empty()) {
      facts.names.push_back(std::move(text));
    }
  }
  return facts;
}

/// Whether the certificate hints at an issuer that is not a root: it says where to fetch its issuer (public authorities
/// do), or its authority key identifier names an issuer's issuer other than the issuer itself.
bool hints_at_an_intermediate(X509* certificate) {
  const AccessDescriptions access(
      static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(certificate, NID_info_access, nullptr, nullptr)));
  const int count = access ? sk_ACCESS_DESCRIPTION_num(access.get()) : 0;
  for (int i = 0; i < count; ++i) {
    if (OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access.get(), i)->method) == NID_ad_ca_issuers) return true;
  }
  const GENERAL_NAMES* const above = X509_get0_authority_issuer(certificate);
  for (int i = 0; above != nullptr && i < sk_GENERAL_NAME_num(above); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(above, i);
    if (name->type != GEN_DIRNAME) continue;
    if (X509_NAME_cmp(name->d.directoryName, X509_get_issuer_name(certificate)) != 0) return true;
  }
  return false;
}

/// What the certificate must be for. TLS names the host it connects to, except for IP literals; with an https proxy
/// there are two hosts, and this is the one of the handshake going on.
std::string name_to_check(const SSL* session, const TlsWatch& watch) {
  const char* const server_name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  return server_name != nullptr ? std::string(server_name) : watch.host_literal;
}

bool is_for(X509* certificate, const std::string& name) {
  if (name.empty()) return true;  // unknown here; libcurl compares the name after the handshake
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(name, not_an_address);
  if (!not_an_address) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  return X509_check_host(certificate, name.c_str(), name.size(), kNameCheck, nullptr) == 1;
}

CertificateFault fault_of(int error, X509_STORE_CTX* verification) {
  switch (error) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
      return CertificateFault::not_yet_valid;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
      return CertificateFault::expired;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return CertificateFault::hostname_mismatch;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return CertificateFault::self_signed;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_CERT_UNTRUSTED:
      return CertificateFault::unknown_authority;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
      // A server that sends its own certificate alone may do so rightly, when a root issued it.
      const bool leaf_alone = sk_X509_num(X509_STORE_CTX_get0_untrusted(verification)) <= 1;
      return leaf_alone && hints_at_an_intermediate(X509_STORE_CTX_get0_cert(verification))
                 ? CertificateFault::incomplete_chain
                 : CertificateFault::unknown_authority;
    }
    default:
      return CertificateFault::other;
  }
}

bool is_about_the_issuer(CertificateFault fault) {
  return fault == CertificateFault::self_signed || fault == CertificateFault::unknown_authority ||
         fault == CertificateFault::incomplete_chain;
}

void note_refusal(TlsWatch& watch, const SSL* session, X509_STORE_CTX* verification) {
  if (watch.refusal) return;
  const int error = X509_STORE_CTX_get_error(verification);
  X509* const leaf = X509_STORE_CTX_get0_cert(verification);
  X509* const current = X509_STORE_CTX_get_current_cert(verification);
  CertificateRefusal refusal{.fault = fault_of(error, verification),
                             .explanation = X509_verify_cert_error_string(error),
                             .checked_name = name_to_check(session, watch),
                             .leaf = facts_of(leaf),
                             .culprit = facts_of(current != nullptr ? current : leaf),
                             .culprit_is_leaf = current == nullptr || current == leaf};
  // OpenSSL stops at the issuer before it looks at dates and names. Those say more about what to do: a new authority in
  // the CA bundle does not help a certificate that expired or belongs to another host.
  if (leaf != nullptr && is_about_the_issuer(refusal.fault)) {
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) {
      refusal.fault = CertificateFault::not_yet_valid;
    } else if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0) {
      refusal.fault = CertificateFault::expired;
    } else if (!is_for(leaf, refusal.checked_name)) {
      refusal.fault = CertificateFault::hostname_mismatch;
    }
    if (!is_about_the_issuer(refusal.fault)) {
      refusal.culprit = refusal.leaf;
      refusal.culprit_is_leaf = true;
    }
  }
  watch.refusal = std::move(refusal);
}

int on_verification(int accepted, X509_STORE_CTX* verification) {
  auto* const session =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsWatch* const watch = session != nullptr ? watch_of(session) : nullptr;
  if (watch == nullptr) return 0;  // without a watch nothing has checked the name: refuse
  if (accepted == 1) {
    const bool is_leaf = X509_STORE_CTX_get_error_depth(verification) == 0;
    if (!is_leaf || is_for(X509_STORE_CTX_get0_cert(verification), name_to_check(session, *watch))) return 1;
    X509_STORE_CTX_set_error(verification, X509_V_ERR_HOSTNAME_MISMATCH);
  }
  note_refusal(*watch, session, verification);
  return 0;
}

void on_information(const SSL* session, int where, int value) {
  TlsWatch* const watch = watch_of(session);
  if (watch == nullptr) return;
  if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) {
    constexpr int kFatal = 2;
    if ((value >> 8) == kFatal) watch->fatal_alert = value & 0xff;
  } else if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
    ++watch->handshakes_done;
    watch->version = SSL_get_version(session);
  }
}

int on_certificate_request(SSL* session, void*) {
  if (TlsWatch* const watch = watch_of(session)) watch->client_certificate_requested = true;
  return 1;
}

}  // namespace

bool watch_tls(SSL_CTX* context, X509_STORE* store, std::shared_ptr<TlsWatch> watch) {
  ++watch->handshakes_begun;
  auto* const shared = new SharedWatch(std::move(watch));  // free_watch() deletes it with the context
  if (SSL_CTX_set_ex_data(context, watch_slot(), shared) != 1) {
    delete shared;
    return false;
  }
  SSL_CTX_set1_cert_store(context, store);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, &on_verification);
  SSL_CTX_set_info_callback(context, &on_information);
  SSL_CTX_set_cert_cb(context, &on_certificate_request, nullptr);
  return true;
}

}  // namespace inthub::transport
