#pragma once

#include <mutex>

#include "foundation/clock.h"

namespace inthub::testing_support {

/// A clock that moves only when a test says so. Thread-safe. Starts at 2026-01-13T18:53:39Z, far from any epoch.
class FakeClock final : public Clock {
 public:
  FakeClock();
  explicit FakeClock(Timestamp start) : now_(start) {}

  Timestamp now() const override;
  /// Starts at the real steady clock's reading, so that deadlines made from it also suit real timers.
  std::chrono::steady_clock::time_point steady_now() const override;

  /// Moves both clocks forward.
  void advance(std::chrono::steady_clock::duration by);
  /// Sets the calendar time; the steady clock stays where it is, as when an operator corrects the machine's time.
  void set_now(Timestamp now);

 private:
  mutable std::mutex mutex_;
  Timestamp now_;
  std::chrono::nanoseconds below_a_millisecond_{0};  // what advance() has not yet carried into now_
  std::chrono::steady_clock::time_point steady_ = std::chrono::steady_clock::now();
};

}  // namespace inthub::testing_support
