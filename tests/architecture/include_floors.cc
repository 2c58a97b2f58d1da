#include "architecture/include_floors.h"

#include <algorithm>
#include <optional>
#include <sstream>

namespace inthub::testing_support {
namespace {

/// "room/header.h" of a line `#include "room/header.h"`, however it is spaced.
std::optional<std::string_view> included_path(std::string_view line) {
  const auto skip_blanks = [&line] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return std::nullopt;
  line.remove_prefix(7);
  skip_blanks();
  const bool is_quoted = line.starts_with('"');
  if (!is_quoted && !line.starts_with('<')) return std::nullopt;
  line.remove_prefix(1);
  const std::size_t end = line.find(is_quoted ? '"' : '>');
  if (end == std::string_view::npos) return std::nullopt;
  return line.substr(0, end);
}

std::string room_of(std::string_view path) {
  return std::string(path.substr(0, path.find('/')));
}

}  // namespace

const std::map<std::string, int, std::less<>>& room_floors() {
  static const std::map<std::string, int, std::less<>> floors{
      {"foundation", 0},          {"transport", 1},   {"connectors", 2}, {"authenticators", 2},
      {"credentials", 2},         {"persistence", 2}, {"events", 3},     {"access", 3},
      {"connector_runtime", 3},   {"plugins", 3},     {"doctor", 4},     {"connection_profiles", 4},
      {"integration_manager", 4}, {"server", 5},      {"cli", 5},        {"app", 6},
  };
  return floors;
}

std::vector<std::string> broken_floor_rules(std::string_view path, std::string_view text) {
  const std::string room = room_of(path);
  const auto own = room_floors().find(room);
  if (own == room_floors().end()) return {std::string(path) + ": the room " + room + " has no floor"};
  std::vector<std::string> broken;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto included = included_path(line);
    if (!included) continue;
    const std::string where = std::string(path) + ":" + std::to_string(number) + " includes " + std::string(*included);
    // A path that climbs would get round the walls unseen.
    if (included->find("..") != std::string_view::npos) broken.push_back(where + ", which climbs out of its folder");
    const auto other = room_floors().find(room_of(*included));
    if (other == room_floors().end() || other->first == room) continue;
    if (other->second >= own->second) {
      broken.push_back(where + ": floor " + std::to_string(other->second) + " from floor " +
                       std::to_string(own->second));
    }
  }
  return broken;
}

}  // namespace inthub::testing_support
