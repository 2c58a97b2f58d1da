#pragma once

#include <string>

#include "cli/command_tree.h"

namespace inthub {

// Completion scripts for interactive shells, generated from the commands themselves. They offer commands, options, the
// words that an option accepts, and files; they never call the hub. Pure.

std::string bash_completion(const CommandNode& root);
std::string zsh_completion(const CommandNode& root);
std::string fish_completion(const CommandNode& root);

}  // namespace inthub
