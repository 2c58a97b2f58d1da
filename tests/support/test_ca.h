#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace inthub::testing_support {

/// A certificate with its key, as PEM. Made in memory at run time: no key is ever a file of the project.
struct Identity {
  std::string certificate_pem;  ///< the leaf alone
  std::string chain_pem;        ///< the leaf, then the intermediates (never the root)
  std::string key_pem;

  struct Files {
    std::filesystem::path chain;
    std::filesystem::path key;
  };
  /// Writes `<name>.pem` and `<name>.key` into `directory`.
  Files write_to(const std::filesystem::path& directory, std::string_view name) const;
};

/// What a leaf certificate says. Times are relative to now.
struct LeafOptions {
  std::vector<std::string> names{"localhost", "127.0.0.1"};  ///< DNS names and IP addresses of the SAN
  std::string common_name = "test leaf";
  std::chrono::seconds valid_from = -std::chrono::hours(1);
  std::chrono::seconds valid_until = std::chrono::hours(24 * 60);
};

/// A certificate authority for tests (P-256 keys, so making one takes well under a millisecond):
///   TestCa ca;
///   PeerServer server(scripts::answer(...), {.tls = ca.issue({.names = {"localhost"}})});
///   profile.ca_bundle_pem = ca.certificate_pem();
/// Certificates below an intermediate name the place of their issuer (authority information access), as public ones do.
class TestCa {
 public:
  explicit TestCa(const std::string& common_name = "Test Root CA");
  TestCa(TestCa&&) noexcept;
  TestCa& operator=(TestCa&&) noexcept;
  ~TestCa();

  const std::string& certificate_pem() const;
  /// A certificate authority issued by this one.
  TestCa intermediate(const std::string& common_name = "Test Intermediate CA") const;
  Identity issue(const LeafOptions& options = {}) const;
  /// A certificate signed with its own key.
  static Identity self_signed(const LeafOptions& options = {});
  /// Writes the certificate as `<name>.pem` into `directory`.
  std::filesystem::path write_to(const std::filesystem::path& directory, std::string_view name) const;

 private:
  struct Impl;
  explicit TestCa(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// An encrypted PEM key, whose passphrase nobody knows.
std::string encrypted_copy(const std::string& key_pem);

}  // namespace inthub::testing_support
