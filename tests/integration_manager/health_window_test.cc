#include "integration_manager/health_window.h"

#include <gtest/gtest.h>

namespace inthub {
namespace {

using enum HealthStatus;
const IntegrationId kId(*Uuid::parse("01890a5d-ac96-774b-bcce-b302099a8057"));

TEST(HealthWindow, FirstObservationCountsAtOnce) {
  HealthWindow window;
  EXPECT_EQ(window.observe(kId, unknown, unhealthy), unhealthy);
}

TEST(HealthWindow, OneFailureAmongSuccessesIsNotShown) {
  HealthWindow window;
  EXPECT_EQ(window.observe(kId, unknown, healthy), healthy);
  EXPECT_EQ(window.observe(kId, healthy, unhealthy), healthy);
  EXPECT_EQ(window.observe(kId, healthy, healthy), healthy);
}

TEST(HealthWindow, TwoOfThreeChangeTheStatus) {
  HealthWindow window;
  window.observe(kId, unknown, healthy);
  window.observe(kId, healthy, unhealthy);
  window.observe(kId, healthy, healthy);
  EXPECT_EQ(window.observe(kId, healthy, unhealthy), unhealthy);
}

TEST(HealthWindow, TwoInARowChangeTheStatus) {
  HealthWindow window;
  window.observe(kId, unknown, unhealthy);
  EXPECT_EQ(window.observe(kId, unhealthy, healthy), unhealthy);
  EXPECT_EQ(window.observe(kId, unhealthy, healthy), healthy);
}

TEST(HealthWindow, AfterARestartTheStoredStatusNeedsTwoObservationsToChange) {
  HealthWindow window;
  EXPECT_EQ(window.observe(kId, healthy, degraded), healthy);
  EXPECT_EQ(window.observe(kId, healthy, degraded), degraded);
}

TEST(HealthWindow, ThreeDifferentObservationsKeepTheStatus) {
  HealthWindow window;
  window.observe(kId, unknown, healthy);
  window.observe(kId, healthy, degraded);
  EXPECT_EQ(window.observe(kId, healthy, unhealthy), healthy);
}

TEST(HealthWindow, ForgettingStartsOver) {
  HealthWindow window;
  window.observe(kId, healthy, unhealthy);
  window.forget(kId);
  EXPECT_EQ(window.observe(kId, healthy, unhealthy), healthy);
}

}  // namespace
}  // namespace inthub
