#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace inthub::testing_support {

/// Which floor each room stands on: the first path component below src/, to a number.
const std::map<std::string, int, std::less<>>& room_floors();

/// What is wrong with the #include lines of `text`, the file at `path` below src/, in sentences; empty when all is
/// well. A file may include its own room and rooms on lower floors, and must lie in a room that is known.
std::vector<std::string> broken_floor_rules(std::string_view path, std::string_view text);

}  // namespace inthub::testing_support
