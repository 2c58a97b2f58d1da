#include "cli/cli.h"

#include <algorithm>
#include <istream>
#include <ostream>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/command.h"
#include "cli/command_tree.h"
#include "cli/input.h"

namespace inthub {
namespace {

constexpr std::int64_t kLongestCallSeconds = 3600;

const std::vector<std::string> kOutputWords{"table", "json", "yaml"};  // NOLINT(cert-err58-cpp): of literals

constexpr const char* kDescription =
    "Integration Hub: one place for every external system that release tooling talks to. These commands speak to a "
    "running hub "
    "through its REST API.";
constexpr const char* kExamples =
    R"(inthub status
inthub integration create harbor --type registry.oci --endpoint https://registry.example \
    --username robot --secret-prompt --test
inthub integration list
inthub resolve harbor team/app:v1
inthub COMMAND --help)";

void add_global_options(CLI::App& root, GlobalOptions& global) {
  root.add_option("--server", global.connection.server,
                  fmt::format("The hub's address; also INTHUB_SERVER; default {}", kDefaultServer))
      ->type_name("URL");
  takes_file(root.add_option(
      "--token-file", global.connection.token_file,
      fmt::format("File with the access token; also INTHUB_TOKEN_FILE, or the token itself in INTHUB_TOKEN; "
                  "default, for a hub on this machine, {}",
                  kDefaultTokenFile)));
  takes_file(root.add_option("--server-ca", global.connection.server_ca_file,
                             "PEM file of the authority that signed the hub's own certificate; also INTHUB_SERVER_CA"));
  one_of(root.add_option("--output,-o", global.output,
                         "How results are shown; json and yaml are one document; also INTHUB_OUTPUT; default table"),
         kOutputWords);
  root.add_option("--max-time", global.max_seconds,
                  fmt::format("Longest wait for one answer of the hub; default {}", kDefaultCallTime.count()))
      ->type_name("SECONDS")
      ->check(CLI::Validator(CLI::Range(std::int64_t{1}, kLongestCallSeconds)).description(""));
}

/// Names what was not understood, without values: one of them may be a secret behind a mistyped option.
std::string unexpected_arguments(const CLI::App& root) {
  std::vector<std::string> options;
  std::vector<std::string> words;
  for (const std::string& argument : root.remaining(true)) {
    if (argument.starts_with("--")) {
      options.push_back(argument.substr(0, argument.find('=')));
    } else if (argument.starts_with('-') && argument.size() > 1) {
      options.push_back(argument.substr(0, 2));
    } else {
      words.push_back(fmt::format("\"{}\"", argument));
    }
  }
  if (!options.empty()) return fmt::format("unknown option {}", fmt::join(options, ", "));
  return fmt::format("unexpected argument {}", fmt::join(words, ", "));
}

/// The deepest command that was named.
const CLI::App& named_command(const CLI::App& root) {
  const CLI::App* command = &root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return *command;
}

std::string path_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name();
}

int usage_error(Output& output, const CLI::App& root, Error error) {
  if (error.remedy().empty())
    error = std::move(error).with_remedy(fmt::format("see `{} --help`", path_of(named_command(root))));
  output.error(error, option_for_pointer);
  return describe(ErrorCode::invalid_argument).exit_code;
}

std::string sentence_of(const CLI::ParseError& error, const CLI::App& root) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return unexpected_arguments(root);
  const CLI::App& command = named_command(root);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !command.get_subcommands({}).empty()) {
    const std::vector<std::string> rest = root.remaining(true);
    const auto word =
        std::ranges::find_if(rest, [](const std::string& argument) { return !argument.starts_with('-'); });
    if (word != rest.end()) return fmt::format("`{}` has no command \"{}\"", path_of(command), *word);
    return fmt::format("`{}` needs a command", path_of(command));
  }
  std::string text = error.what();
  while (text.ends_with('\n') || text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace

int run_cli(const std::vector<std::string>& args, CliEnvironment& environment) {
  GlobalOptions global;
  ChosenCommand chosen;
  Output early(environment, OutputFormat::table);

  CLI::App root(kDescription, "inthub");
  root.footer(kExamples);
  root.formatter_fn([](const CLI::App* app, const std::string&, CLI::AppFormatMode) { return render_help(*app); });
  root.set_help_flag("-h,--help", "Show this help");
  root.set_version_flag("--version", "inthub " INTHUB_VERSION, "Show the version of this program");
  root.require_subcommand(1);
  root.fallthrough();  // so that --output and its like may follow the command; inherited by every command
  root.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  add_global_options(root, global);
  const CommandTree tree{.root = root, .chosen = chosen};
  add_integration_commands(tree);
  add_type_commands(tree);
  add_image_commands(tree);
  add_system_commands(tree);
  add_completion_command(tree);
  for (const ExtraCommand& extra : environment.extra_commands) {
    root.add_subcommand(extra.name, extra.description)->prefix_command()->callback([&chosen, name = extra.name] {
      chosen.run = [name](CommandContext&) -> Result<int> {
        return fail(ErrorCode::internal, fmt::format("{} is not run by the client", name));
      };
    });
  }

  if (auto refused = refuse_secret_arguments(args)) {
    early.error(*refused, option_for_pointer);
    return describe(refused->code()).exit_code;
  }
  if (args.empty()) {
    environment.err << render_help(root);
    return describe(ErrorCode::invalid_argument).exit_code;
  }
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());  // CLI11 takes its arguments from the back
    root.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    environment.out << render_help(named_command(root));
    return kExitOk;
  } catch (const CLI::CallForVersion& version) {
    environment.out << version.what() << '\n';
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return usage_error(early, root, Error(ErrorCode::invalid_argument, sentence_of(error, root)));
  }

  if (root.get_option("--output")->count() == 0) {
    if (const auto output = environment.variable("INTHUB_OUTPUT"); output && !output->empty()) global.output = *output;
    if (std::ranges::find(kOutputWords, global.output) == kOutputWords.end()) {
      return usage_error(early, root,
                         Error(ErrorCode::invalid_argument,
                               fmt::format("INTHUB_OUTPUT must be one of {}", fmt::join(kOutputWords, ", ")))
                             .with_reason("cli.usage"));
    }
  }

  CommandContext context(environment, global);
  Result<int> result = chosen.run(context);
  context.output.done();
  environment.out.flush();
  if (!result) {
    context.output.error(result.error(), option_for_pointer);
    return describe(result.error().code()).exit_code;
  }
  if (!environment.out) {
    context.output.error(
        Error(ErrorCode::internal, "the result could not be written to standard output").with_reason("cli.output"),
        option_for_pointer);
    return describe(ErrorCode::internal).exit_code;
  }
  return *result;
}

}  // namespace inthub
