#include <algorithm>
#include <atomic>
#include <map>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "credentials/secret_field.h"
#include "credentials/secret_file.h"
#include "credentials/secret_sealer.h"

namespace inthub {
namespace {

constexpr std::string_view kEnvPrefix = "INTHUB_SECRET_";
/// File reads that wait for the one thread that does them; more mean that the file system has stopped answering.
constexpr int kMaxWaitingReads = 64;

std::map<std::string, SecretPtr, std::less<>> capture_environment(const std::vector<std::string>& allowed) {
  std::map<std::string, SecretPtr, std::less<>> captured;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t sign = text.find('=');
    if (sign == std::string_view::npos || sign + 1 == text.size()) continue;
    const std::string_view name = text.substr(0, sign);
    if (name.starts_with(kEnvPrefix) || std::ranges::find(allowed, name) != allowed.end()) {
      captured.emplace(name, make_secret(std::string(text.substr(sign + 1))));
    }
  }
  return captured;
}

/// What every failure here has in common. The finer reason stays readable as a detail.
std::unexpected<Error> unresolvable(Error error) {
  std::string cause(error.reason());
  return fail(std::move(error)
                  .with_detail("cause", std::move(cause))
                  .with_reason("authentication.credential_unresolvable")
                  .with_field("/credentialRef"));
}

class Resolver final : public CredentialResolver {
 public:
  Resolver(ResolverOptions options, const SecretSealer& sealer, SealedCredentialSource source)
      : options_(std::move(options)),
        sealer_(sealer),
        source_(std::move(source)),
        environment_(capture_environment(options_.env_allowed)) {}
  Task<Result<SecretPtr>> resolve(TenantId tenant, const CredentialRef& ref, Deadline deadline) override {
    switch (ref.kind()) {
      case CredentialRef::Kind::none:
        co_return SecretPtr();
      case CredentialRef::Kind::env:
        co_return resolve_env(ref.env_name());
      case CredentialRef::Kind::file:
        co_return co_await resolve_file(ref.file_path(), ref.field(), deadline);
      case CredentialRef::Kind::local:
        co_return co_await resolve_local(tenant, ref.local_id());
      case CredentialRef::Kind::vault:
        break;
    }
    co_return unresolvable(
        Error(ErrorCode::unsupported, "secrets in a vault integration cannot be read by this version")
            .with_remedy("use authref://local/, authref://env/ or authref://file/"));
  }

 private:
  Result<SecretPtr> resolve_env(const std::string& name) const {
    if (!name.starts_with(kEnvPrefix) && std::ranges::find(options_.env_allowed, name) == options_.env_allowed.end()) {
      return unresolvable(Error(ErrorCode::validation_failed,
                                fmt::format("the environment variable {} may not be read as a secret", name))
                              .with_remedy(fmt::format(
                                  "use a name that begins with {}, or have the operator allow this one", kEnvPrefix)));
    }
    const auto found = environment_.find(name);
    if (found == environment_.end()) {
      return unresolvable(
          Error(ErrorCode::validation_failed,
                fmt::format("the environment variable {} was not set, or empty, when the hub started", name))
              .with_remedy("set it in the hub's environment and restart the hub"));
    }
    return found->second;
  }

  /// On a thread of its own: a network file system may block.
  Task<Result<SecretPtr>> resolve_file(std::string path, std::string field, Deadline deadline) {
    if (waiting_reads_.fetch_add(1) >= kMaxWaitingReads) {
      --waiting_reads_;
      co_return unresolvable(Error(ErrorCode::unavailable, "too many secret files are waiting to be read")
                                 .with_remedy("check the file system that holds them"));
    }
    const OneShot<Result<SecretPtr>> done;
    asio::post(reader_, [this, done, path = std::move(path), field = std::move(field)] {
      Result<SecretPtr> secret = read_secret_file(options_.file_roots, path);
      if (secret && !field.empty()) secret = select_field(**secret, field);
      --waiting_reads_;
      done.set(std::move(secret));
    });
    std::optional<Result<SecretPtr>> secret = co_await done.wait(deadline);
    if (!secret) co_return unresolvable(Error(ErrorCode::deadline_exceeded, "reading the secret file took too long"));
    if (!*secret) co_return unresolvable(std::move(*secret).error());
    co_return *std::move(secret);
  }

  Task<Result<SecretPtr>> resolve_local(TenantId tenant, CredentialId id) {
    Result<SealedCredential> sealed = co_await source_(tenant, id);
    if (!sealed && sealed.error().code() == ErrorCode::not_found) {
      co_return unresolvable(Error(ErrorCode::validation_failed, "the stored secret does not exist, or was deleted")
                                 .with_remedy("store the secret again and refer to the new one"));
    }
    if (!sealed) co_return unresolvable(std::move(sealed).error());
    Result<SecretPtr> secret = sealer_.open(tenant, id, sealed->sealed, sealed->key_id);
    if (!secret) co_return unresolvable(std::move(secret).error());
    co_return secret;
  }

  const ResolverOptions options_;
  const SecretSealer& sealer_;
  const SealedCredentialSource source_;
  const std::map<std::string, SecretPtr, std::less<>> environment_;
  std::atomic<int> waiting_reads_{0};
  asio::thread_pool reader_{1};  // last, so that its thread ends before what it uses
};

}  // namespace

std::unique_ptr<CredentialResolver> make_credential_resolver(ResolverOptions options, const SecretSealer& sealer,
                                                             SealedCredentialSource source) {
  return std::make_unique<Resolver>(std::move(options), sealer, std::move(source));
}

}  // namespace inthub
