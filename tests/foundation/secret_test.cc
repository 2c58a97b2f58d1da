#include "foundation/secret.h"

#include <type_traits>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace inthub {
namespace {

static_assert(!fmt::is_formattable<Secret>::value);
static_assert(!std::is_constructible_v<nlohmann::json, const Secret&>);
static_assert(!std::is_copy_constructible_v<Secret> && !std::is_move_constructible_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string> && !std::is_convertible_v<Secret, std::string_view>);

TEST(Secret, TakingItOverEmptiesTheSourceWhereverItsBytesLay) {
  for (const std::string& text : {std::string("short"), std::string(100, 's')}) {
    std::string source = text;
    const char* buffer = source.data();
    const SecretPtr secret = make_secret(std::move(source));
    EXPECT_EQ(secret->reveal(), text);
    EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): the promise under test
    EXPECT_EQ(source.data(), buffer) << "the buffer was overwritten in place";
    EXPECT_NE(buffer[0], text[0]);
  }
}

TEST(Wipe, OverwritesTheWholeCapacity) {
  std::string text(100, 's');
  const char* buffer = text.data();
  text.resize(10);
  wipe(text);
  EXPECT_TRUE(text.empty());
  ASSERT_EQ(text.data(), buffer);
  text.resize(100, 'x');
  ASSERT_EQ(text.data(), buffer) << "still the same buffer";
}

TEST(Secret, KnowsWhetherItIsEmpty) {
  EXPECT_TRUE(Secret("").empty());
  EXPECT_FALSE(Secret("x").empty());
}

}  // namespace
}  // namespace inthub
