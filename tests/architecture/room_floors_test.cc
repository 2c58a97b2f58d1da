#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "architecture/include_floors.h"
#include "support/source_directory.h"

namespace inthub::testing_support {
namespace {

TEST(RoomFloors, NoFileIncludesItsOwnFloorOrAHigherOne) {
  const std::filesystem::path source = testing_support::source_directory() / "src";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(source)) {
    const auto extension = entry.path().extension();
    if (!entry.is_regular_file() || (extension != ".h" && extension != ".cc")) continue;
    std::ifstream stream(entry.path());
    ASSERT_TRUE(stream) << entry.path();
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    for (const std::string& broken : broken_floor_rules(entry.path().lexically_relative(source).string(), text)) {
      ADD_FAILURE() << broken;
    }
    ++files;
  }
  EXPECT_GT(files, 20U) << "the walk looks at the wrong place: " << source;
}

TEST(RoomFloors, EveryFolderBelowSrcIsAKnownRoomWithAReadme) {
  for (const auto& entry : std::filesystem::directory_iterator(testing_support::source_directory() / "src")) {
    if (!entry.is_directory()) continue;
    EXPECT_TRUE(room_floors().contains(entry.path().filename().string())) << entry.path();
    EXPECT_TRUE(std::filesystem::exists(entry.path() / "README.md")) << entry.path();
  }
}

TEST(BrokenFloorRules, AnUpwardIncludeIsFound) {
  EXPECT_THAT(broken_floor_rules("transport/a.cc", "#include <map>\n#include \"server/http/router.h\"\n"),
              testing::ElementsAre("transport/a.cc:2 includes server/http/router.h: floor 5 from floor 1"));
}

TEST(BrokenFloorRules, AnIncludeOfTheSameFloorIsFound) {
  EXPECT_EQ(broken_floor_rules("connectors/a.h", "#include \"persistence/store.h\"").size(), 1U);
}

TEST(BrokenFloorRules, HoweverItIsSpelled) {
  for (const char* line : {"  #include \"app/hub.h\"", "#  include\t\"app/hub.h\"", "#include<app/hub.h>",
                           "#include \"app/hub.h\" // x"}) {
    EXPECT_EQ(broken_floor_rules("foundation/a.h", line).size(), 1U) << line;
  }
  EXPECT_EQ(broken_floor_rules("foundation/a.h", "#include \"../app/hub.h\"").size(), 1U);
}

TEST(BrokenFloorRules, LowerFloorsTheOwnRoomAndOtherLibrariesAreFine) {
  EXPECT_THAT(broken_floor_rules("connectors/oci/a.cc",
                                 "#include \"connectors/oci/a.h\"\n#include \"transport/http_client.h\"\n"
                                 "#include <boost/asio.hpp>\n// #include \"app/hub.h\"\n"),
              testing::IsEmpty());
}

TEST(BrokenFloorRules, AnUnknownRoomIsFound) {
  EXPECT_THAT(broken_floor_rules("helpers/a.cc", ""),
              testing::ElementsAre("helpers/a.cc: the room helpers has no floor"));
}

}  // namespace
}  // namespace inthub::testing_support
