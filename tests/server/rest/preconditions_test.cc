#include "server/rest/preconditions.h"

#include <gtest/gtest.h>

namespace inthub {
namespace {

TEST(EntityTagList, IsReadAsRfc9110HasIt) {
  const auto tags = parse_entity_tags(" \"1\" , W/\"two\",\"\" ");
  ASSERT_TRUE(tags);
  ASSERT_EQ(tags->tags.size(), 3U);
  EXPECT_EQ(tags->tags[0].opaque, "1");
  EXPECT_TRUE(tags->tags[1].weak);
  EXPECT_EQ(tags->tags[2].opaque, "");
  EXPECT_FALSE(tags->any);
}

TEST(EntityTagList, StarMeansAny) {
  EXPECT_TRUE(parse_entity_tags("*")->any);
}

TEST(EntityTagList, MalformedOnesAreRefused) {
  for (const char* text :
       {"", "1", "\"1", "1\"", "\"1\"\"2\"", "\"1\",", ",\"1\"", "W/1", "\"a b\"", "*, \"1\"", "\"\x01\""}) {
    EXPECT_FALSE(parse_entity_tags(text)) << text;
  }
}

TEST(EntityTagList, IsBounded) {
  std::string list = "\"0\"";
  for (std::size_t i = 1; i < kMaxEntityTags; ++i) list += ",\"1\"";
  EXPECT_TRUE(parse_entity_tags(list));
  EXPECT_FALSE(parse_entity_tags(list + ",\"1\""));
}

}  // namespace
}  // namespace inthub
