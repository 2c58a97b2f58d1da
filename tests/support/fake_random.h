#pragma once

#include <atomic>

#include "foundation/clock.h"

namespace inthub::testing_support {

/// Bytes that look random, never repeat within a test and are the same in every run: SplitMix64 over a counter.
/// Thread-safe.
class FixedRandom final : public RandomSource {
 public:
  explicit FixedRandom(std::uint64_t seed = 1) : seed_(seed) {}
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::uint64_t seed_;
  std::atomic<std::uint64_t> counter_{0};
};

}  // namespace inthub::testing_support
