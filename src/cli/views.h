#pragma once

#include <cstdint>
#include <string_view>

#include "foundation/json.h"

namespace inthub {

class Output;

// How answers look to people. Each takes the `data` of one answer of the API.

void show_integration(Output& output, const Json& integration);
void show_integrations(Output& output, const Json& integrations);
/// Whether what was tested is stored, so that a command could change it.
enum class Tested : std::uint8_t { draft, stored };
void show_connection_test(Output& output, std::string_view name, const Json& test, Tested tested);
void show_health(Output& output, std::string_view name, const Json& health);
void show_resources(Output& output, const Json& resources);
void show_types(Output& output, const Json& types);
void show_type(Output& output, const Json& type);
void show_resolution(Output& output, const Json& resolution);
void show_manifest(Output& output, const Json& manifest);
void show_verification(Output& output, const Json& verification);

}  // namespace inthub
