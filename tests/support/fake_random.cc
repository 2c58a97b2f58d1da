#include "support/fake_random.h"

#include <algorithm>
#include <cstring>

namespace inthub::testing_support {

void FixedRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    std::uint64_t word = (seed_ << 32) + (counter_.fetch_add(1) + 1) * 0x9E3779B97F4A7C15ULL;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL;
    word ^= word >> 31;
    const std::size_t size = std::min(out.size(), sizeof word);
    std::memcpy(out.data(), &word, size);
    out = out.subspan(size);
  }
}

}  // namespace inthub::testing_support
