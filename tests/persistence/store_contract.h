#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "persistence/sample_rows.h"
#include "persistence/store.h"
#include "support/run_task.h"

namespace inthub::testing_support {

/// What store.h and transaction.h promise of every adapter. `Fixture` opens an empty store: it is
/// default-constructible, has `Store& store()` and `static constexpr const char* kName`.
template <class Fixture>
class StoreContract : public testing::Test {
 protected:
  void SetUp() override { commit(rows.foundation()); }

  Store& store() { return fixture_.store(); }
  template <class T>
  T run(Task<T> task) {
    return run_task(context_, std::move(task));
  }
  asio::io_context& context() { return context_; }

  Result<void> try_commit(Transaction transaction) { return run(store().commit(std::move(transaction))); }
  void commit(Transaction transaction) {
    const Result<void> done = try_commit(std::move(transaction));
    ASSERT_TRUE(done) << done.error().message();
  }
  /// A stored integration.
  Integration create(std::string name, std::string type = "registry.oci") {
    Integration row = rows.integration(std::move(name), std::move(type));
    commit(rows.creation(row));
    return row;
  }
  Result<Integration> find(const Integration& row) { return run(store().integrations().find(row.tenant, row.id)); }
  IntegrationPage list(IntegrationFilter filter = {}, Page page = {}) {
    Result<IntegrationPage> answer = run(store().integrations().list(rows.tenant, std::move(filter), std::move(page)));
    EXPECT_TRUE(answer) << answer.error().message();
    return answer ? std::move(*answer) : IntegrationPage{};
  }
  std::vector<Event> events() {
    Result<std::vector<Event>> answer = run(store().events().list(rows.tenant, 0, 1000));
    EXPECT_TRUE(answer) << answer.error().message();
    return answer ? std::move(*answer) : std::vector<Event>{};
  }
  static std::vector<std::string> names(const std::vector<Integration>& items) {
    std::vector<std::string> all;
    all.reserve(items.size());
    for (const Integration& item : items) all.push_back(item.name);
    return all;
  }

  SampleRows rows;

 private:
  asio::io_context context_{1};  // outlives the store
  Fixture fixture_;
};

/// Names a test after its adapter instead of a number.
struct AdapterName {
  template <class Fixture>
  static std::string GetName(int) {  // NOLINT(readability-identifier-naming): GoogleTest asks for this name
    return Fixture::kName;
  }
};

}  // namespace inthub::testing_support
