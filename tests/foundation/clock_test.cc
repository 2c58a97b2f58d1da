#include "foundation/clock.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

#include "support/fake_clock.h"
#include "support/fake_random.h"

namespace inthub {
namespace {

using namespace std::chrono_literals;
using testing_support::FakeClock;
using testing_support::FixedRandom;

Timestamp at(std::int64_t millis) {
  return Timestamp(std::chrono::milliseconds(millis));
}

TEST(Rfc3339, IsWrittenInUtcWithMilliseconds) {
  EXPECT_EQ(to_rfc3339(at(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(at(1768330419007)), "2026-01-13T18:53:39.007Z");
  EXPECT_EQ(to_rfc3339(at(951782399999)), "2000-02-28T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(at(951782400000)), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(at(-1)), "1969-12-31T23:59:59.999Z");
}

struct Readable {
  std::string text;
  std::int64_t millis;
};

TEST(Rfc3339, IsReadWithAnyOffsetAndFraction) {
  for (const Readable& row :
       {Readable{"2026-01-13T18:53:39Z", 1768330419000}, Readable{"2026-01-13t18:53:39z", 1768330419000},
        Readable{"2026-01-13T18:53:39.5Z", 1768330419500}, Readable{"2026-01-13T18:53:39.123456789Z", 1768330419123},
        Readable{"2026-01-13T19:53:39+01:00", 1768330419000}, Readable{"2026-01-13T13:23:39-05:30", 1768330419000},
        Readable{"2026-01-13T18:53:39-00:00", 1768330419000}, Readable{"2024-02-29T00:00:00Z", 1709164800000},
        Readable{"2016-12-31T23:59:60Z", 1483228800000}}) {
    const auto read = parse_rfc3339(row.text);
    EXPECT_EQ(read, at(row.millis)) << row.text;
  }
}

TEST(Rfc3339, OtherFormsAreRefused) {
  for (const char* text : {"",
                           "2026-01-13",
                           "2026-01-13 18:53:39Z",
                           "2026-01-13T18:53Z",
                           "2026-01-13T18:53:39",
                           "2026-01-13T18:53:39.Z",
                           "2026-01-13T18:53:39+0100",
                           "2026-01-13T18:53:39+24:00",
                           "2026-01-13T18:53:39+01:60",
                           "2026-01-13T18:53:39ZZ",
                           "2026-1-13T18:53:39Z",
                           "26-01-13T18:53:39Z",
                           "2026-13-13T18:53:39Z",
                           "2026-00-13T18:53:39Z",
                           "2026-01-00T18:53:39Z",
                           "2026-02-29T18:53:39Z",
                           "1900-02-29T00:00:00Z",
                           "2026-04-31T18:53:39Z",
                           "2026-01-13T24:00:00Z",
                           "2026-01-13T18:60:39Z",
                           "2026-01-13T18:53:61Z",
                           "+026-01-13T18:53:39Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Rfc3339, WritingAndReadingAreInverse) {
  for (std::int64_t millis = -1'000'000'000'000; millis < 4'000'000'000'000; millis += 12'345'678'901) {
    EXPECT_EQ(parse_rfc3339(to_rfc3339(at(millis))), at(millis));
  }
}

TEST(HttpDate, IsTheFixedFormOfRfc9110) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), at(784111777000));
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 00:00:00 GMT"), at(1709164800000));
}

TEST(HttpDate, OtherFormsAreRefused) {
  for (const char* text :
       {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 NovX1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:3x GMT", "Sun, 06 Nov 1994 08:49:37GMT  ", "120"}) {
    EXPECT_FALSE(parse_http_date(text)) << text;
  }
}

TEST(SystemClock, IsTheMachines) {
  const auto before = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  EXPECT_GE(system_clock().now(), before);
  const auto steady = std::chrono::steady_clock::now();
  EXPECT_GE(system_clock().steady_now(), steady);
}

TEST(RandomSource, BelowStaysBelowItsBoundAndReachesEveryValue) {
  FixedRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t value = random.below(7);
    EXPECT_LT(value, 7U);
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 7U);
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_EQ(random.below(0), 0U);
}

TEST(RandomSource, ValuesAboveTheLastWholeMultipleAreDrawnAgain) {
  struct Scripted final : RandomSource {
    int calls = 0;
    void fill(std::span<std::uint8_t> out) override {
      // All ones is above the last multiple of every bound that is not a power of two.
      for (std::uint8_t& byte : out) byte = calls == 0 ? 0xFF : 0x01;
      ++calls;
    }
  } random;
  EXPECT_EQ(random.below(10), 0x0101010101010101ULL % 10);
  EXPECT_EQ(random.calls, 2);
}

TEST(SystemRandom, DoesNotRepeat) {
  std::array<std::uint8_t, 16> first{};
  std::array<std::uint8_t, 16> second{};
  system_random().fill(first);
  system_random().fill(second);
  EXPECT_NE(first, second);
}

TEST(FakeClockItself, AdvancesBothClocksAndCarriesFractions) {
  FakeClock clock(at(1000));
  const auto steady = clock.steady_now();
  for (int i = 0; i < 4; ++i) clock.advance(250us);
  EXPECT_EQ(clock.now(), at(1001));
  EXPECT_EQ(clock.steady_now() - steady, 1ms);
  clock.set_now(at(5));
  EXPECT_EQ(clock.now(), at(5));
  EXPECT_EQ(clock.steady_now() - steady, 1ms);
}

}  // namespace
}  // namespace inthub
