#include "cli/cli.h"

#include <ostream>
#include <string>
#include <vector>

#include <CLI/StringTools.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_line.h"
#include "cli/golden.h"

namespace inthub {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::CommandLine;
using testing_support::expect_golden;

class HelpOf : public testing::TestWithParam<std::string> {};

TEST_P(HelpOf, IsAsAgreed) {
  CommandLine shell;
  std::vector<std::string> args;
  if (!GetParam().empty()) args = CLI::detail::split(GetParam(), ' ');
  args.emplace_back("--help");
  EXPECT_EQ(shell.run(args), 0);
  EXPECT_THAT(shell.err, IsEmpty());
  EXPECT_THAT(shell.out, HasSubstr("Examples:\n"));
  args.pop_back();
  expect_golden(fmt::format("help/{}.txt", args.empty() ? "inthub" : fmt::format("{}", fmt::join(args, "-"))),
                shell.out);
}

std::string test_name(const testing::TestParamInfo<std::string>& test) {
  std::string name = test.param.empty() ? "inthub" : test.param;
  for (char& c : name) c = c == ' ' || c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(, HelpOf,
                         testing::Values("", "integration", "integration create", "integration update",
                                         "integration set-credential", "integration delete", "integration list",
                                         "integration get", "integration test", "integration health",
                                         "integration resources", "type", "type list", "type get", "resolve",
                                         "manifest", "verify", "status", "version", "completion"),
                         test_name);

struct Misuse {
  std::string name;
  std::vector<std::string> args;
  std::string says;
  std::string help;  ///< the command whose help is named

  friend std::ostream& operator<<(std::ostream& out, const Misuse& misuse) { return out << misuse.name; }
};
class WrongUsageOf : public testing::TestWithParam<Misuse> {};

TEST_P(WrongUsageOf, IsExplainedOnStandardErrorWithExitCode2) {
  CommandLine shell;
  EXPECT_EQ(shell.run(GetParam().args), 2);
  EXPECT_THAT(shell.out, IsEmpty());
  EXPECT_THAT(shell.err, HasSubstr(GetParam().says));
  EXPECT_THAT(shell.err, HasSubstr(fmt::format("see `{} --help`", GetParam().help)));
}

INSTANTIATE_TEST_SUITE_P(
    , WrongUsageOf,
    testing::Values(
        Misuse{"UnknownCommand", {"integrate"}, "`inthub` has no command \"integrate\"", "inthub"},
        Misuse{"UnknownSubcommand",
               {"integration", "make"},
               "`inthub integration` has no command \"make\"",
               "inthub integration"},
        Misuse{"MissingSubcommand", {"type"}, "`inthub type` needs a command", "inthub type"},
        Misuse{"MissingArgument", {"resolve", "harbor"}, "IMAGE is required", "inthub resolve"},
        Misuse{"UnknownOption",
               {"integration", "list", "--sizes=3"},
               "unknown option --sizes\n",
               "inthub integration list"},
        Misuse{"TooManyArguments",
               {"integration", "get", "a", "b"},
               "unexpected argument \"b\"",
               "inthub integration get"},
        Misuse{"UnknownWord",
               {"integration", "list", "-o", "xml"},
               "must be one of table, json, yaml",
               "inthub integration list"},
        Misuse{
            "OptionTwice", {"integration", "list", "--type", "a", "--type", "b"}, "--type", "inthub integration list"},
        Misuse{"NotANumber", {"integration", "list", "--limit", "many"}, "--limit", "inthub integration list"},
        Misuse{"OutOfRange", {"integration", "list", "--limit", "0"}, "--limit", "inthub integration list"}),
    [](const auto& test) { return test.param.name; });

TEST(WrongUsage, OfNothingAtAllShowsTheHelp) {
  CommandLine shell;
  EXPECT_EQ(shell.run({}), 2);
  EXPECT_THAT(shell.out, IsEmpty());
  EXPECT_THAT(shell.err, HasSubstr("usage: inthub COMMAND"));
}

TEST(WrongUsage, NeverEchoesTheValueOfAnOptionThatIsNotKnown) {
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"integration", "test", "x", "--secrett", "hunter2"},
        {"integration", "test", "x", "--pass-word=hunter2"},
        {"integration", "test", "x", "-phunter2"},
        {"integration", "create", "--password", "hunter2"},
        {"status", "--token=hunter2"}}) {
    CommandLine shell;
    EXPECT_EQ(shell.run(args), 2);
    EXPECT_THAT(shell.shown(), Not(HasSubstr("hunter2")));
  }
}

TEST(WrongUsage, AnUnknownOutputFormatInTheEnvironmentIsNamed) {
  CommandLine shell;
  shell.variables = {{"INTHUB_OUTPUT", "xml"}};
  EXPECT_EQ(shell.run({"version"}), 2);
  EXPECT_THAT(shell.err, HasSubstr("INTHUB_OUTPUT"));
}

TEST(Version, IsShownInEveryFormat) {
  CommandLine shell;
  EXPECT_EQ(shell.run({"version"}), 0);
  EXPECT_EQ(shell.out, "inthub " INTHUB_VERSION "\n");
  EXPECT_EQ(shell.run({"--version"}), 0);
  EXPECT_EQ(shell.out, "inthub " INTHUB_VERSION "\n");
  EXPECT_EQ(shell.run({"version", "--output", "json"}), 0);
  EXPECT_EQ(shell.out, "{\n  \"name\": \"inthub\",\n  \"version\": \"" INTHUB_VERSION "\"\n}\n");
  shell.variables = {{"INTHUB_OUTPUT", "yaml"}};
  EXPECT_EQ(shell.run({"version"}), 0);
  EXPECT_EQ(shell.out, "name: inthub\nversion: \"" INTHUB_VERSION "\"\n");
}

TEST(Help, ListsTheCommandsThatAreRunElsewhere) {
  CommandLine shell;
  EXPECT_EQ(shell.run({"--help"}), 0);
  EXPECT_THAT(shell.out, HasSubstr("serve"));
  EXPECT_THAT(shell.out, HasSubstr("Explain the hub's configuration"));
}

}  // namespace
}  // namespace inthub
