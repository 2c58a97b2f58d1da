#include <cstdlib>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credentials/secret_sealer.h"
#include "support/run_task.h"
#include "support/temporary_directory.h"

namespace inthub {
namespace {

using testing_support::run_task;
using testing_support::TemporaryDirectory;

struct CredentialResolverTest : testing::Test {
  Result<SecretPtr> resolve(const std::string& text, ResolverOptions options = {}) {
    const auto ref = CredentialRef::parse(text);
    if (!ref) return fail(ref.error());
    const auto resolver = make_credential_resolver(std::move(options), *sealer, [this](TenantId, CredentialId) {
      return [](Result<SealedCredential> answer) -> Task<Result<SealedCredential>> { co_return answer; }(stored);
    });
    return run_task(resolver->resolve(tenant, *ref, Deadline::max()));
  }
  Result<SecretPtr> resolve_file(const std::filesystem::path& file, const std::string& field = {}) {
    return resolve("authref://file" + file.string() + field, {.env_allowed = {}, .file_roots = {directory.path()}});
  }

  static void expect_refused(const Result<SecretPtr>& secret, const std::string& words) {
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().reason(), "authentication.credential_unresolvable");
    EXPECT_EQ(secret.error().field(), "/credentialRef");
    EXPECT_NE(secret.error().message().find(words), std::string::npos) << secret.error().message();
    EXPECT_FALSE(secret.error().remedy().empty());
    EXPECT_EQ(secret.error().message().find("canary"), std::string::npos) << secret.error().message();
  }
  static void expect_secret(const Result<SecretPtr>& secret, std::string_view wanted) {
    ASSERT_TRUE(secret) << secret.error().message();
    EXPECT_EQ((*secret)->reveal(), wanted);
  }

  TemporaryDirectory directory;
  std::unique_ptr<SecretSealer> sealer = SecretSealer::from_key_for_test(std::string(32, 'k'));
  TenantId tenant = TenantId::parse("00000000-0000-7000-8000-000000000001").value_or(TenantId());
  CredentialId id = CredentialId::parse("0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10").value_or(CredentialId());
  const std::string local_ref = "authref://local/0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10";
  Result<SealedCredential> stored = fail(ErrorCode::not_found, "no such credential");
};

TEST_F(CredentialResolverTest, NoneIsNoSecret) {
  const auto secret = resolve("authref://none");
  ASSERT_TRUE(secret);
  EXPECT_EQ(*secret, nullptr);
}

TEST_F(CredentialResolverTest, AVaultIsUnsupportedForNow) {
  const auto secret = resolve("authref://prod-vault/secret/x");
  expect_refused(secret, "vault");
  EXPECT_EQ(secret.error().code(), ErrorCode::unsupported);
}

TEST_F(CredentialResolverTest, AVariableWithThePrefixIsRead) {
  ::setenv("INTHUB_SECRET_TEST", "canary-env", 1);
  expect_secret(resolve("authref://env/INTHUB_SECRET_TEST"), "canary-env");
  ::unsetenv("INTHUB_SECRET_TEST");
}

TEST_F(CredentialResolverTest, AnotherVariableIsReadOnlyWhenAllowed) {
  ::setenv("REGISTRY_PASSWORD", "canary-env", 1);
  expect_refused(resolve("authref://env/REGISTRY_PASSWORD"), "may not be read");
  expect_secret(resolve("authref://env/REGISTRY_PASSWORD", {.env_allowed = {"REGISTRY_PASSWORD"}, .file_roots = {}}),
                "canary-env");
  ::unsetenv("REGISTRY_PASSWORD");
}

TEST_F(CredentialResolverTest, PathIsNotASecret) {
  expect_refused(resolve("authref://env/PATH"), "may not be read");
}

TEST_F(CredentialResolverTest, AMissingOrEmptyVariableIsSaidToBeMissing) {
  ::unsetenv("INTHUB_SECRET_MISSING");
  expect_refused(resolve("authref://env/INTHUB_SECRET_MISSING"), "was not set");
  ::setenv("INTHUB_SECRET_EMPTY", "", 1);
  expect_refused(resolve("authref://env/INTHUB_SECRET_EMPTY"), "empty");
  ::unsetenv("INTHUB_SECRET_EMPTY");
}

TEST_F(CredentialResolverTest, VariablesAreCapturedOnce) {
  ::setenv("INTHUB_SECRET_TEST", "before", 1);
  const auto resolver = make_credential_resolver({}, *sealer, {});
  ::setenv("INTHUB_SECRET_TEST", "after", 1);
  const auto ref = CredentialRef::parse("authref://env/INTHUB_SECRET_TEST");
  ASSERT_TRUE(ref);
  expect_secret(run_task(resolver->resolve(tenant, *ref, Deadline::max())), "before");
  ::unsetenv("INTHUB_SECRET_TEST");
}

TEST_F(CredentialResolverTest, AFileIsReadWithoutOneTrailingNewline) {
  expect_secret(resolve_file(directory.write("a/token", "canary-file")), "canary-file");
  expect_secret(resolve_file(directory.write("a/token", "canary-file\n")), "canary-file");
  expect_secret(resolve_file(directory.write("a/token", "canary-file\n\n")), "canary-file\n");
}

TEST_F(CredentialResolverTest, AFileOutsideTheAllowedDirectoriesIsRefused) {
  const TemporaryDirectory elsewhere;
  const auto file = elsewhere.write("token", "canary");
  expect_refused(resolve_file(file), "does not lie below");
  expect_refused(resolve("authref://file" + file.string()), "does not lie below");
  const auto beside = std::filesystem::path(directory.path().string() + "-beside");
  expect_refused(resolve_file(beside / "token"), "does not lie below");
}

TEST_F(CredentialResolverTest, AMissingFileIsSaidToBeMissing) {
  expect_refused(resolve_file(directory.path() / "absent"), "does not exist");
  directory.write("file", "canary");
  expect_refused(resolve_file(directory.path() / "file" / "below"), "does not exist");
}

TEST_F(CredentialResolverTest, ASymbolicLinkIsNotFollowedNeitherAsFileNorAsDirectory) {
  directory.write("real/token", "canary");
  std::filesystem::create_symlink("real/token", directory.path() / "link");
  std::filesystem::create_symlink("real", directory.path() / "way");
  std::filesystem::create_symlink("/etc/passwd", directory.path() / "out");
  expect_refused(resolve_file(directory.path() / "link"), "symbolic link");
  expect_refused(resolve_file(directory.path() / "way" / "token"), "symbolic link");
  expect_refused(resolve_file(directory.path() / "out"), "symbolic link");
}

TEST_F(CredentialResolverTest, AFileThatOthersMayWriteIsRefused) {
  expect_refused(resolve_file(directory.write("group", "canary", 0620)), "may be written");
  expect_refused(resolve_file(directory.write("world", "canary", 0602)), "may be written");
  expect_secret(resolve_file(directory.write("read", "canary", 0644)), "canary");
}

TEST_F(CredentialResolverTest, WhatIsNoRegularFileIsRefusedWithoutBlocking) {
  std::filesystem::create_directory(directory.path() / "folder");
  ASSERT_EQ(::mkfifo((directory.path() / "pipe").c_str(), 0600), 0);
  expect_refused(resolve_file(directory.path() / "folder"), "not a regular file");
  expect_refused(resolve_file(directory.path() / "pipe"), "not a regular file");
}

TEST_F(CredentialResolverTest, AFileIsReadUpToItsBound) {
  const std::string largest(std::size_t{64} * 1024, 'c');
  expect_secret(resolve_file(directory.write("fits", largest)), largest);
  expect_refused(resolve_file(directory.write("large", largest + "c")), "more than 65536 bytes");
  expect_refused(resolve_file(directory.write("empty", "")), "is empty");
  expect_refused(resolve_file(directory.write("line", "\n")), "is empty");
}

TEST_F(CredentialResolverTest, AFileTheHubMayNotReadIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read every file";
  expect_refused(resolve_file(directory.write("closed", "canary", 0000)), "may not be read by the hub's user");
}

TEST_F(CredentialResolverTest, AFieldIsPickedFromAJsonFile) {
  const auto file = directory.write(
      "db.json", R"({"password":"canary-1","deep":{"a/b":["x","canary-2"]},"port":5432,"flag":true,"object":{"k":1}})");
  expect_secret(resolve_file(file, "#password"), "canary-1");
  expect_secret(resolve_file(file, "#/deep/a~1b/1"), "canary-2");
  expect_secret(resolve_file(file, "#port"), "5432");
  expect_secret(resolve_file(file, "#object"), R"({"k":1})");
}

TEST_F(CredentialResolverTest, AMissingFieldIsAnsweredWithTheKeysThereAre) {
  const auto file = directory.write("db.json", R"({"password":"canary-1","user":"canary-2","list":["canary"]})");
  expect_refused(resolve_file(file, "#token"), "list, password, user");
  expect_refused(resolve_file(file, "#/user/x"), "list, password, user");
  expect_refused(resolve_file(file, "#/list/7"), "no such field");
  expect_refused(resolve_file(file, "#/list/-"), "no such field");
  expect_refused(resolve_file(file, "#/list/01"), "no such field");
}

TEST_F(CredentialResolverTest, AFieldOfWhatIsNoJsonObjectIsRefused) {
  expect_refused(resolve_file(directory.write("plain", "canary"), "#password"), "not JSON");
  expect_refused(resolve_file(directory.write("list", R"(["canary"])"), "#/0"), "no JSON object");
}

TEST_F(CredentialResolverTest, ALocalSecretIsUnsealed) {
  stored = SealedCredential{sealer->seal(tenant, id, Secret("canary-local")), sealer->key_id()};
  expect_secret(resolve(local_ref), "canary-local");
}

TEST_F(CredentialResolverTest, ADeletedLocalSecretIsSaidToBeGone) {
  const auto secret = resolve(local_ref);
  expect_refused(secret, "does not exist");
  EXPECT_EQ(secret.error().code(), ErrorCode::validation_failed);
}

TEST_F(CredentialResolverTest, ALocalSecretOfAnotherTenantDoesNotOpen) {
  const TenantId other = TenantId::parse("00000000-0000-7000-8000-000000000002").value_or(TenantId());
  stored = SealedCredential{sealer->seal(other, id, Secret("canary-local")), sealer->key_id()};
  const auto secret = resolve(local_ref);
  expect_refused(secret, "belongs to another record");
  EXPECT_EQ(secret.error().details().at("cause"), "credential.unsealable");
}

TEST_F(CredentialResolverTest, AStoreThatFailsKeepsItsCode) {
  stored = fail(Error(ErrorCode::unavailable, "the database is busy").with_remedy("try again"));
  const auto secret = resolve(local_ref);
  expect_refused(secret, "the database is busy");
  EXPECT_EQ(secret.error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace inthub
