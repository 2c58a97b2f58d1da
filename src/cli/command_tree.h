#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
}

namespace inthub {

/// What help and completion need to know of one option or argument.
struct OptionNode {
  std::vector<std::string> names;  ///< with their dashes; one name without dashes for a positional
  std::string value;               ///< what the help calls the value; empty: takes none
  std::vector<std::string> words;  ///< the only values that are accepted; empty: any
  std::string description;
  bool takes_file = false;
  bool positional = false;
  bool required = false;
  bool repeatable = false;
};

/// The commands as plain data: the one source of the help texts and of the completion scripts.
struct CommandNode {
  std::string name;
  std::string path;  ///< "inthub integration create"
  std::string description;
  std::string examples;
  std::vector<OptionNode> options;  ///< hidden ones left out
  std::vector<OptionNode> positionals;
  std::vector<CommandNode> commands;
};

/// Reads a parser's definition. Pure.
CommandNode describe_commands(const CLI::App& app);

/// The help of `app`, which may be any command of the tree. Pure.
std::string render_help(const CLI::App& app);

}  // namespace inthub
