#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/output.h"
#include "foundation/json.h"
#include "foundation/result.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
class Option;
}  // namespace CLI

namespace inthub {

struct GlobalOptions {
  ConnectionOptions connection;
  std::string output = "table";
  std::int64_t max_seconds = kDefaultCallTime.count();
};

inline constexpr int kExitOk = 0;
/// The command ran, and what it found is bad: a failed test, an unhealthy system, a digest that does not match. The
/// exit code of vendor_failure.
int exit_code_of_bad_finding();

/// What a running command works with.
class CommandContext {
 public:
  CommandContext(CliEnvironment& process, const GlobalOptions& global);
  /// One call of the hub; connects on first use.
  Result<ApiAnswer> call(ApiRequest request);
  /// The address that calls go to.
  Result<std::string> server();
  /// The pages of a list up to `limit` entries. `member` names the list inside the answer's data; empty: the data is
  /// the list. Errors: of call().
  struct Listing {
    JsonPtr entries;     ///< an array
    bool more = false;   ///< there are more than `limit`
    JsonPtr first_data;  ///< the data of the first page, for what stands beside the list
  };
  Result<Listing> list(const std::string& path, const std::vector<std::pair<std::string, std::string>>& query,
                       std::string_view member, std::size_t limit);
  /// The integration with this id or name. Errors: not_found.
  Result<ApiAnswer> find_integration(const std::string& id_or_name);
  /// The id alone; an id is taken as it is, without asking.
  Result<std::string> find_integration_id(const std::string& id_or_name);

  CliEnvironment& environment;
  const GlobalOptions& options;
  Output output;

 private:
  std::unique_ptr<HubClient> client_;
};

/// The exit code, or why there is none.
using Command = std::function<Result<int>(CommandContext&)>;
/// Filled by the parser with the command that was named.
struct ChosenCommand {
  Command run;
};

/// Where a command group hangs its commands.
struct CommandTree {
  CLI::App& root;
  ChosenCommand& chosen;
};

// One file each. They add their commands and their help; nothing runs before parsing has ended.
void add_integration_commands(const CommandTree& tree);
void add_type_commands(const CommandTree& tree);
void add_image_commands(const CommandTree& tree);
void add_system_commands(const CommandTree& tree);
void add_completion_command(const CommandTree& tree);

/// A command below `parent` with its one-line description and its examples (whole lines, without indent).
CLI::App* add_command(CLI::App& parent, std::string name, std::string description, std::string examples);
/// Restricts an option to `words`, which the help and the completion scripts show.
CLI::Option* one_of(CLI::Option* option, std::vector<std::string> words);
/// Marks an option's value as a file, for help and completion.
CLI::Option* takes_file(CLI::Option* option);

/// The integration commands' option that sets what a JSON pointer of a request names; empty when there is none. Pure.
std::string option_for_pointer(std::string_view pointer);

// Reading answers: a member as text, "" when absent or null; numbers and booleans as JSON has them.
std::string text_at(const Json& object, std::string_view name);
/// A member of any kind; null when absent.
const Json& member_at(const Json& object, std::string_view name);

}  // namespace inthub
