#include <gtest/gtest.h>

#include "integration_manager/health_poller.h"

namespace inthub {
namespace {

using namespace std::chrono_literals;
constexpr double kNoJitter = 0.5;  // the middle of the ±10 % band

PollHistory after(std::initializer_list<HealthStatus> observed) {
  PollHistory history;
  for (const HealthStatus status : observed) history.add(status);
  return history;
}
std::chrono::milliseconds delay(const PollHistory& history) {
  return next_poll_delay(history, 60s, 300s, kNoJitter);
}

TEST(PollSchedule, AChangedStatusIsConfirmedSoon) {
  EXPECT_EQ(delay(after({HealthStatus::healthy})), 15s);
  EXPECT_EQ(delay(after({HealthStatus::healthy, HealthStatus::healthy, HealthStatus::unhealthy})), 15s);
}

TEST(PollSchedule, ASteadyHealthyOneIsPolledAtTheUsualInterval) {
  EXPECT_EQ(delay(after({HealthStatus::healthy, HealthStatus::healthy})), 60s);
}

TEST(PollSchedule, SteadinessSlowsDownToTheBound) {
  PollHistory history;
  for (int i = 0; i < 11; ++i) history.add(HealthStatus::healthy);
  EXPECT_EQ(delay(history), 120s);
  for (int i = 0; i < 100; ++i) history.add(HealthStatus::healthy);
  EXPECT_EQ(delay(history), 300s);
}

TEST(PollSchedule, FailuresBackOffFromThirtySecondsToTheBound) {
  PollHistory history = after({HealthStatus::unhealthy, HealthStatus::unhealthy});
  EXPECT_EQ(delay(history), 30s);
  history.add(HealthStatus::unhealthy);
  EXPECT_EQ(delay(history), 60s);
  for (int i = 0; i < 1000; ++i) history.add(HealthStatus::unhealthy);
  EXPECT_EQ(delay(history), 300s);
}

TEST(PollSchedule, JitterStaysWithinTenPercent) {
  const auto history = after({HealthStatus::healthy, HealthStatus::healthy});
  EXPECT_EQ(next_poll_delay(history, 60s, 300s, 0.0), 54s);
  EXPECT_LT(next_poll_delay(history, 60s, 300s, 0.999), 66s);
}

TEST(PollSchedule, AShortUsualIntervalIsNeverExceededByTheConfirmation) {
  EXPECT_EQ(next_poll_delay(after({HealthStatus::healthy}), 5s, 300s, kNoJitter), 5s);
}

}  // namespace
}  // namespace inthub
