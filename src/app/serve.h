#pragma once

#include <string>
#include <vector>

namespace inthub {

/// `inthub serve …`: runs a hub until SIGTERM or SIGINT. `args` are those after "serve". Returns the exit code.
int run_serve(const std::vector<std::string>& args);
/// `inthub config check …`: prints the effective configuration and where each value came from. `args` are those after
/// "config".
int run_config(const std::vector<std::string>& args);

}  // namespace inthub
