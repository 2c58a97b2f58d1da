#include "foundation/ids.h"

#include <type_traits>
#include <unordered_set>

#include <gtest/gtest.h>

#include "foundation/clock.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"

namespace inthub {
namespace {

using testing_support::FakeClock;
using testing_support::FixedRandom;

static_assert(!std::is_convertible_v<Uuid, TenantId>);
static_assert(!std::is_constructible_v<TenantId, IntegrationId>);

TEST(Uuid, MadeOnesAreVersion7OfTheGivenTime) {
  const FakeClock clock{Timestamp(std::chrono::milliseconds(0x0123456789AB))};
  FixedRandom random;
  const std::string text = Uuid::make(clock, random).to_string();
  EXPECT_EQ(text.substr(0, 13), "01234567-89ab");
  EXPECT_EQ(text[14], '7');
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos) << "variant of RFC 9562";
}

TEST(Uuid, LaterOnesSortAfterEarlierOnes) {
  FakeClock clock;
  FixedRandom random;
  const Uuid first = Uuid::make(clock, random);
  clock.advance(std::chrono::milliseconds(1));
  const Uuid second = Uuid::make(clock, random);
  EXPECT_LT(first, second);
  EXPECT_LT(first.to_string(), second.to_string());
}

TEST(Uuid, ManyOfOneMillisecondDiffer) {
  const FakeClock clock;
  FixedRandom random;
  std::unordered_set<Uuid> made;
  for (int i = 0; i < 1000; ++i) made.insert(Uuid::make(clock, random));
  EXPECT_EQ(made.size(), 1000U);
}

TEST(Uuid, TextAndValueAreInverse) {
  const std::string text = "0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10";
  const auto id = Uuid::parse(text);
  EXPECT_EQ(id.value_or(Uuid()).to_string(), text);
  EXPECT_EQ(Uuid::parse("0D4F2F3E-2F0A-4C8E-9A53-6F1D6C1F2A10"), id);
}

TEST(Uuid, OtherFormsAreRefused) {
  for (const char* text : {"", "0d4f2f3e2f0a4c8e9a536f1d6c1f2a10", "{0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10}",
                           "0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a1", "0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a100",
                           "0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a1g", "0d4f2f3e+2f0a-4c8e-9a53-6f1d6c1f2a10",
                           "0d4f2f3e-2f0a-4c8e-9a536-f1d6c1f2a10", " d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10"}) {
    EXPECT_FALSE(Uuid::parse(text)) << text;
  }
}

TEST(StrongId, IsItsUuid) {
  EXPECT_TRUE(TenantId().is_nil());
  const TenantId id = TenantId::parse("0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10").value_or(TenantId());
  EXPECT_FALSE(id.is_nil());
  EXPECT_EQ(TenantId(id.uuid()), id);
  EXPECT_EQ(std::hash<TenantId>{}(id), std::hash<Uuid>{}(id.uuid()));
  EXPECT_FALSE(TenantId::parse("x"));
}

}  // namespace
}  // namespace inthub
