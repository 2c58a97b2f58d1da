#pragma once

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "cli/cli.h"

namespace inthub::testing_support {

/// What the process around a command looks like, and what the command made of it:
///   CommandLine shell{.variables = {{"INTHUB_SERVER", hub.url()}}};
///   EXPECT_EQ(shell.run({"integration", "list"}), 0);
///   EXPECT_THAT(shell.out, HasSubstr("harbor"));
struct CommandLine {
  std::map<std::string, std::string> variables;
  std::string in;
  bool is_terminal = false;
  std::string typed_secret;  ///< what the prompt without echo returns; empty: there is no terminal
  std::vector<std::string> questions;
  std::string out;
  std::string err;

  int run(const std::vector<std::string>& args) {
    std::istringstream input(in);
    std::ostringstream output;
    std::ostringstream errors;
    CliEnvironment environment{
        .in = input,
        .out = output,
        .err = errors,
        .in_is_terminal = is_terminal,
        .out_is_terminal = is_terminal,
        .err_is_terminal = is_terminal,
        .variable = [this](std::string_view name) -> std::optional<std::string> {
          const auto found = variables.find(std::string(name));
          return found == variables.end() ? std::nullopt : std::optional(found->second);
        },
        .ask_secret = [this](std::string_view question) -> Result<SecretPtr> {
          questions.emplace_back(question);
          if (typed_secret.empty()) return fail(ErrorCode::invalid_argument, "there is no terminal");
          return make_secret(std::string(typed_secret));
        },
        .extra_commands = {{.name = "serve", .description = "Run the hub"},
                           {.name = "config", .description = "Explain the hub's configuration"}}};
    const int exit_code = run_cli(args, environment);
    out = output.str();
    err = errors.str();
    return exit_code;
  }
  /// Everything that was shown.
  std::string shown() const { return out + err; }
};

}  // namespace inthub::testing_support
