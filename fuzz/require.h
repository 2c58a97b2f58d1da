#pragma once

#include <cstdio>
#include <cstdlib>

namespace inthub::fuzzing {

/// A broken property ends the run, so that libFuzzer keeps the input that broke it.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "broken property: %s\n", property);
  std::abort();
}

}  // namespace inthub::fuzzing
