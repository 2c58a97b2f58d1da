#include "credentials/secret_sealer.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "foundation/encoding.h"
#include "support/temporary_directory.h"

namespace inthub {
namespace {

using testing_support::TemporaryDirectory;

TenantId tenant(std::uint8_t n) {
  Uuid id;
  id.bytes[15] = n;
  return TenantId(id);
}
CredentialId credential(std::uint8_t n) {
  Uuid id;
  id.bytes[15] = n;
  return CredentialId(id);
}

struct SecretSealerTest : testing::Test {
  std::unique_ptr<SecretSealer> sealer = SecretSealer::from_key_for_test(std::string(32, 'k'));
  std::string sealed = sealer->seal(tenant(1), credential(1), Secret("a canary in the mine"));
};

TEST_F(SecretSealerTest, WhatWasSealedOpensToTheSameBytes) {
  const auto opened = sealer->open(tenant(1), credential(1), sealed, sealer->key_id());
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ((*opened)->reveal(), "a canary in the mine");
}

TEST_F(SecretSealerTest, AnEmptySecretAndOneWithZeroBytesSurvive) {
  for (const std::string& plain : {std::string(), std::string("a\0b", 3)}) {
    const std::string bytes = sealer->seal(tenant(1), credential(1), Secret(plain));
    const auto opened = sealer->open(tenant(1), credential(1), bytes, sealer->key_id());
    ASSERT_TRUE(opened);
    EXPECT_EQ((*opened)->reveal(), plain);
  }
}

TEST_F(SecretSealerTest, SealedBytesShowNothingAndDifferEachTime) {
  EXPECT_EQ(sealed.find("canary"), std::string::npos);
  EXPECT_NE(sealed, sealer->seal(tenant(1), credential(1), Secret("a canary in the mine")));
}

TEST_F(SecretSealerTest, AnyChangedByteIsNoticed) {
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto opened = sealer->open(tenant(1), credential(1), changed, sealer->key_id());
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().code(), ErrorCode::internal);
    EXPECT_EQ(opened.error().reason(), "credential.unsealable");
  }
}

TEST_F(SecretSealerTest, AnyCutIsNoticed) {
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(sealer->open(tenant(1), credential(1), sealed.substr(0, size), sealer->key_id())) << size;
  }
}

TEST_F(SecretSealerTest, ASealedValueMovedToAnotherRowDoesNotOpen) {
  EXPECT_FALSE(sealer->open(tenant(1), credential(2), sealed, sealer->key_id()));
  EXPECT_FALSE(sealer->open(tenant(2), credential(1), sealed, sealer->key_id()));
}

TEST_F(SecretSealerTest, AnotherMasterKeyIsNamedInTheRefusal) {
  const auto other = SecretSealer::from_key_for_test(std::string(32, 'x'));
  EXPECT_NE(other->key_id(), sealer->key_id());
  const auto opened = other->open(tenant(1), credential(1), sealed, sealer->key_id());
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find(sealer->key_id()), std::string::npos);
  EXPECT_NE(opened.error().message().find(other->key_id()), std::string::npos);
  EXPECT_FALSE(opened.error().remedy().empty());
  EXPECT_FALSE(other->open(tenant(1), credential(1), sealed, other->key_id())) << "whatever the record claims";
}

struct MasterKeyTest : testing::Test {
  MasterKeyTest() {
    ::unsetenv("INTHUB_MASTER_KEY");
    ::unsetenv("CREDENTIALS_DIRECTORY");
  }
  ~MasterKeyTest() override {
    ::unsetenv("INTHUB_MASTER_KEY");
    ::unsetenv("CREDENTIALS_DIRECTORY");
  }
  static std::string key_id_of(char fill) { return SecretSealer::from_key_for_test(std::string(32, fill))->key_id(); }
  static std::string key_text(char fill) { return base64_encode(std::string(32, fill)) + "\n"; }

  TemporaryDirectory directory;
  std::filesystem::path file = directory.path() / "master.key";
};

TEST_F(MasterKeyTest, TheFileIsCreatedAtFirstUseForItsOwnerAloneAndReadAgain) {
  const auto first = SecretSealer::load(file, true);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1) << "nothing is left beside it";
  const auto second = SecretSealer::load(file, true);
  ASSERT_TRUE(second);
  EXPECT_EQ((*first)->key_id(), (*second)->key_id());
}

TEST_F(MasterKeyTest, AMissingFileIsNotCreatedWhenThatIsNotAllowed) {
  const auto loaded = SecretSealer::load(file, false);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(MasterKeyTest, ADirectoryThatDoesNotExistIsAClearError) {
  const auto loaded = SecretSealer::load(directory.path() / "nowhere" / "master.key", true);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message().find("No such file or directory"), std::string::npos) << loaded.error().message();
}

TEST_F(MasterKeyTest, AFileThatOthersMayReadIsRefused) {
  for (const unsigned mode : {0640U, 0604U, 0660U, 0644U}) {
    directory.write("master.key", key_text('a'), mode);
    const auto loaded = SecretSealer::load(file, false);
    ASSERT_FALSE(loaded) << mode;
    EXPECT_EQ(loaded.error().code(), ErrorCode::permission_denied);
    EXPECT_NE(loaded.error().remedy().find("chmod 600"), std::string::npos);
  }
}

TEST_F(MasterKeyTest, AFileThatHoldsNoKeyIsRefusedWithoutShowingIt) {
  for (const std::string& content : {std::string(), std::string("hunter2-hunter2"), base64_encode(std::string(31, 'a')),
                                     base64_encode(std::string(33, 'a')), std::string(100'000, 'a')}) {
    directory.write("master.key", content);
    const auto loaded = SecretSealer::load(file, true);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().message().find("hunter2"), std::string::npos);
  }
}

TEST_F(MasterKeyTest, ASymbolicLinkIsRefused) {
  directory.write("real.key", key_text('a'));
  std::filesystem::create_symlink(directory.path() / "real.key", file);
  const auto loaded = SecretSealer::load(file, true);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message().find("symbolic link"), std::string::npos);
}

TEST_F(MasterKeyTest, RawBytesAreAKeyToo) {
  directory.write("master.key", std::string(32, 'a'));
  const auto loaded = SecretSealer::load(file, false);
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->key_id(), key_id_of('a'));
}

TEST_F(MasterKeyTest, TheEnvironmentWinsAndIsCleared) {
  directory.write("master.key", key_text('a'));
  ::setenv("INTHUB_MASTER_KEY", base64_encode(std::string(32, 'e')).c_str(), 1);
  const auto loaded = SecretSealer::load(file, false);
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->key_id(), key_id_of('e'));
  EXPECT_EQ(std::getenv("INTHUB_MASTER_KEY"), nullptr);
}

TEST_F(MasterKeyTest, ABadKeyInTheEnvironmentIsAnErrorAndNotIgnored) {
  directory.write("master.key", key_text('a'));
  ::setenv("INTHUB_MASTER_KEY", "too short", 1);
  const auto loaded = SecretSealer::load(file, false);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::invalid_argument);
  EXPECT_NE(loaded.error().message().find("INTHUB_MASTER_KEY"), std::string::npos);
}

TEST_F(MasterKeyTest, ASystemdCredentialComesBeforeTheFile) {
  directory.write("master.key", key_text('a'));
  directory.write("systemd/inthub-master-key", key_text('s'), 0440);
  ::setenv("CREDENTIALS_DIRECTORY", (directory.path() / "systemd").c_str(), 1);
  const auto loaded = SecretSealer::load(file, false);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ((*loaded)->key_id(), key_id_of('s'));
}

TEST_F(MasterKeyTest, WithoutThatSystemdCredentialTheFileIsUsed) {
  directory.write("master.key", key_text('a'));
  ::setenv("CREDENTIALS_DIRECTORY", directory.path().c_str(), 1);
  const auto loaded = SecretSealer::load(file, false);
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->key_id(), key_id_of('a'));
}

TEST(SecretSealer, AKeyOfAnotherSizeIsABug) {
  EXPECT_THROW(SecretSealer::from_key_for_test("short"), std::invalid_argument);
}

}  // namespace
}  // namespace inthub
