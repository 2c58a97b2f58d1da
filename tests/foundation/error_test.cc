#include "foundation/error.h"

#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "foundation/result.h"

namespace inthub {
namespace {

constexpr int kLastCode = static_cast<int>(ErrorCode::internal);

TEST(ErrorCodeTable, EveryCodeHasItsOwnRowNameAndHttpStatus) {
  std::set<std::string_view> names;
  std::set<int> statuses;
  for (int i = 0; i <= kLastCode; ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const ErrorCodeRow& row = describe(code);
    EXPECT_EQ(row.code, code);
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(statuses.insert(row.http_status).second) << row.http_status;
    EXPECT_EQ(error_code_from_http_status(row.http_status), code);
    EXPECT_GT(row.grpc_status, 0);
    EXPECT_LE(row.grpc_status, 16);
    EXPECT_GT(row.exit_code, 0);
  }
}

TEST(ErrorCodeTable, AnUnknownStatusIsInternal) {
  EXPECT_EQ(error_code_from_http_status(418), ErrorCode::internal);
  EXPECT_EQ(error_code_from_http_status(200), ErrorCode::internal);
}

TEST(Error, TheReasonIsTheCodesNameUnlessOneWasSet) {
  EXPECT_EQ(Error(ErrorCode::not_found, "m").reason(), "not_found");
  EXPECT_EQ(Error(ErrorCode::not_found, "m").with_reason("tls.expired").reason(), "tls.expired");
}

TEST(Error, BuilderKeepsEverything) {
  const Error error = Error(ErrorCode::validation_failed, "two rules are broken")
                          .with_reason("config.invalid")
                          .with_remedy("correct them")
                          .with_field("/config")
                          .with_detail("type", "scm.github")
                          .with_violations({{.field = "/config/url", .message = "is required", .code = "required"}})
                          .with_retry_after(std::chrono::seconds(7));
  EXPECT_EQ(error.remedy(), "correct them");
  EXPECT_EQ(error.field(), "/config");
  EXPECT_EQ(error.details().at("type"), "scm.github");
  ASSERT_EQ(error.violations().size(), 1U);
  EXPECT_EQ(error.violations()[0].field, "/config/url");
  EXPECT_EQ(error.retry_after(), std::chrono::seconds(7));
}

TEST(Error, ContextSaysWhatTheCallerWasDoing) {
  const Error inner(ErrorCode::unavailable, "connection refused");
  EXPECT_EQ(inner.with_context("ask GitHub").message(), "ask GitHub: connection refused");
  EXPECT_EQ(inner.message(), "connection refused") << "a copy got the context";
  EXPECT_EQ(Error(inner).with_context("a").with_context("b").message(), "b: a: connection refused");
}

TEST(Error, CopiesAreIndependentAndMovesTakeAll) {
  Error first = Error(ErrorCode::conflict, "a").with_detail("k", "1");
  Error copy = first;
  copy = std::move(copy).with_detail("k", "2");
  EXPECT_EQ(first.details().at("k"), "1");
  EXPECT_EQ(copy.details().at("k"), "2");
  const Error moved = std::move(first);
  EXPECT_EQ(moved.details().at("k"), "1");
}

TEST(Result, CarriesAValueOrAnError) {
  const Result<int> value = 7;
  EXPECT_EQ(value.value_or(0), 7);
  const Result<int> none = fail(ErrorCode::not_found, "nothing");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace inthub
