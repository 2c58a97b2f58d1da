#include "server/http/timer_wheel.h"

#include <chrono>

#include <gtest/gtest.h>

namespace inthub::http {
namespace {

using namespace std::chrono_literals;

class TimerWheelTest : public testing::Test {
 protected:
  /// How often `entry` fires when time moves on by `step`.
  int fired_after(std::chrono::milliseconds step) {
    now_ += step;
    int fired = 0;
    wheel_.advance(now_, [&](TimerWheel::Entry& expired) { fired += &expired == &entry_ ? 1 : 0; });
    return fired;
  }

  TimerWheel::TimePoint now_ = TimerWheel::TimePoint() + 1h;
  TimerWheel wheel_{now_};
  TimerWheel::Entry entry_;
};

TEST_F(TimerWheelTest, FiresOnceAndNotBeforeTheDeadline) {
  wheel_.set(entry_, now_ + 250ms);
  EXPECT_EQ(fired_after(240ms), 0);
  EXPECT_EQ(fired_after(TimerWheel::kTick), 1);
  EXPECT_EQ(fired_after(1h), 0);
}

TEST_F(TimerWheelTest, ADeadlineMovedLaterFiresAtTheLaterTime) {
  wheel_.set(entry_, now_ + 200ms);
  wheel_.set(entry_, now_ + 5s);
  EXPECT_EQ(fired_after(4900ms), 0);
  EXPECT_EQ(fired_after(200ms), 1);
}

TEST_F(TimerWheelTest, ADeadlineMovedEarlierFiresAtTheEarlierTime) {
  wheel_.set(entry_, now_ + 60s);
  wheel_.set(entry_, now_ + 100ms);
  EXPECT_EQ(fired_after(300ms), 1);
}

TEST_F(TimerWheelTest, DeadlinesBeyondOneTurnAreKept) {
  const auto deadline = TimerWheel::kTick * TimerWheel::kSlots * 3 + 50ms;
  wheel_.set(entry_, now_ + deadline);
  int fired = 0;
  for (auto passed = 0ms; passed + 100ms <= deadline; passed += 100ms) fired += fired_after(100ms);
  EXPECT_EQ(fired, 0);
  EXPECT_EQ(fired_after(200ms), 1);
}

TEST_F(TimerWheelTest, AClearedDeadlineDoesNotFireAndCanBeSetAgain) {
  wheel_.set(entry_, now_ + 100ms);
  TimerWheel::clear(entry_);
  EXPECT_EQ(fired_after(1s), 0);
  wheel_.set(entry_, now_ + 100ms);
  EXPECT_EQ(fired_after(300ms), 1);
}

TEST_F(TimerWheelTest, APausedProcessFiresWhatIsOverdue) {
  wheel_.set(entry_, now_ + 2s);
  EXPECT_EQ(fired_after(24h), 1);
}

TEST_F(TimerWheelTest, AnEntryMayBeSetAgainWhileItFires) {
  wheel_.set(entry_, now_ + 100ms);
  now_ += 300ms;
  wheel_.advance(now_, [&](TimerWheel::Entry& expired) { wheel_.set(expired, now_ + 100ms); });
  EXPECT_EQ(fired_after(300ms), 1);
}

TEST_F(TimerWheelTest, ADestroyedEntryIsForgotten) {
  {
    TimerWheel::Entry gone;
    wheel_.set(gone, now_ + 100ms);
  }
  wheel_.set(entry_, now_ + 100ms);
  EXPECT_EQ(fired_after(300ms), 1);
}

}  // namespace
}  // namespace inthub::http
