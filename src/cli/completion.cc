#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/command.h"
#include "cli/completion_script.h"

namespace inthub {

void add_completion_command(const CommandTree& tree) {
  ChosenCommand& chosen = tree.chosen;
  const CLI::App& root = tree.root;
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = add_command(tree.root, "completion", "Print the script that completes these commands in a shell",
                                  R"(source <(inthub completion bash)
inthub completion bash | sudo tee /etc/bash_completion.d/inthub
inthub completion zsh > ~/.zfunc/_inthub
inthub completion fish > ~/.config/fish/completions/inthub.fish)");
  one_of(command->add_option("SHELL", *shell, "bash, zsh or fish"), {"bash", "zsh", "fish"})->required();
  command->callback([shell, &chosen, &root] {
    chosen.run = [shell, &root](CommandContext& context) -> Result<int> {
      const CommandNode commands = describe_commands(root);
      context.output.raw(*shell == "bash"  ? bash_completion(commands)
                         : *shell == "zsh" ? zsh_completion(commands)
                                           : fish_completion(commands));
      return kExitOk;
    };
  });
}

}  // namespace inthub
