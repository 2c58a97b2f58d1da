#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "foundation/error.h"
#include "server/rest/rest_api.h"
#include "support/source_directory.h"

namespace inthub {
namespace {

std::string read_source(const std::filesystem::path& path) {
  std::ifstream in(testing_support::source_directory() / path);
  EXPECT_TRUE(in) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::set<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern); match != std::sregex_iterator(); ++match) {
    found.insert((*match)[1].str());
  }
  return found;
}

TEST(ErrorDocumentation, TableOfCodesIsTheHubsOwn) {
  const std::string page = read_source("docs/errors.md");
  std::set<std::string> documented = matches(page, std::regex(R"((\| `[a-z_]+` \| [0-9]{3} \| [0-9]+ \| [0-9]+ \|))"));
  std::set<std::string> known;
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
    const ErrorCodeRow& row = describe(static_cast<ErrorCode>(code));
    std::ostringstream line;
    line << "| `" << row.name << "` | " << row.http_status << " | " << row.grpc_status << " | " << row.exit_code
         << " |";
    known.insert(line.str());
  }
  EXPECT_EQ(documented, known);
}

TEST(ErrorDocumentation, ExplainsEveryReasonThatTheSourcesName) {
  const std::string page = read_source("docs/errors.md");
  const std::set<std::string> documented = matches(page, std::regex(R"(`([a-z0-9_]+\.[a-z0-9_]+)`)"));
  const std::regex reason(R"re(with_reason\(\s*"([a-z0-9_]+\.[a-z0-9_]+)")re");
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(testing_support::source_directory() / "src")) {
    if (entry.path().extension() != ".cc") continue;
    for (const std::string& word : matches(read_source(entry.path()), reason)) {
      ++seen;
      if (word.starts_with("cli.")) continue;
      EXPECT_TRUE(documented.contains(word)) << word << " of " << entry.path() << " is not in docs/errors.md";
    }
  }
  EXPECT_GT(seen, 20U) << "the sources were found";
}

TEST(ApiDocumentation, NamesOnlyPathsThatExist) {
  const std::string page = read_source("docs/api.md");
  const std::string document(openapi_json());
  const std::set<std::string> paths = matches(page, std::regex(R"re(\$HUB(/[^\s"?|]+))re"));
  EXPECT_GE(paths.size(), 10U);
  for (std::string path : paths) {
    path = std::regex_replace(path, std::regex(R"(\$ID)"), "{id}");
    path = std::regex_replace(path, std::regex(R"(registry\.oci)"), "{type}");
    EXPECT_NE(document.find('"' + path + "\":"), std::string::npos) << path;
  }
}

}  // namespace
}  // namespace inthub
