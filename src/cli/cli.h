#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/result.h"
#include "foundation/secret.h"

namespace inthub {

/// A command of the program that is run elsewhere ("serve", "config"): listed in the help and in the completion
/// scripts.
struct ExtraCommand {
  std::string name;
  std::string description;
};

/// What the command line may see of the process. The streams must outlive the call.
struct CliEnvironment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  /// The value of an environment variable, or nothing.
  std::function<std::optional<std::string>(std::string_view name)> variable;
  /// Asks on the terminal and reads one line without echo. Errors: invalid_argument when there is no terminal.
  std::function<Result<SecretPtr>(std::string_view question)> ask_secret;
  std::vector<ExtraCommand> extra_commands;
};

/// The standard streams, environment and controlling terminal of this process.
CliEnvironment process_environment(std::vector<ExtraCommand> extra_commands);

/// Runs one command against a hub and returns the exit code of docs/cli.md. `args` are those after the program's name.
/// What was asked for goes to `out`; errors, warnings and progress go to `err`. Never throws for wrong input.
/// Not thread-safe: one call at a time per environment.
int run_cli(const std::vector<std::string>& args, CliEnvironment& environment);

}  // namespace inthub
