#include "events/cloud_event.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/fake_clock.h"
#include "support/fake_random.h"

namespace inthub::testing_support {
namespace {

TEST(CloudEvent, IsAStructuredDocumentOfVersion1) {
  const FakeClock clock;
  FixedRandom random;
  const TenantId tenant(Uuid::make(clock, random));
  const Event event = make_event(tenant, "integration.created", "the-subject", Json{{"name", "prod"}}, clock, random);
  EXPECT_EQ(*event.document, (Json{{"specversion", "1.0"},
                                   {"id", event.id.to_string()},
                                   {"source", "/inthub"},
                                   {"type", "integration.created"},
                                   {"subject", "the-subject"},
                                   {"time", "2026-01-13T18:53:39.000Z"},
                                   {"datacontenttype", "application/json"},
                                   {"tenantid", tenant.to_string()},
                                   {"data", {{"name", "prod"}}}}));
  EXPECT_EQ(event.tenant, tenant);
  EXPECT_EQ(event.type, "integration.created");
  EXPECT_EQ(event.subject, "the-subject");
  EXPECT_EQ(event.occurred_at, clock.now());
  EXPECT_EQ(event.sequence, 0);
}

/// CloudEvents 1.0, "Naming conventions": attribute names are lower-case letters and digits only.
TEST(CloudEvent, AttributeNamesAreLowerCaseLettersAndDigits) {
  const FakeClock clock;
  FixedRandom random;
  const Event event = make_event(TenantId{}, "t", "s", Json::object(), clock, random);
  for (const auto& [name, value] : event.document->items()) {
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789"), std::string::npos) << name;
  }
}

TEST(CloudEvent, DataOfAnyShapeStaysAsItIs) {
  const FakeClock clock;
  FixedRandom random;
  for (const Json& data : {Json(nullptr), Json::array({1, 2}), Json("text"), Json::array({Json::array({"a", "b"})})}) {
    EXPECT_EQ(make_event(TenantId{}, "t", "s", data, clock, random).document->at("data"), data);
  }
}

TEST(CloudEvent, EveryEventHasAnIdOfItsOwn) {
  const FakeClock clock;
  FixedRandom random;
  EXPECT_NE(make_event(TenantId{}, "t", "s", Json::object(), clock, random).id,
            make_event(TenantId{}, "t", "s", Json::object(), clock, random).id);
}

}  // namespace
}  // namespace inthub::testing_support
