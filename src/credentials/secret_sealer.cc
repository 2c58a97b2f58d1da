#include "credentials/secret_sealer.h"

#include <array>
#include <stdexcept>

#include <fmt/format.h>
#include <sodium.h>

#include "credentials/master_key.h"
#include "foundation/encoding.h"

namespace inthub {
namespace {

// A sealed value is: format (1 byte), nonce (24 bytes), ciphertext, tag (16 bytes).
constexpr char kFormat = 1;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kOverhead = 1 + kNonceBytes + kTagBytes;
constexpr std::size_t kKeyIdBytes = 8;
static_assert(kMasterKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

unsigned char* as_bytes(char* text) {
  return reinterpret_cast<unsigned char*>(text);
}
const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// What ties a sealed value to its row.
std::string associated_data(TenantId tenant, CredentialId id) {
  std::string data = "inthub credential";
  data += kFormat;
  data.append(tenant.uuid().bytes.begin(), tenant.uuid().bytes.end());
  data.append(id.uuid().bytes.begin(), id.uuid().bytes.end());
  return data;
}

std::string make_key_id(const MasterKey& key) {
  std::array<unsigned char, crypto_generichash_BYTES> hash{};
  crypto_generichash(hash.data(), hash.size(), key.get(), kMasterKeyBytes, nullptr, 0);
  return hex_encode({reinterpret_cast<const char*>(hash.data()), kKeyIdBytes});
}

std::unexpected<Error> unsealable(std::string message, std::string remedy) {
  return fail(Error(ErrorCode::internal, std::move(message))
                  .with_reason("credential.unsealable")
                  .with_remedy(std::move(remedy)));
}

}  // namespace

struct SecretSealer::Impl {
  explicit Impl(MasterKey made) : key(std::move(made)), key_id(make_key_id(key)) {}
  MasterKey key;
  std::string key_id;
};

SecretSealer::SecretSealer() = default;
SecretSealer::~SecretSealer() = default;

Result<std::unique_ptr<SecretSealer>> SecretSealer::load(const std::filesystem::path& key_file, bool may_create) {
  auto key = load_master_key(key_file, may_create);
  if (!key) return fail(std::move(key).error());
  std::unique_ptr<SecretSealer> sealer(new SecretSealer);
  sealer->impl_ = std::make_unique<Impl>(*std::move(key));
  return sealer;
}

std::unique_ptr<SecretSealer> SecretSealer::from_key_for_test(const std::string& key) {
  if (key.size() != kMasterKeyBytes) throw std::invalid_argument("a master key has 32 bytes");
  std::unique_ptr<SecretSealer> sealer(new SecretSealer);
  sealer->impl_ = std::make_unique<Impl>(make_master_key(key));
  return sealer;
}

const std::string& SecretSealer::key_id() const {
  return impl_->key_id;
}

std::string SecretSealer::seal(TenantId tenant, CredentialId id, const Secret& secret) const {
  const std::string_view plain = secret.reveal();
  const std::string data = associated_data(tenant, id);
  std::string sealed(plain.size() + kOverhead, '\0');
  sealed[0] = kFormat;
  unsigned char* nonce = as_bytes(sealed.data() + 1);
  randombytes_buf(nonce, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonceBytes, nullptr, as_bytes(plain), plain.size(),
                                             as_bytes(data), data.size(), nullptr, nonce, impl_->key.get());
  return sealed;
}

Result<SecretPtr> SecretSealer::open(TenantId tenant, CredentialId id, std::string_view sealed,
                                     std::string_view key_id) const {
  if (key_id != impl_->key_id) {
    return unsealable(
        fmt::format("the secret was sealed under master key {:.16}, but the hub runs with {}", key_id, impl_->key_id),
        "start the hub with that master key, or store the secret again");
  }
  const std::string remedy = "restore the record from a backup, or store the secret again";
  if (sealed.size() < kOverhead) return unsealable("the sealed secret is cut short", remedy);
  if (sealed[0] != kFormat) return unsealable("the sealed secret has a format this version does not know", remedy);
  const std::string data = associated_data(tenant, id);
  const unsigned char* nonce = as_bytes(sealed.substr(1));
  std::string plain(sealed.size() - kOverhead, '\0');
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(as_bytes(plain.data()), nullptr, nullptr,
                                                                nonce + kNonceBytes, sealed.size() - 1 - kNonceBytes,
                                                                as_bytes(data), data.size(), nonce, impl_->key.get());
  if (opened != 0) return unsealable("the sealed secret was changed, or belongs to another record", remedy);
  return make_secret(std::move(plain));
}

}  // namespace inthub
