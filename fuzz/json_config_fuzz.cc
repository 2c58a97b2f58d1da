// What parse_json accepts, it writes as text that reads back equal; what it refuses, it refuses with a reason.
#include <cstddef>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "foundation/json.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inthub;
  using fuzzing::require;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr JsonLimits kRoomForEscapes{.max_bytes = std::size_t{16} << 20, .max_depth = 64};

  std::string quoted;
  append_json_string(quoted, text);
  const auto string = parse_json(quoted, kRoomForEscapes);
  require(string && string->is_string(), "append_json_string writes a JSON string");
  if (is_utf8(text)) require(string->get<std::string>() == text, "a JSON string reads back as its text");

  const auto value = parse_json(text);
  if (!value) {
    require(!value.error().message().empty(), "a refusal says why");
    return 0;
  }
  require(is_utf8(text), "what is accepted is UTF-8");
  const auto again = parse_json(to_text(*value), kRoomForEscapes);
  require(again && *again == *value, "compact text reads back equal");
  require(to_text(*again) == to_text(*value), "equal values have the same text");
  const auto pretty = parse_json(to_pretty_text(*value), kRoomForEscapes);
  require(pretty && *pretty == *value, "pretty text reads back equal");
  if (value->is_object()) {
    for (const auto& [key, member] : value->items()) {
      require(value->at(Json::json_pointer("/" + pointer_token(key))) == member, "a pointer token finds its member");
    }
  }
  return 0;
}
