#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_line.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace inthub {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::UnorderedElementsAre;
using testing_support::CommandLine;
using testing_support::find_program;
using testing_support::Process;
using testing_support::TemporaryDirectory;

constexpr std::chrono::seconds kShellTime{30};

std::string script_for(const std::string& shell_name) {
  CommandLine shell;
  EXPECT_EQ(shell.run({"completion", shell_name}), 0) << shell.err;
  return shell.out;
}

/// What bash offers for the last word of a line that begins with "inthub".
std::vector<std::string> offered(const std::vector<std::string>& words) {
  const TemporaryDirectory directory;
  std::vector<std::string> quoted;
  quoted.reserve(words.size());
  for (const std::string& word : words) quoted.push_back(fmt::format("'{}'", word));
  const std::string program =
      fmt::format("{}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_inthub\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
                  script_for("bash"), fmt::join(quoted, " "), words.size() - 1);
  Process bash({"bash", directory.write("program.sh", program)}, {.environment = {},
                                                                  .working_directory = directory.path(),
                                                                  .output = directory.path() / "out",
                                                                  .error_output = {},
                                                                  .input = {}});
  EXPECT_EQ(bash.wait(kShellTime), 0);
  std::ifstream out(directory.path() / "out");
  std::vector<std::string> replies;
  for (std::string line; std::getline(out, line);) {
    if (!line.empty()) replies.push_back(line);
  }
  return replies;
}

TEST(BashCompletion, OffersCommandsOptionsWordsAndFiles) {
  ASSERT_TRUE(find_program("bash"));
  EXPECT_THAT(offered({"inthub", ""}),
              IsSupersetOf({"integration", "type", "resolve", "serve", "config", "completion"}));
  EXPECT_THAT(offered({"inthub", "integration", "re"}), UnorderedElementsAre("resources"));
  EXPECT_THAT(offered({"inthub", "integration", "create", "--sec"}),
              UnorderedElementsAre("--secret-stdin", "--secret-file", "--secret-prompt"));
  EXPECT_THAT(offered({"inthub", "integration", "create", "x", "--auth-mode", ""}),
              UnorderedElementsAre("token", "oauth", "mtls", "iam"));
  EXPECT_THAT(offered({"inthub", "--output", "json", "integration", "l"}), UnorderedElementsAre("list"));
  EXPECT_THAT(offered({"inthub", "integration", "list", "--output", "=", "y"}), UnorderedElementsAre("yaml"));
  EXPECT_THAT(offered({"inthub", "--output", "=", "json", "ty"}), UnorderedElementsAre("type"));
  EXPECT_THAT(offered({"inthub", "completion", ""}), UnorderedElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(offered({"inthub", "status", "--token-file", "prog"}), UnorderedElementsAre("program.sh"));
  EXPECT_THAT(offered({"inthub", "resolve", "--"}), IsSupersetOf({"--platform", "--quiet", "--server", "--output"}));
}

TEST(BashCompletion, TakesTheValueOfAnOptionForNoCommand) {
  // Here "list" is a value, so the command is still to come.
  EXPECT_THAT(offered({"inthub", "integration", "create", "--endpoint", "list", "--ida", ""}), Not(Contains("list")));
  EXPECT_THAT(offered({"inthub", "--server", "type", "integ"}), UnorderedElementsAre("integration"));
}

/// Runs `shell -n` on the script, where that shell is installed.
void expect_valid(const std::string& shell_name) {
  if (!find_program(shell_name)) GTEST_SKIP() << shell_name << " is not installed";
  const TemporaryDirectory directory;
  Process check({shell_name, "-n", directory.write("script", script_for(shell_name))});
  EXPECT_EQ(check.wait(kShellTime), 0);
}

TEST(CompletionScript, IsValidBash) {
  expect_valid("bash");
}
TEST(CompletionScript, IsValidZsh) {
  expect_valid("zsh");
}
TEST(CompletionScript, IsValidFish) {
  expect_valid("fish");
}

TEST(CompletionScript, OfEveryShellKnowsEveryCommandAndOption) {
  for (const std::string shell_name : {"bash", "zsh", "fish"}) {
    const std::string script = script_for(shell_name);
    for (const std::string word :
         {"set-credential", "resources", "idempotency-key", "credential-ref", "strict", "token-file"}) {
      EXPECT_THAT(script, HasSubstr(word)) << shell_name;
    }
  }
}

}  // namespace
}  // namespace inthub
