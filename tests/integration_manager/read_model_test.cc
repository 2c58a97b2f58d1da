#include "integration_manager/read_model.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "foundation/clock.h"
#include "foundation/json.h"

namespace inthub {
namespace {

const TenantId kTenant(*Uuid::parse("01890a5d-ac96-774b-bcce-b302099a8057"));
const TenantId kOther(*Uuid::parse("01890a5d-ac96-774b-bcce-b302099a8058"));

IntegrationViewPtr view(IntegrationId id) {
  IntegrationView made;
  made.integration.id = id;
  made.integration.tenant = kTenant;
  return std::make_shared<const IntegrationView>(std::move(made));
}
IntegrationId fresh_id() {
  return IntegrationId(Uuid::make(system_clock(), system_random()));
}

TEST(ReadModel, FindsWhatWasLoaded) {
  ReadModel model;
  const auto id = fresh_id();
  model.finish_load(model.begin_load(id), view(id));
  EXPECT_NE(model.find(kTenant, id), nullptr);
}

TEST(ReadModel, AnotherTenantFindsNothing) {
  ReadModel model;
  const auto id = fresh_id();
  model.finish_load(model.begin_load(id), view(id));
  EXPECT_EQ(model.find(kOther, id), nullptr);
}

TEST(ReadModel, AChangeDropsTheEntry) {
  ReadModel model;
  const auto id = fresh_id();
  model.finish_load(model.begin_load(id), view(id));
  model.changed(id);
  EXPECT_EQ(model.find(kTenant, id), nullptr);
}

TEST(ReadModel, ALoadThatBeganBeforeAChangeStoresNothing) {
  ReadModel model;
  const auto id = fresh_id();
  const auto ticket = model.begin_load(id);
  model.changed(id);
  model.finish_load(ticket, view(id));
  EXPECT_EQ(model.find(kTenant, id), nullptr);
}

TEST(ReadModel, HoldsAtMostTwentyThousandEntries) {
  ReadModel model;
  for (int i = 0; i < 25'000; ++i) {
    const auto id = fresh_id();
    model.finish_load(model.begin_load(id), view(id));
  }
  EXPECT_LE(model.size(), 20'000U);
  EXPECT_GT(model.size(), 15'000U);
}

}  // namespace
}  // namespace inthub
