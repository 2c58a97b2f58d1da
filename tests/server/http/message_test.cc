#include "server/http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "foundation/json.h"

namespace inthub {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::Le;
using testing::Optional;
using testing::Pair;
using testing::SizeIs;

struct PlainRequest final : ServerRequest {
  PlainRequest() { request_id = "request-1"; }
  std::optional<std::string_view> header(std::string_view /*name*/) const override { return std::nullopt; }
};

TEST(Query, NamesAndValuesAreDecoded) {
  EXPECT_THAT(parse_query("a=1&b=x%20y+z&c&d=&e=1=2&&%C3%A9=%26"),
              Optional(ElementsAre(Pair("a", "1"), Pair("b", "x y z"), Pair("c", ""), Pair("d", ""), Pair("e", "1=2"),
                                   Pair("\xC3\xA9", "&"))));
  EXPECT_THAT(parse_query(""), Optional(ElementsAre()));
}

TEST(Query, BadEscapesAndBrokenUtf8AreRefused) {
  for (const char* query : {"a=%", "a=%2", "%zz=1", "a=%ff"}) EXPECT_EQ(parse_query(query), std::nullopt) << query;
}

TEST(Query, MoreThanSixtyFourParametersAreRefused) {
  std::string query;
  for (int i = 0; i < 64; ++i) query += "a=1&";
  EXPECT_THAT(parse_query(query), Optional(SizeIs(64)));
  EXPECT_EQ(parse_query(query + "a=1"), std::nullopt);
}

TEST(SuccessEnvelope, HoldsDataAndMeta) {
  const PlainRequest request;
  const ServerResponse response = success(request, 201, R"({"id":7})", R"("pagination":{"page":1})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.content_type, "application/json");
  const Json body = Json::parse(response.body);
  EXPECT_EQ(body["success"], true);
  EXPECT_EQ(body["data"]["id"], 7);
  EXPECT_EQ(body["meta"]["requestId"], "request-1");
  EXPECT_EQ(body["meta"]["pagination"]["page"], 1);
  EXPECT_TRUE(parse_rfc3339(body["meta"]["timestamp"].get<std::string>()));
}

TEST(SuccessEnvelope, TheTimestampIsNow) {
  const PlainRequest request;
  const Timestamp before = system_clock().now();
  const Json body = Json::parse(success(request, 200, "null").body);
  const Timestamp after = system_clock().now();
  const auto told = parse_rfc3339(body["meta"]["timestamp"].get<std::string>());
  EXPECT_THAT(told, Optional(AllOf(Ge(before), Le(after))));
}

TEST(FailureEnvelope, TellsEverythingTheErrorKnows) {
  const PlainRequest request;
  const ServerResponse response =
      failure(request, Error(ErrorCode::validation_failed, "two \"rules\" broken")
                           .with_reason("integration.config")
                           .with_remedy("fix them")
                           .with_field("/config")
                           .with_detail("type", "registry.harbor")
                           .with_violations({{.field = "/config/url", .message = "is required", .code = "required"}})
                           .with_retry_after(std::chrono::seconds(3)));
  EXPECT_EQ(response.status, 422);
  EXPECT_THAT(response.headers, ElementsAre(Pair("Retry-After", "3")));
  const Json body = Json::parse(response.body);
  EXPECT_EQ(body["success"], false);
  EXPECT_EQ(body["error"], Json::parse(R"({"code":"validation_failed","reason":"integration.config",
    "message":"two \"rules\" broken","remedy":"fix them","field":"/config","details":{"type":"registry.harbor"},
    "validationErrors":[{"field":"/config/url","message":"is required","code":"required"}]})"));
  EXPECT_EQ(body["meta"]["requestId"], "request-1");
}

TEST(FailureEnvelope, LeavesOutWhatTheErrorDoesNotSay) {
  const PlainRequest request;
  const Json body = Json::parse(failure(request, Error(ErrorCode::not_found, "no such integration")).body);
  EXPECT_EQ(body["error"], Json::parse(R"({"code":"not_found","message":"no such integration"})"));
}

TEST(FailureEnvelope, AnInternalErrorKeepsItsMessageToTheLog) {
  const PlainRequest request;
  const ServerResponse response = failure(request, Error(ErrorCode::internal, "cannot open /var/lib/inthub/hub.db"));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("hub.db"), std::string::npos);
  EXPECT_NE(response.body.find("request id request-1"), std::string::npos);
}

}  // namespace
}  // namespace inthub
