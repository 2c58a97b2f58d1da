#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "app/serve.h"
#include "cli/cli.h"
#include "foundation/error.h"

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> args(argv + 1, argv + argc);
    if (!args.empty() && args[0] == "serve") return inthub::run_serve({args.begin() + 1, args.end()});
    if (!args.empty() && args[0] == "config") return inthub::run_config({args.begin() + 1, args.end()});
    auto environment =
        inthub::process_environment({{.name = "serve", .description = "Run the hub"},
                                     {.name = "config", .description = "Explain the hub's configuration"}});
    return inthub::run_cli(args, environment);
  } catch (const std::exception& error) {
    std::cerr << "error: a bug reached main(): " << error.what() << '\n';
    return inthub::describe(inthub::ErrorCode::internal).exit_code;
  }
}
