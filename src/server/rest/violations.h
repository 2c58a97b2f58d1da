#pragma once

#include <vector>

#include "foundation/error.h"

namespace inthub {

/// validation_failed with all of them, the message telling the first. There is at least one. Pure.
Error violations_error(std::vector<Violation> violations);

/// The shape's violations, followed by those rules' violations that do not just repeat a member whose shape was wrong.
/// Pure.
std::vector<Violation> merge_violations(std::vector<Violation> shape, std::vector<Violation> rules);

}  // namespace inthub
