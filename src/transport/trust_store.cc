#include "transport/trust_store.h"

#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "foundation/encoding.h"
#include "foundation/log.h"

namespace inthub::transport {
namespace {

Bio reading(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// OpenSSL's default asks for a passphrase on the terminal, which would stop the thread.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

/// All certificates of a PEM text, other blocks skipped; nothing when a certificate is damaged.
std::optional<std::vector<Certificate>> parse_certificates(std::string_view pem) {
  std::vector<Certificate> certificates;
  const Bio bio = reading(pem);
  if (!bio) return std::nullopt;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, &no_passphrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_the_end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (!at_the_end) return std::nullopt;
  return certificates;
}

TrustStorePtr make_store() {
  TrustStorePtr store(X509_STORE_new(), &X509_STORE_free);
  // libcurl sets the same flags whenever it uses the store, so they are what it ends up with in any case.
  if (store) X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
  return store;
}

std::unexpected<Error> bad_bundle(std::string message) {
  return fail(
      Error(ErrorCode::unavailable, "caBundle: " + std::move(message))
          .with_reason("tls.bad_ca_bundle")
          .with_field("/caBundle")
          .with_remedy("put the issuing authority's certificate into caBundle as PEM: -----BEGIN CERTIFICATE----- …"));
}

std::unexpected<Error> bad_client_certificate(std::string message, std::string remedy) {
  return fail(Error(ErrorCode::unavailable, "clientCertificate: " + std::move(message))
                  .with_reason("tls.bad_client_certificate")
                  .with_field("/clientCertificate")
                  .with_remedy(std::move(remedy)));
}

}  // namespace

void TrustStores::load_system_authorities() {
  system_loaded_ = true;
  std::ifstream file(system_ca_file_, std::ios::binary);
  std::string text;
  if (file) {
    text.resize(kMaxSystemFileBytes);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
  }
  auto certificates = parse_certificates(text);
  if (certificates) system_ = *std::move(certificates);
  if (system_.empty()) {
    log::error("the system's CA certificates cannot be read: only integrations with a caBundle can be reached by https",
               {{"file", system_ca_file_}});
  }
}

Result<TrustStorePtr> TrustStores::store_for(std::string_view bundle_pem) {
  if (!system_loaded_) load_system_authorities();
  std::string digest = sha256(bundle_pem);
  if (const auto known = by_digest_.find(digest); known != by_digest_.end()) {
    recent_.splice(recent_.begin(), recent_, known->second);
    return known->second->second;
  }

  TrustStorePtr store = make_store();
  if (!store) return bad_bundle("out of memory");
  for (const Certificate& authority : system_) X509_STORE_add_cert(store.get(), authority.get());
  if (!bundle_pem.empty()) {
    if (bundle_pem.size() > kMaxBundleBytes)
      return bad_bundle(fmt::format("at most {} bytes are accepted", kMaxBundleBytes));
    const auto extra = parse_certificates(bundle_pem);
    if (!extra) return bad_bundle("a certificate in it is damaged");
    if (extra->empty()) return bad_bundle("there is no certificate in it");
    for (const Certificate& authority : *extra) {
      if (X509_STORE_add_cert(store.get(), authority.get()) != 1)
        return bad_bundle("a certificate in it is not usable");
    }
  }
  recent_.emplace_front(digest, store);
  by_digest_.emplace(std::move(digest), recent_.begin());
  if (recent_.size() > kMaxStores) {
    by_digest_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return store;
}

Result<void> check_client_certificate(std::string_view chain_pem, std::string_view key_pem) {
  const auto chain = parse_certificates(chain_pem);
  if (!chain || chain->empty()) {
    return bad_client_certificate("it is not a PEM certificate",
                                  "give the certificate chain as PEM, the client's own certificate first");
  }
  if (key_pem.empty()) {
    return bad_client_certificate("its private key is missing",
                                  "let the credential hold the certificate's private key");
  }
  const Bio bio = reading(key_pem);
  const PrivateKey key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  if (!key) {
    const bool encrypted = key_pem.find("ENCRYPTED") != std::string_view::npos;
    return bad_client_certificate(encrypted ? "its private key is encrypted" : "its private key is not a PEM key",
                                  encrypted ? "store the key without passphrase; the hub seals credentials itself"
                                            : "let the credential hold the private key as PEM (PKCS#8)");
  }
  const bool belongs = X509_check_private_key(chain->front().get(), key.get()) == 1;
  ERR_clear_error();
  if (!belongs) {
    return bad_client_certificate("the private key does not belong to the first certificate of the chain",
                                  "put the client's own certificate first, or use the key it was issued for");
  }
  return {};
}

}  // namespace inthub::transport
