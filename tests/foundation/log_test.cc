#include "foundation/log.h"

#include <stdexcept>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "foundation/json.h"

namespace inthub {
namespace {

/// What `write` puts on standard error.
template <class Write>
std::string logged(log::Level level, log::Format format, Write write) {
  log::configure(level, format);
  testing::internal::CaptureStderr();
  write();
  std::string text = testing::internal::GetCapturedStderr();
  log::configure(log::Level::info, log::Format::text);
  return text;
}

TEST(Log, TextEntriesAreOneLineWithEscapedFields) {
  const std::string text = logged(log::Level::info, log::Format::text, [] { log::info("a\nb", {{"key", "q\"x\ny"}}); });
  EXPECT_EQ(text.substr(24), " info a b key=\"q\\\"x\\ny\"\n") << text;
}

TEST(Log, JsonEntriesAreJson) {
  const std::string text =
      logged(log::Level::info, log::Format::json, [] { log::warning("a\nb", {{"key", "q\"x"}, {"bad", "\xFF"}}); });
  const auto entry = parse_json(text);
  ASSERT_TRUE(entry) << text;
  EXPECT_EQ((*entry)["level"], "warning");
  EXPECT_EQ((*entry)["message"], "a\nb");
  EXPECT_EQ((*entry)["key"], "q\"x");
  EXPECT_EQ((*entry)["bad"], "\xEF\xBF\xBD");
}

TEST(Log, LevelsBelowTheLeastAreSilent) {
  EXPECT_EQ(logged(log::Level::error, log::Format::text, [] { log::warning("w"); }), "");
  EXPECT_EQ(logged(log::Level::off, log::Format::text, [] { log::error("e"); }), "");
  EXPECT_NE(logged(log::Level::debug, log::Format::text, [] { log::debug("d"); }), "");
}

TEST(Log, LongValuesAreCutBetweenCharacters) {
  std::string value(1023, 'a');
  value += "é and more";
  const std::string text = logged(log::Level::info, log::Format::json, [&] { log::info(value, {{"key", value}}); });
  const auto entry = parse_json(text);
  ASSERT_TRUE(entry) << entry.error().message();
  EXPECT_EQ((*entry)["key"].get<std::string>().substr(0, 1023), std::string(1023, 'a'));
  EXPECT_EQ((*entry)["key"].get<std::string>().find("more"), std::string::npos);
}

TEST(Log, PercentSignsAndBracesAreNoFormat) {
  EXPECT_NE(logged(log::Level::info, log::Format::text, [] { log::info("%v {} 100%"); }).find("%v {} 100%"),
            std::string::npos);
}

TEST(Log, AnExceptionIsLoggedWithItsBorder) {
  const std::string text = logged(log::Level::info, log::Format::text, [] {
    log::exception("request", std::make_exception_ptr(std::runtime_error("the bug")));
    log::exception("request", std::make_exception_ptr(7));
    log::exception("request", nullptr);
  });
  EXPECT_NE(text.find("where=\"request\" what=\"the bug\""), std::string::npos) << text;
  EXPECT_NE(text.find("unknown exception"), std::string::npos) << text;
}

}  // namespace
}  // namespace inthub
