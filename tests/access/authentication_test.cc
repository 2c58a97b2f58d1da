#include "access/authentication.h"

#include <memory>
#include <stdexcept>

#include <gtest/gtest.h>

#include "foundation/encoding.h"
#include "foundation/metrics.h"
#include "persistence/sqlite/sqlite_store.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/run_task.h"
#include "support/temporary_directory.h"

namespace inthub::testing_support {
namespace {

class AuthenticationTest : public testing::Test {
 protected:
  IssuedToken issue(Permission permission = Permission::use) {
    return issue_token(tenant, user, "ci", permission, clock, random);
  }
  static std::string bearer(const IssuedToken& token) { return "Bearer " + std::string(token.text->reveal()); }

  FakeClock clock;
  FixedRandom random;
  TenantId tenant{Uuid::make(clock, random)};
  UserId user{Uuid::make(clock, random)};
  Authentication authentication{clock};
};

TEST_F(AuthenticationTest, AnIssuedTokenIsItsPrefixAndBase64UrlOf256BitsOfWhichOnlyTheHashIsKept) {
  const IssuedToken token = issue(Permission::manage);
  const std::string text(token.text->reveal());
  ASSERT_EQ(text.size(), 50U);
  EXPECT_TRUE(text.starts_with("inthub_"));
  EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  EXPECT_EQ(token.record.sha256, sha256(text));
  EXPECT_EQ(token.record.permissions, std::vector<std::string>{"manage"});
  EXPECT_EQ(token.record.tenant, tenant);
  EXPECT_EQ(token.record.user, user);
  EXPECT_EQ(token.record.created_at, clock.now());
  EXPECT_FALSE(token.record.expires_at.has_value());
  EXPECT_NE(issue().text->reveal(), token.text->reveal());
}

TEST_F(AuthenticationTest, AGoodTokenTellsWhoItIs) {
  const IssuedToken token = issue(Permission::manage);
  authentication.load({issue().record, token.record});
  const Result<Principal> principal = authentication.check(bearer(token));
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->tenant, tenant);
  EXPECT_EQ(principal->user, user);
  EXPECT_EQ(principal->token, token.record.id);
  EXPECT_EQ(principal->permission, Permission::manage);
}

TEST_F(AuthenticationTest, TheSchemeIsComparedWithoutCase) {
  const IssuedToken token = issue();
  authentication.load({token.record});
  const std::string text(token.text->reveal());
  for (const std::string scheme : {"bearer ", "BEARER ", "BeArEr   "}) {
    EXPECT_TRUE(authentication.check(scheme + text)) << scheme;
  }
}

TEST_F(AuthenticationTest, WhateverIsWrongTheAnswerIsTheSame) {
  const IssuedToken token = issue();
  IssuedToken expired = issue();
  expired.record.expires_at = clock.now();
  const IssuedToken unknown = issue();
  authentication.load({token.record, expired.record});
  const std::string text(token.text->reveal());
  const Result<Principal> missing = authentication.check("");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::unauthenticated);
  EXPECT_NE(missing.error().remedy(), "");
  for (const std::string& value : std::vector<std::string>{
           bearer(expired), bearer(unknown), text, "Basic " + text, "Bearer", "Bearer ", "Bearer  ", "Bearer" + text,
           "Bearer " + text.substr(1), "Bearer " + text + "x", "Bearer " + text + " ", "Bearer\t" + text,
           "Bearer " + text.substr(0, 49), "Bearer " + token.record.sha256, "Bearer " + std::string(1 << 20, 'x')}) {
    const Result<Principal> principal = authentication.check(value);
    ASSERT_FALSE(principal) << value.substr(0, 100);
    EXPECT_EQ(principal.error().code(), missing.error().code());
    EXPECT_EQ(principal.error().message(), missing.error().message());
    EXPECT_EQ(principal.error().remedy(), missing.error().remedy());
    EXPECT_EQ(principal.error().reason(), missing.error().reason());
  }
}

TEST_F(AuthenticationTest, ATokenEndsAtItsExpiry) {
  IssuedToken token = issue();
  token.record.expires_at = clock.now() + std::chrono::hours(1);
  authentication.load({token.record});
  EXPECT_TRUE(authentication.check(bearer(token)));
  clock.advance(std::chrono::hours(1) - std::chrono::milliseconds(1));
  EXPECT_TRUE(authentication.check(bearer(token)));
  clock.advance(std::chrono::milliseconds(1));
  EXPECT_FALSE(authentication.check(bearer(token)));
}

TEST_F(AuthenticationTest, LoadingAgainForgetsWhatIsGone) {
  const IssuedToken first = issue();
  const IssuedToken second = issue();
  authentication.load({first.record});
  authentication.load({second.record});
  EXPECT_FALSE(authentication.check(bearer(first)));
  EXPECT_TRUE(authentication.check(bearer(second)));
}

TEST_F(AuthenticationTest, TheHighestPermissionCountsAndUnknownOnesDoNot) {
  IssuedToken token = issue();
  token.record.permissions = {"use", "read", "fly", "manage"};
  IssuedToken powerless = issue();
  powerless.record.permissions = {"fly"};
  authentication.load({token.record, powerless.record});
  EXPECT_EQ(authentication.check(bearer(token))->permission, Permission::manage);
  EXPECT_FALSE(authentication.check(bearer(powerless)));
}

TEST(PermissionNames, GoBothWays) {
  for (const Permission permission : {Permission::read, Permission::use, Permission::manage, Permission::admin}) {
    EXPECT_EQ(permission_from_name(name_of(permission)), permission);
  }
  EXPECT_EQ(name_of(Permission::admin), "admin");
  EXPECT_FALSE(permission_from_name("Admin").has_value());
  EXPECT_FALSE(permission_from_name("").has_value());
}

// ---- bootstrap

class Bootstrap : public AuthenticationTest {
 protected:
  Bootstrap() { open(); }
  void open() {
    store.reset();
    Result<std::unique_ptr<Store>> opened = open_sqlite_store(directory.path(), metrics);
    if (!opened) throw std::runtime_error(opened.error().message());
    store = std::move(*opened);
  }
  Result<SecretPtr> bootstrap() { return run_task(context, bootstrap_access(*store, clock, random)); }
  std::vector<ApiToken> tokens() { return run_task(context, store->tokens().all()).value_or(std::vector<ApiToken>{}); }

  asio::io_context context{1};
  TemporaryDirectory directory;
  Metrics metrics;
  std::unique_ptr<Store> store;
};

TEST_F(Bootstrap, TheFirstStartMakesATenantAnAdminAndTheirToken) {
  const Result<SecretPtr> text = bootstrap();
  ASSERT_TRUE(text);
  ASSERT_TRUE(*text);
  const Result<std::vector<Tenant>> tenants = run_task(context, store->tenants().tenants());
  ASSERT_TRUE(tenants);
  ASSERT_EQ(tenants->size(), 1U);
  EXPECT_EQ(tenants->front().name, "default");
  const Result<std::vector<User>> users = run_task(context, store->tenants().users(tenants->front().id));
  ASSERT_TRUE(users);
  ASSERT_EQ(users->size(), 1U);
  EXPECT_EQ(users->front().name, "admin");

  authentication.load(tokens());
  const Result<Principal> principal = authentication.check("Bearer " + std::string((*text)->reveal()));
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->tenant, tenants->front().id);
  EXPECT_EQ(principal->user, users->front().id);
  EXPECT_EQ(principal->permission, Permission::admin);
}

TEST_F(Bootstrap, EveryLaterStartMakesNothing) {
  ASSERT_TRUE(bootstrap());
  const std::vector<ApiToken> before = tokens();
  open();
  const Result<SecretPtr> again = bootstrap();
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
  ASSERT_EQ(tokens().size(), 1U);
  EXPECT_EQ(tokens().front().id, before.front().id);
}

TEST_F(Bootstrap, ChecksGoOnWithoutTheDatabase) {
  const Result<SecretPtr> text = bootstrap();
  ASSERT_TRUE(text);
  authentication.load(tokens());
  store.reset();
  EXPECT_TRUE(authentication.check("Bearer " + std::string((*text)->reveal())));
  EXPECT_FALSE(authentication.check("Bearer inthub_something"));
}

}  // namespace
}  // namespace inthub::testing_support
