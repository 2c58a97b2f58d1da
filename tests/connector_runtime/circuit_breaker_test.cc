#include "connector_runtime/circuit_breaker.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"

namespace inthub {
namespace {

using std::chrono::seconds;
using State = CircuitBreaker::State;

class CircuitBreakerTest : public testing::Test {
 protected:
  void fail_times(int count) {
    for (int i = 0; i < count; ++i) {
      auto passage = breaker_.admit(id_, origin_);
      ASSERT_TRUE(passage) << passage.error().message();
      passage->failed("it answered 503");
    }
  }
  testing_support::FakeClock clock_;
  CircuitBreaker breaker_{clock_};
  IntegrationId id_{Uuid{{1}}};
  std::string origin_ = "https://vendor.example";
};

TEST_F(CircuitBreakerTest, OpensAfterFiveFailuresInARow) {
  fail_times(4);
  EXPECT_EQ(breaker_.state(id_, origin_), State::closed);
  fail_times(1);
  EXPECT_EQ(breaker_.state(id_, origin_), State::open);
  const auto refused = breaker_.admit(id_, origin_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(refused.error().reason(), "breaker.open");
  EXPECT_EQ(refused.error().retry_after(), seconds(10));
  EXPECT_NE(refused.error().message().find("it answered 503"), std::string::npos);
}

TEST_F(CircuitBreakerTest, ASuccessBetweenFailuresStartsTheCountAgain) {
  fail_times(4);
  breaker_.admit(id_, origin_)->succeeded();
  fail_times(4);
  EXPECT_EQ(breaker_.state(id_, origin_), State::closed);
}

TEST_F(CircuitBreakerTest, HalfOpenLetsOneProbePassAndItsSuccessCloses) {
  fail_times(5);
  clock_.advance(seconds(10));
  EXPECT_EQ(breaker_.state(id_, origin_), State::half_open);
  auto probe = breaker_.admit(id_, origin_);
  ASSERT_TRUE(probe);
  EXPECT_FALSE(breaker_.admit(id_, origin_)) << "a second request must wait for the probe";
  probe->succeeded();
  EXPECT_EQ(breaker_.state(id_, origin_), State::closed);
  EXPECT_TRUE(breaker_.admit(id_, origin_));
  EXPECT_EQ(breaker_.size(), 0U);
}

TEST_F(CircuitBreakerTest, EachFailedProbeDoublesThePauseUpToFiveMinutes) {
  fail_times(5);
  for (const int pause : {10, 20, 40, 80, 160, 300, 300}) {
    const auto refused = breaker_.admit(id_, origin_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().retry_after(), seconds(pause));
    clock_.advance(seconds(pause) - seconds(1));
    EXPECT_EQ(breaker_.state(id_, origin_), State::open);
    clock_.advance(seconds(1));
    fail_times(1);
  }
}

TEST_F(CircuitBreakerTest, AProbeThatTaughtNothingLeavesItsPlace) {
  fail_times(5);
  clock_.advance(seconds(10));
  {
    const auto abandoned = breaker_.admit(id_, origin_);
  }
  EXPECT_TRUE(breaker_.admit(id_, origin_));
}

TEST_F(CircuitBreakerTest, ObserversPassAndTheirSuccessCloses) {
  fail_times(5);
  auto observer = breaker_.observe(id_, origin_);
  observer.failed("it answered 500");
  EXPECT_EQ(breaker_.admit(id_, origin_).error().retry_after(), seconds(10)) << "the pause is not made longer";
  breaker_.observe(id_, origin_).succeeded();
  EXPECT_EQ(breaker_.state(id_, origin_), State::closed);
}

TEST_F(CircuitBreakerTest, IntegrationsAndOriginsAreApart) {
  fail_times(5);
  EXPECT_TRUE(breaker_.admit(id_, "https://other.example"));
  EXPECT_TRUE(breaker_.admit(IntegrationId(Uuid{{2}}), origin_));
}

TEST_F(CircuitBreakerTest, ForgettingAnIntegrationClosesItsBreakers) {
  fail_times(5);
  breaker_.forget(id_);
  EXPECT_TRUE(breaker_.admit(id_, origin_));
}

TEST_F(CircuitBreakerTest, TheTableIsBoundedAndGivesUpWhatChangedLongestAgo) {
  CircuitBreaker small(clock_, {.failures_to_open = 1, .max_entries = 2});
  for (const auto* origin : {"https://a.example", "https://b.example", "https://c.example"}) {
    small.admit(id_, origin)->failed("refused");
    clock_.advance(seconds(1));
  }
  EXPECT_EQ(small.size(), 2U);
  EXPECT_EQ(small.state(id_, "https://a.example"), State::closed);
  EXPECT_EQ(small.state(id_, "https://c.example"), State::open);
}

}  // namespace
}  // namespace inthub
