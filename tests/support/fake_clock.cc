#include "support/fake_clock.h"

namespace inthub::testing_support {

FakeClock::FakeClock() : FakeClock(Timestamp(std::chrono::seconds(1768330419))) {}

Timestamp FakeClock::now() const {
  const std::scoped_lock lock(mutex_);
  return now_;
}

std::chrono::steady_clock::time_point FakeClock::steady_now() const {
  const std::scoped_lock lock(mutex_);
  return steady_;
}

void FakeClock::advance(std::chrono::steady_clock::duration by) {
  const std::scoped_lock lock(mutex_);
  steady_ += by;
  below_a_millisecond_ += by;
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(below_a_millisecond_);
  now_ += whole;
  below_a_millisecond_ -= whole;
}

void FakeClock::set_now(Timestamp now) {
  const std::scoped_lock lock(mutex_);
  now_ = now;
}

}  // namespace inthub::testing_support
