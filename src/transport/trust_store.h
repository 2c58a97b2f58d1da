#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "foundation/result.h"
#include "transport/c_handles.h"

namespace inthub::transport {

/// Trust stores, each parsed once: the system's authorities, alone or with the extra ones of a CA bundle. Certificates
/// of the system are shared between all stores. An authority below a root counts as a trust anchor too, so a bundle may
/// hold an intermediate, or a server's self-signed certificate. Not thread-safe.
class TrustStores {
 public:
  static constexpr std::size_t kMaxStores = 256;  ///< the least recently used one goes
  static constexpr std::size_t kMaxBundleBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMaxSystemFileBytes = std::size_t{16} << 20;

  /// The file is read by the first call of store_for(). One that cannot be read is logged as an error and leaves only
  /// the authorities of the bundles.
  explicit TrustStores(std::string system_ca_file) : system_ca_file_(std::move(system_ca_file)) {}

  /// The system's authorities and those of `bundle_pem` (empty: none). Errors: unavailable, reason "tls.bad_ca_bundle".
  Result<TrustStorePtr> store_for(std::string_view bundle_pem);
  std::size_t size() const { return by_digest_.size(); }

 private:
  void load_system_authorities();

  std::string system_ca_file_;
  bool system_loaded_ = false;
  std::vector<Certificate> system_;
  std::list<std::pair<std::string, TrustStorePtr>> recent_;  ///< most recently used first; SHA-256 of the bundle
  std::unordered_map<std::string, decltype(recent_)::iterator> by_digest_;
};

/// Whether `chain_pem` (leaf first) and `key_pem` make a client certificate: both parse, the key is not encrypted, and
/// belongs to the leaf. Errors: unavailable, reason "tls.bad_client_certificate". Pure.
Result<void> check_client_certificate(std::string_view chain_pem, std::string_view key_pem);

}  // namespace inthub::transport
