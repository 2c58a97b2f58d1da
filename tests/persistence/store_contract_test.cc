#include "persistence/store_contract.h"

#include <algorithm>
#include <iterator>

#include <gmock/gmock.h>

#include "persistence/sqlite/sqlite_fixture.h"

namespace inthub::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Sort = IntegrationFilter::Sort;

using Stores = testing::Types<SqliteFixture>;
TYPED_TEST_SUITE(StoreContract, Stores, AdapterName);

TYPED_TEST(StoreContract, WhatWasCreatedIsFoundAsItWas) {
  Integration row = this->rows.integration("Produktion – \"Zürich\" 東京");
  row.config = share(Json{{"endpoint", "https://a.example"}, {"nested", {{"list", {1, 2.5, nullptr, "x"}}}}});
  row.health = "degraded";
  row.health_detail = share(Json{{"code", "tls"}});
  row.last_health_check = row.created_at;
  this->commit(this->rows.creation(row));
  const Result<Integration> found = this->find(row);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, row.id);
  EXPECT_EQ(found->tenant, row.tenant);
  EXPECT_EQ(found->type, row.type);
  EXPECT_EQ(found->name, row.name);
  EXPECT_EQ(*found->config, *row.config);
  EXPECT_EQ(found->credential_id, row.credential_id);
  EXPECT_EQ(found->credential_ref, row.credential_ref);
  EXPECT_EQ(found->revision, 1);
  EXPECT_EQ(found->health, "degraded");
  EXPECT_EQ(*found->health_detail, *row.health_detail);
  EXPECT_EQ(found->last_health_check, row.last_health_check);
  EXPECT_EQ(found->created_at, row.created_at);
  EXPECT_EQ(found->updated_at, row.updated_at);
  EXPECT_EQ(found->created_by, row.created_by);

  const Result<Integration> by_name = this->run(this->store().integrations().find_by_name(row.tenant, row.name));
  ASSERT_TRUE(by_name);
  EXPECT_EQ(by_name->id, row.id);
}

TYPED_TEST(StoreContract, AnUnknownIdOrNameIsNotFound) {
  const Result<Integration> by_id = this->find(this->rows.integration("never stored"));
  ASSERT_FALSE(by_id);
  EXPECT_EQ(by_id.error().code(), ErrorCode::not_found);
  const Result<Integration> by_name =
      this->run(this->store().integrations().find_by_name(this->rows.tenant, "nothing"));
  ASSERT_FALSE(by_name);
  EXPECT_EQ(by_name.error().code(), ErrorCode::not_found);
}

TYPED_TEST(StoreContract, AnotherTenantsRowsAreNotFoundListedChangedOrDeleted) {
  const Integration row = this->create("mine");
  SampleRows other(2);
  this->commit(other.foundation());

  const Result<Integration> found = this->run(this->store().integrations().find(other.tenant, row.id));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::not_found);
  EXPECT_FALSE(this->run(this->store().integrations().find_by_name(other.tenant, "mine")));
  EXPECT_FALSE(this->run(this->store().credentials().find(other.tenant, row.credential_id)));
  const Result<IntegrationPage> page = this->run(this->store().integrations().list(other.tenant, {}, {}));
  ASSERT_TRUE(page);
  EXPECT_THAT(page->items, IsEmpty());
  EXPECT_EQ(page->total, 0);
  const Result<std::vector<Event>> events = this->run(this->store().events().list(other.tenant, 0, 10));
  ASSERT_TRUE(events);
  EXPECT_THAT(*events, IsEmpty());

  Integration stolen = row;
  stolen.tenant = other.tenant;
  stolen.name = "stolen";
  const Result<void> updated = this->try_commit(just(UpdateIntegration{.integration = stolen, .expected = 1}));
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().code(), ErrorCode::not_found);
  const Result<void> deleted =
      this->try_commit(just(DeleteIntegration{.tenant = other.tenant, .id = row.id, .expected = {}}));
  ASSERT_FALSE(deleted);
  EXPECT_EQ(deleted.error().code(), ErrorCode::not_found);
  this->commit(just(DeleteCredential{.tenant = other.tenant, .id = row.credential_id}));
  this->commit(just(RecordHealth{.tenant = other.tenant,
                                 .id = row.id,
                                 .revision = 1,
                                 .health = "unhealthy",
                                 .detail = share(Json::object()),
                                 .checked_at = row.created_at}));
  const Result<Integration> still = this->find(row);
  ASSERT_TRUE(still);
  EXPECT_EQ(still->name, "mine");
  EXPECT_EQ(still->health, "unknown");
  EXPECT_TRUE(this->run(this->store().credentials().find(row.tenant, row.credential_id)));
}

TYPED_TEST(StoreContract, AnIntegrationCannotUseAnotherTenantsCredential) {
  const Integration row = this->create("mine");
  SampleRows other(2);
  this->commit(other.foundation());
  Integration thief = other.integration("thief");
  thief.credential_id = row.credential_id;
  const Result<void> done = this->try_commit(just(InsertIntegration{thief}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().reason(), "credential.in_use");
  EXPECT_EQ(this->find(thief).error().code(), ErrorCode::not_found);
}

TYPED_TEST(StoreContract, ATakenNameIsAConflict) {
  this->create("prod");
  const Result<void> again = this->try_commit(this->rows.creation(this->rows.integration("prod")));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::conflict);
  EXPECT_EQ(again.error().reason(), "integration.name_taken");
  EXPECT_EQ(again.error().field(), "/name");
}

TYPED_TEST(StoreContract, TheSameNameInAnotherTenantIsAllowed) {
  this->create("prod");
  SampleRows other(2);
  this->commit(other.foundation());
  this->commit(other.creation(other.integration("prod")));
}

TYPED_TEST(StoreContract, ATakenIdIsAConflict) {
  const Integration row = this->create("one");
  Integration again = this->rows.integration("two");
  again.id = row.id;
  const Result<void> done = this->try_commit(this->rows.creation(again));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::conflict);
  EXPECT_EQ(done.error().reason(), "store.id_taken");
}

TYPED_TEST(StoreContract, AnUnknownTypeBreaksARule) {
  const Result<void> done = this->try_commit(this->rows.creation(this->rows.integration("x", "scm.nothing")));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::validation_failed);
  EXPECT_EQ(done.error().reason(), "integration.type_unknown");
  ASSERT_EQ(done.error().violations().size(), 1U);
  EXPECT_EQ(done.error().violations().front().field, "/type");
}

TYPED_TEST(StoreContract, AnUnknownTenantBreaksARule) {
  SampleRows stranger(3);
  const Result<void> done = this->try_commit(stranger.creation(stranger.integration("x")));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::validation_failed);
  EXPECT_EQ(done.error().reason(), "store.unknown_reference");
}

TYPED_TEST(StoreContract, UpdatingReplacesWhatMayChangeAndRaisesTheRevision) {
  const Integration row = this->create("before");
  this->rows.clock().advance(std::chrono::seconds(5));
  Integration next = row;
  next.name = "after";
  next.config = share(Json{{"endpoint", "https://b.example"}});
  next.credential_id = this->rows.template new_id<CredentialId>();
  next.credential_ref = "authref://env/INTHUB_SECRET_X";
  next.updated_at = this->rows.clock().now();
  next.type = "scm.github";  // not among what an update replaces
  Transaction change;
  change.add(UpdateIntegration{.integration = next, .expected = 1})
      .add(InsertCredential{this->rows.credential(next.credential_id)})
      .add(DeleteCredential{.tenant = row.tenant, .id = row.credential_id});
  this->commit(std::move(change));
  const Result<Integration> found = this->find(row);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->revision, 2);
  EXPECT_EQ(found->name, "after");
  EXPECT_EQ(*found->config, *next.config);
  EXPECT_EQ(found->credential_id, next.credential_id);
  EXPECT_EQ(found->credential_ref, next.credential_ref);
  EXPECT_EQ(found->updated_at, next.updated_at);
  EXPECT_EQ(found->created_at, row.created_at);
  EXPECT_EQ(found->type, row.type);
  EXPECT_FALSE(this->run(this->store().credentials().find(row.tenant, row.credential_id)));
}

TYPED_TEST(StoreContract, UpdatingAnOlderRevisionIsStale) {
  Integration row = this->create("x");
  this->commit(just(UpdateIntegration{.integration = row, .expected = 1}));
  row.name = "lost update";
  const Result<void> stale = this->try_commit(just(UpdateIntegration{.integration = row, .expected = 1}));
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code(), ErrorCode::stale_revision);
  EXPECT_EQ(this->find(row)->name, "x");
}

TYPED_TEST(StoreContract, UpdatingToATakenNameIsAConflict) {
  this->create("one");
  Integration two = this->create("two");
  two.name = "one";
  const Result<void> done = this->try_commit(just(UpdateIntegration{.integration = two, .expected = 1}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().reason(), "integration.name_taken");
  EXPECT_EQ(this->find(two)->revision, 1);
}

TYPED_TEST(StoreContract, DeletingMakesItNotFoundAndItsNameFree) {
  const Integration row = this->create("x");
  Transaction change;
  change.add(DeleteCredential{.tenant = row.tenant, .id = row.credential_id})
      .add(DeleteIntegration{.tenant = row.tenant, .id = row.id, .expected = 1});
  this->commit(std::move(change));
  EXPECT_EQ(this->find(row).error().code(), ErrorCode::not_found);
  EXPECT_EQ(this->list().total, 0);
  const Result<void> again =
      this->try_commit(just(DeleteIntegration{.tenant = row.tenant, .id = row.id, .expected = {}}));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::not_found);
  this->create("x");
}

TYPED_TEST(StoreContract, DeletingAnotherRevisionIsStale) {
  const Integration row = this->create("x");
  const Result<void> done =
      this->try_commit(just(DeleteIntegration{.tenant = row.tenant, .id = row.id, .expected = 7}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::stale_revision);
  EXPECT_TRUE(this->find(row));
}

TYPED_TEST(StoreContract, ACredentialInUseCannotBeDeleted) {
  const Integration row = this->create("x");
  const Result<void> done = this->try_commit(just(DeleteCredential{.tenant = row.tenant, .id = row.credential_id}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::conflict);
  EXPECT_EQ(done.error().reason(), "credential.in_use");
  EXPECT_TRUE(this->run(this->store().credentials().find(row.tenant, row.credential_id)));
}

TYPED_TEST(StoreContract, SealedBytesComeBackUnchanged) {
  Credential credential = this->rows.credential(this->rows.template new_id<CredentialId>());
  credential.sealed = std::string("\0\x01\xff sealed \0", 12);
  credential.key_id = "0011223344556677";
  credential.rotated_at = credential.created_at + std::chrono::milliseconds(1);
  this->commit(just(InsertCredential{credential}));
  const Result<Credential> found = this->run(this->store().credentials().find(credential.tenant, credential.id));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->sealed, credential.sealed);
  EXPECT_EQ(found->key_id, credential.key_id);
  EXPECT_EQ(found->ref, credential.ref);
  EXPECT_EQ(found->rotated_at, credential.rotated_at);
}

TYPED_TEST(StoreContract, HealthIsRecordedWithoutTouchingTheRevision) {
  const Integration row = this->create("x");
  const Timestamp checked = row.created_at + std::chrono::minutes(1);
  this->commit(just(RecordHealth{.tenant = row.tenant,
                                 .id = row.id,
                                 .revision = 1,
                                 .health = "unhealthy",
                                 .detail = share(Json{{"code", "dns"}}),
                                 .checked_at = checked}));
  const Result<Integration> found = this->find(row);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->health, "unhealthy");
  EXPECT_EQ(*found->health_detail, (Json{{"code", "dns"}}));
  EXPECT_EQ(found->last_health_check, checked);
  EXPECT_EQ(found->revision, 1);
  EXPECT_EQ(found->updated_at, row.updated_at);
}

TYPED_TEST(StoreContract, HealthOfAnotherRevisionOrOfNothingIsIgnored) {
  const Integration row = this->create("x");
  const RecordHealth stale{.tenant = row.tenant,
                           .id = row.id,
                           .revision = 2,
                           .health = "healthy",
                           .detail = share(Json::object()),
                           .checked_at = row.created_at};
  this->commit(just(stale));
  EXPECT_EQ(this->find(row)->health, "unknown");
  RecordHealth gone = stale;
  gone.id = this->rows.template new_id<IntegrationId>();
  this->commit(just(gone));
}

TYPED_TEST(StoreContract, AFailingChangeUndoesTheOnesBeforeIt) {
  this->create("taken");
  const std::size_t events_before = this->events().size();
  const Integration fresh = this->rows.integration("fresh");
  Transaction change = this->rows.creation(fresh);
  change.add(InsertCredential{this->rows.credential(this->rows.template new_id<CredentialId>())})
      .add(InsertIntegration{this->rows.integration("taken")});
  const Result<void> done = this->try_commit(std::move(change));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::conflict);
  EXPECT_EQ(this->find(fresh).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(this->run(this->store().credentials().find(fresh.tenant, fresh.credential_id)));
  EXPECT_EQ(this->events().size(), events_before);
  EXPECT_EQ(this->list().total, 1);
}

TYPED_TEST(StoreContract, OneFailingTransactionLeavesTheOthersOfItsMomentAlone) {
  std::vector<Integration> good;
  std::vector<Result<void>> outcomes;
  for (int i = 0; i < 20; ++i) {
    const bool duplicate = i % 4 == 3;  // takes the name before it
    Integration row = this->rows.integration("row " + std::to_string(duplicate ? i - 1 : i));
    if (!duplicate) good.push_back(row);
    asio::co_spawn(
        this->context(),
        [](Store& store, Transaction transaction, std::vector<Result<void>>& out) -> Task<void> {
          Result<void> done = co_await store.commit(std::move(transaction));
          out.push_back(std::move(done));
        }(this->store(), this->rows.creation(row), outcomes),
        [](const std::exception_ptr& error) { EXPECT_FALSE(error); });
  }
  this->context().restart();
  this->context().run();
  EXPECT_EQ(outcomes.size(), 20U);
  EXPECT_EQ(std::ranges::count_if(outcomes, [](const Result<void>& done) { return done.has_value(); }), 15);
  EXPECT_EQ(this->list().total, 15);
  for (const Integration& row : good) EXPECT_TRUE(this->find(row)) << row.name;
  EXPECT_EQ(this->events().size(), 15U);
}

// ---- lists

TYPED_TEST(StoreContract, ListsAreFiltered) {
  this->create("Alpha registry", "registry.oci");
  this->create("beta", "registry.harbor");
  const Integration gamma = this->create("Gamma_registry", "scm.github");
  this->create("registryless 100%", "scm.github");
  this->commit(just(RecordHealth{.tenant = gamma.tenant,
                                 .id = gamma.id,
                                 .revision = 1,
                                 .health = "healthy",
                                 .detail = share(Json::object()),
                                 .checked_at = gamma.created_at}));
  struct Case {
    std::string name;
    IntegrationFilter filter;
    std::vector<std::string> want;
  };
  const std::vector<Case> cases{
      {"all", {}, {"Alpha registry", "beta", "Gamma_registry", "registryless 100%"}},
      {"type", {.type = "scm.github"}, {"Gamma_registry", "registryless 100%"}},
      {"family", {.family = "registry"}, {"Alpha registry", "beta"}},
      {"family is not a prefix", {.family = "regist"}, {}},
      {"health", {.health = "healthy"}, {"Gamma_registry"}},
      {"health and type", {.type = "scm.github", .health = "unknown"}, {"registryless 100%"}},
      {"name without regard to case", {.query = "REGISTRY"}, {"Alpha registry", "Gamma_registry", "registryless 100%"}},
      {"percent is a character", {.query = "%"}, {"registryless 100%"}},
      {"underscore is a character", {.query = "a_r"}, {"Gamma_registry"}},
      {"backslash is a character", {.query = "\\"}, {}},
      {"name and family", {.family = "scm", .query = "gamma"}, {"Gamma_registry"}},
      {"nothing matches", {.type = "registry.oci", .family = "scm"}, {}},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    const IntegrationPage page = this->list(test.filter);
    EXPECT_EQ(this->names(page.items), test.want);
    EXPECT_EQ(page.total, static_cast<std::int64_t>(test.want.size()));
    EXPECT_TRUE(page.next.empty());
  }
}

TYPED_TEST(StoreContract, TotalsFollowEveryKindOfChange) {
  const Integration a = this->create("a", "registry.oci");
  const Integration b = this->create("b", "registry.oci");
  this->create("c", "scm.github");
  const auto health = [&](const Integration& row, const char* word) {
    this->commit(just(RecordHealth{.tenant = row.tenant,
                                   .id = row.id,
                                   .revision = 1,
                                   .health = word,
                                   .detail = share(Json::object()),
                                   .checked_at = row.created_at}));
  };
  health(a, "healthy");
  health(b, "healthy");
  health(b, "healthy");
  health(b, "degraded");
  EXPECT_EQ(this->list({.health = "healthy"}).total, 1);
  EXPECT_EQ(this->list({.health = "degraded"}).total, 1);
  EXPECT_EQ(this->list({.health = "unknown"}).total, 1);
  this->commit(just(DeleteIntegration{.tenant = b.tenant, .id = b.id, .expected = {}}));
  EXPECT_EQ(this->list({.health = "degraded"}).total, 0);
  EXPECT_EQ(this->list({.type = "registry.oci"}).total, 1);
  EXPECT_EQ(this->list().total, 2);
}

TYPED_TEST(StoreContract, ListsAreSorted) {
  const auto at = [&](const char* name, int created, int updated) {
    Integration row = this->rows.integration(name);
    row.created_at = Timestamp(std::chrono::milliseconds(created));
    row.updated_at = Timestamp(std::chrono::milliseconds(updated));
    this->commit(this->rows.creation(row));
  };
  at("b", 1, 30);
  at("A", 2, 10);
  at("c", 3, 20);
  EXPECT_THAT(this->names(this->list({.sort = Sort::name}).items), ElementsAre("A", "b", "c"));
  EXPECT_THAT(this->names(this->list({.sort = Sort::name, .descending = true}).items), ElementsAre("c", "b", "A"));
  EXPECT_THAT(this->names(this->list({.sort = Sort::created_at}).items), ElementsAre("b", "A", "c"));
  EXPECT_THAT(this->names(this->list({.sort = Sort::created_at, .descending = true}).items),
              ElementsAre("c", "A", "b"));
  EXPECT_THAT(this->names(this->list({.sort = Sort::updated_at}).items), ElementsAre("A", "c", "b"));
  EXPECT_THAT(this->names(this->list({.sort = Sort::updated_at, .descending = true}).items),
              ElementsAre("b", "c", "A"));
}

/// Walks a list of 23 whose sort keys repeat (names differ in case only, times are equal in groups) by cursor and by
/// offset.
TYPED_TEST(StoreContract, PagesByCursorAndByOffsetShowEveryEntryOnceInTheSameOrder) {
  for (int i = 0; i < 23; ++i) {
    Integration row = this->rows.integration((i % 2 == 0 ? "row " : "ROW ") + std::to_string(i / 2));
    row.created_at = Timestamp(std::chrono::milliseconds(i / 5));
    row.updated_at = Timestamp(std::chrono::milliseconds(-(i / 7)));
    this->commit(this->rows.creation(row));
  }
  for (const Sort sort : {Sort::name, Sort::created_at, Sort::updated_at}) {
    for (const bool descending : {false, true}) {
      SCOPED_TRACE(testing::Message() << "sort " << static_cast<int>(sort) << " descending " << descending);
      const IntegrationFilter filter{.family = "registry", .query = "row", .sort = sort, .descending = descending};
      const std::vector<std::string> whole = this->names(this->list(filter, {.limit = 100}).items);
      ASSERT_EQ(whole.size(), 23U);
      std::vector<std::string> by_cursor;
      std::vector<std::string> by_offset;
      Page page{.limit = 5};
      for (int turn = 0; turn < 10; ++turn) {
        IntegrationPage answer = this->list(filter, page);
        EXPECT_EQ(answer.total, 23);
        for (std::string& name : this->names(answer.items)) by_cursor.push_back(std::move(name));
        page.after = answer.next;
        if (page.after.empty()) break;
      }
      for (std::int64_t offset = 0; offset < 25; offset += 5) {
        for (std::string& name : this->names(this->list(filter, {.offset = offset, .limit = 5}).items)) {
          by_offset.push_back(std::move(name));
        }
      }
      EXPECT_EQ(by_cursor, whole);
      EXPECT_EQ(by_offset, whole);
    }
  }
}

TYPED_TEST(StoreContract, ACursorSurvivesTheDeletionOfTheEntryItNames) {
  std::vector<Integration> rows;
  for (const char* name : {"a", "b", "c", "d"}) rows.push_back(this->create(name));
  const IntegrationPage first = this->list({}, {.limit = 2});
  this->commit(just(DeleteIntegration{.tenant = rows[1].tenant, .id = rows[1].id, .expected = {}}));
  EXPECT_THAT(this->names(this->list({}, {.limit = 2, .after = first.next}).items), ElementsAre("c", "d"));
}

TYPED_TEST(StoreContract, ACursorOfAnotherQueryIsRefused) {
  for (const char* name : {"a", "b", "c"}) this->create(name);
  SampleRows other(2);
  this->commit(other.foundation());
  const std::string cursor = this->list({.family = "registry"}, {.limit = 1}).next;
  ASSERT_FALSE(cursor.empty());
  EXPECT_EQ(cursor.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  struct Case {
    std::string name;
    TenantId tenant;
    IntegrationFilter filter;
    std::string cursor;
  };
  const std::vector<Case> cases{
      {"another filter", this->rows.tenant, {.family = "scm"}, cursor},
      {"another order", this->rows.tenant, {.family = "registry", .descending = true}, cursor},
      {"another sort key", this->rows.tenant, {.family = "registry", .sort = Sort::created_at}, cursor},
      {"another tenant", other.tenant, {.family = "registry"}, cursor},
      {"cut off", this->rows.tenant, {.family = "registry"}, cursor.substr(0, 20)},
      {"not base64url", this->rows.tenant, {.family = "registry"}, "!" + cursor},
      {"something else", this->rows.tenant, {.family = "registry"}, "bm90IGEgY3Vyc29y"},
      {"very long", this->rows.tenant, {.family = "registry"}, std::string(100'000, 'A')},
  };
  for (const Case& test : cases) {
    const Result<IntegrationPage> page =
        this->run(this->store().integrations().list(test.tenant, test.filter, {.limit = 1, .after = test.cursor}));
    ASSERT_FALSE(page) << test.name;
    EXPECT_EQ(page.error().code(), ErrorCode::invalid_argument) << test.name;
    EXPECT_EQ(page.error().reason(), "cursor.invalid") << test.name;
  }
}

/// Adapters may fetch few and many matches in different ways; both must give one list.
TYPED_TEST(StoreContract, FewAndManyMatchesAreListedAlike) {
  constexpr int kMany = 1'100;
  Transaction change;
  for (int i = 0; i < kMany; ++i) {
    Integration row = this->rows.integration("row " + std::to_string(i * 7919 % kMany),
                                             i % 2 == 0 ? "registry.oci" : "registry.harbor");
    row.created_at = Timestamp(std::chrono::milliseconds(i % 10));
    for (const Change& part : this->rows.creation(row).changes()) {
      std::visit([&](const auto& kind) { change.add(kind); }, part);
    }
  }
  this->commit(std::move(change));
  for (const Sort sort : {Sort::name, Sort::created_at}) {
    const auto walk = [&](IntegrationFilter filter) {
      filter.sort = sort;
      std::vector<Integration> all;
      Page page{.limit = 300};
      do {
        IntegrationPage answer = this->list(filter, page);
        std::ranges::move(answer.items, std::back_inserter(all));
        page.after = std::move(answer.next);
      } while (!page.after.empty());
      return all;
    };
    const std::vector<Integration> many = walk({.family = "registry", .health = "unknown"});
    ASSERT_EQ(many.size(), static_cast<std::size_t>(kMany));
    std::vector<Integration> odd = many;
    std::erase_if(odd, [](const Integration& row) { return row.type != "registry.harbor"; });
    EXPECT_EQ(this->names(walk({.type = "registry.harbor"})), this->names(odd));
    EXPECT_EQ(this->names(walk({.health = "unknown"})), this->names(many));
    EXPECT_EQ(this->names(walk({.health = "healthy"})), std::vector<std::string>{});
  }
}

TYPED_TEST(StoreContract, AnOffsetBehindTheEndIsAnEmptyPageWithTheTotal) {
  this->create("a");
  const IntegrationPage page = this->list({}, {.offset = 10, .limit = 5});
  EXPECT_THAT(page.items, IsEmpty());
  EXPECT_EQ(page.total, 1);
  EXPECT_TRUE(page.next.empty());
}

TYPED_TEST(StoreContract, ALimitOutsideItsBoundsIsBroughtInside) {
  for (const char* name : {"a", "b"}) this->create(name);
  EXPECT_EQ(this->list({}, {.limit = 0}).items.size(), 1U);
  EXPECT_EQ(this->list({}, {.limit = 2'000'000'000}).items.size(), 2U);
}

TYPED_TEST(StoreContract, PollTargetsOfAllTenantsComeById) {
  std::vector<IntegrationId> ids;
  ids.reserve(6);
  for (int i = 0; i < 5; ++i) ids.push_back(this->create("mine " + std::to_string(i)).id);
  SampleRows other(2);
  this->commit(other.foundation());
  const Integration foreign = other.integration("theirs");
  this->commit(other.creation(foreign));
  ids.push_back(foreign.id);
  std::ranges::sort(ids);

  std::vector<IntegrationId> seen;
  IntegrationId after;
  for (;;) {
    const Result<std::vector<PollTarget>> page = this->run(this->store().integrations().poll_targets(after, 2));
    ASSERT_TRUE(page);
    if (page->empty()) break;
    ASSERT_LE(page->size(), 2U);
    for (const PollTarget& target : *page) {
      EXPECT_EQ(target.tenant, target.id == foreign.id ? other.tenant : this->rows.tenant);
      seen.push_back(target.id);
    }
    after = seen.back();
  }
  EXPECT_EQ(seen, ids);
}

// ---- events

TYPED_TEST(StoreContract, EventsAreListedInTheOrderOfTheirCommits) {
  std::vector<EventId> ids;
  for (int i = 0; i < 5; ++i) {
    Event event = this->rows.event("test." + std::to_string(i), "subject");
    ids.push_back(event.id);
    this->commit(just(AppendEvent{std::move(event)}));
  }
  const std::vector<Event> all = this->events();
  ASSERT_EQ(all.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(all[i].id, ids[i]);
    EXPECT_EQ(all[i].type, "test." + std::to_string(i));
    EXPECT_EQ(all[i].subject, "subject");
    EXPECT_EQ(all[i].document->at("id"), ids[i].to_string());
    EXPECT_EQ(all[i].occurred_at, this->rows.clock().now());
    if (i > 0) EXPECT_GT(all[i].sequence, all[i - 1].sequence);
  }
  const Result<std::vector<Event>> page = this->run(this->store().events().list(this->rows.tenant, all[1].sequence, 2));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->size(), 2U);
  EXPECT_EQ(page->front().id, ids[2]);
  EXPECT_EQ(page->back().id, ids[3]);
}

// ---- idempotency

TYPED_TEST(StoreContract, AnIdempotencyRecordComesBackAndItsKeyIsTaken) {
  const IdempotencyRecord record = this->rows.idempotency("key-1");
  this->commit(just(InsertIdempotency{record}));
  const Result<std::optional<IdempotencyRecord>> found =
      this->run(this->store().idempotency().find(record.tenant, "key-1"));
  ASSERT_TRUE(found);
  ASSERT_TRUE(found->has_value());
  const IdempotencyRecord stored = found->value_or(IdempotencyRecord{});
  EXPECT_EQ(stored.request_sha256, record.request_sha256);
  EXPECT_EQ(stored.status, 201);
  EXPECT_EQ(stored.body, record.body);
  EXPECT_EQ(stored.location, record.location);
  EXPECT_EQ(stored.created_at, record.created_at);

  Transaction change = this->rows.creation(this->rows.integration("made by a repeated request"));
  change.add(InsertIdempotency{record});
  const Result<void> again = this->try_commit(std::move(change));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::conflict);
  EXPECT_EQ(again.error().reason(), "idempotency.key_taken");
  EXPECT_EQ(this->list().total, 0);

  const Result<std::optional<IdempotencyRecord>> none =
      this->run(this->store().idempotency().find(record.tenant, "key-2"));
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value());
}

TYPED_TEST(StoreContract, OldIdempotencyRecordsAreForgotten) {
  const Timestamp start = this->rows.clock().now();
  Transaction change;
  for (int i = 0; i < 2'500; ++i) change.add(InsertIdempotency{this->rows.idempotency("old " + std::to_string(i))});
  this->commit(std::move(change));
  this->rows.clock().advance(std::chrono::hours(1));
  this->commit(just(InsertIdempotency{this->rows.idempotency("new")}));
  const Result<std::int64_t> forgotten = this->run(this->store().idempotency().expire(start + std::chrono::hours(1)));
  ASSERT_TRUE(forgotten);
  EXPECT_EQ(*forgotten, 2'500);
  EXPECT_FALSE(this->run(this->store().idempotency().find(this->rows.tenant, "old 7"))->has_value());
  EXPECT_TRUE(this->run(this->store().idempotency().find(this->rows.tenant, "new"))->has_value());
}

// ---- tenants, users, tokens, types

TYPED_TEST(StoreContract, TenantsUsersAndTokensComeBack) {
  const ApiToken token{.id = this->rows.template new_id<TokenId>(),
                       .tenant = this->rows.tenant,
                       .user = this->rows.user,
                       .name = "ci",
                       .sha256 = std::string(31, '\0') + "\xff",
                       .permissions = {"read", "use"},
                       .created_at = this->rows.clock().now(),
                       .expires_at = this->rows.clock().now() + std::chrono::hours(1)};
  this->commit(just(InsertToken{token}));
  const Result<std::vector<Tenant>> tenants = this->run(this->store().tenants().tenants());
  ASSERT_TRUE(tenants);
  ASSERT_EQ(tenants->size(), 1U);
  EXPECT_EQ(tenants->front().id, this->rows.tenant);
  const Result<std::vector<User>> users = this->run(this->store().tenants().users(this->rows.tenant));
  ASSERT_TRUE(users);
  ASSERT_EQ(users->size(), 1U);
  EXPECT_EQ(users->front().id, this->rows.user);
  EXPECT_EQ(users->front().name, "somebody");
  const Result<std::vector<ApiToken>> tokens = this->run(this->store().tokens().all());
  ASSERT_TRUE(tokens);
  ASSERT_EQ(tokens->size(), 1U);
  EXPECT_EQ(tokens->front().id, token.id);
  EXPECT_EQ(tokens->front().user, token.user);
  EXPECT_EQ(tokens->front().sha256, token.sha256);
  EXPECT_EQ(tokens->front().permissions, token.permissions);
  EXPECT_EQ(tokens->front().expires_at, token.expires_at);
}

TYPED_TEST(StoreContract, StoringATypeAgainReplacesItAndKeepsItsIntegrations) {
  const Integration row = this->create("x");
  this->commit(SampleRows::types());
  EXPECT_TRUE(this->find(row));
}

TYPED_TEST(StoreContract, AnEmptyStoreIsWritable) {
  EXPECT_TRUE(this->run(this->store().check_writable()));
}

}  // namespace
}  // namespace inthub::testing_support
