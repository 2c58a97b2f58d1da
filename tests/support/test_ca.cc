#include "support/test_ca.h"

#include <cctype>
#include <ctime>
#include <fstream>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace inthub::testing_support {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const noexcept {
    Free(pointer);
  }
};
using Certificate = std::unique_ptr<X509, Deleter<&X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Deleter<&BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<&X509_EXTENSION_free>>;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

Key make_key() {
  Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "make a key");
  return key;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(bio.get(), certificate) == 1, "write a certificate");
  return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "write a key");
  return text_of(bio.get());
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

/// A certificate without issuer, extensions and signature.
Certificate blank(EVP_PKEY* key, const std::string& common_name, std::chrono::seconds from,
                  std::chrono::seconds until) {
  Certificate certificate(X509_new());
  require(certificate != nullptr, "make a certificate");
  X509_set_version(certificate.get(), X509_VERSION_3);
  unsigned char serial[8];
  require(RAND_bytes(serial, sizeof serial) == 1, "random serial number");
  std::uint64_t number = 0;
  for (const unsigned char byte : serial) number = number << 8U | byte;
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), number >> 1U);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), static_cast<long>(from.count()));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), static_cast<long>(until.count()));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const bool is_address = name.find(':') != std::string::npos ||
                            (!name.empty() && name.find_first_not_of("0123456789.") == std::string::npos);
    text += (text.empty() ? "" : ",") + std::string(is_address ? "IP:" : "DNS:") + name;
  }
  return text;
}

Certificate leaf(EVP_PKEY* key, const LeafOptions& options) {
  return blank(key, options.common_name, options.valid_from, options.valid_until);
}

void finish_leaf(X509* certificate, X509* issuer, EVP_PKEY* issuer_key, const LeafOptions& options) {
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  if (!options.names.empty()) {
    add_extension(certificate, issuer, NID_subject_alt_name, alternative_names(options.names));
  }
  require(X509_sign(certificate, issuer_key, EVP_sha256()) > 0, "sign");
}

std::filesystem::path write_file(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return file;
}

}  // namespace

struct TestCa::Impl {
  Key key;
  Certificate certificate;
  std::string pem;
  std::string intermediates_pem;  ///< this and its issuers up to, not including, the root

  bool is_root() const { return intermediates_pem.empty(); }
};

TestCa::TestCa(const std::string& common_name) : impl_(std::make_unique<Impl>()) {
  impl_->key = make_key();
  impl_->certificate = blank(impl_->key.get(), common_name, -std::chrono::hours(24), std::chrono::hours(24 * 365));
  X509* const certificate = impl_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  require(X509_sign(certificate, impl_->key.get(), EVP_sha256()) > 0, "sign");
  impl_->pem = pem_of(certificate);
}
TestCa::TestCa(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TestCa::TestCa(TestCa&&) noexcept = default;
TestCa& TestCa::operator=(TestCa&&) noexcept = default;
TestCa::~TestCa() = default;

const std::string& TestCa::certificate_pem() const {
  return impl_->pem;
}

TestCa TestCa::intermediate(const std::string& common_name) const {
  auto made = std::make_unique<Impl>();
  made->key = make_key();
  made->certificate = blank(made->key.get(), common_name, -std::chrono::hours(24), std::chrono::hours(24 * 365));
  X509* const certificate = made->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(impl_->certificate.get()));
  add_extension(certificate, impl_->certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, impl_->certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, impl_->certificate.get(), NID_subject_key_identifier, "hash");
  require(X509_sign(certificate, impl_->key.get(), EVP_sha256()) > 0, "sign");
  made->pem = pem_of(certificate);
  made->intermediates_pem = made->pem + impl_->intermediates_pem;
  return TestCa(std::move(made));
}

Identity TestCa::issue(const LeafOptions& options) const {
  const Key key = make_key();
  const Certificate certificate = leaf(key.get(), options);
  add_extension(certificate.get(), impl_->certificate.get(), NID_authority_key_identifier, "keyid");
  if (!impl_->is_root()) {
    add_extension(certificate.get(), impl_->certificate.get(), NID_info_access,
                  "caIssuers;URI:http://ca.invalid/intermediate.crt");
  }
  finish_leaf(certificate.get(), impl_->certificate.get(), impl_->key.get(), options);
  const std::string pem = pem_of(certificate.get());
  return {.certificate_pem = pem, .chain_pem = pem + impl_->intermediates_pem, .key_pem = pem_of(key.get())};
}

Identity TestCa::self_signed(const LeafOptions& options) {
  const Key key = make_key();
  const Certificate certificate = leaf(key.get(), options);
  finish_leaf(certificate.get(), certificate.get(), key.get(), options);
  const std::string pem = pem_of(certificate.get());
  return {.certificate_pem = pem, .chain_pem = pem, .key_pem = pem_of(key.get())};
}

std::filesystem::path TestCa::write_to(const std::filesystem::path& directory, std::string_view name) const {
  return write_file(directory / (std::string(name) + ".pem"), impl_->pem);
}

Identity::Files Identity::write_to(const std::filesystem::path& directory, std::string_view name) const {
  return {.chain = write_file(directory / (std::string(name) + ".pem"), chain_pem),
          .key = write_file(directory / (std::string(name) + ".key"), key_pem)};
}

std::string encrypted_copy(const std::string& key_pem) {
  const Bio source(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  const Key key(PEM_read_bio_PrivateKey(source.get(), nullptr, nullptr, nullptr));
  require(key != nullptr, "read a key");
  char passphrase[32];
  require(RAND_bytes(reinterpret_cast<unsigned char*>(passphrase), sizeof passphrase) == 1, "random passphrase");
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), EVP_aes_256_cbc(), passphrase, sizeof passphrase, nullptr,
                                        nullptr) == 1,
          "encrypt a key");
  return text_of(bio.get());
}

}  // namespace inthub::testing_support
