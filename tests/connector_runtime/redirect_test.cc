#include "connector_runtime/redirect.h"

#include <gtest/gtest.h>

namespace inthub {
namespace {

struct RedirectCase {
  std::string name;
  std::string from;
  std::string method;
  int status;
  std::string location;
  std::string want;  ///< a URL; "none": not a redirect to follow; "refused"
};
class Redirect : public testing::TestWithParam<RedirectCase> {};
TEST_P(Redirect, IsDecided) {
  HttpResponse response;
  response.status = GetParam().status;
  if (!GetParam().location.empty()) response.headers.add("Location", GetParam().location);
  const auto target = redirect_target(HttpUrl::parse(GetParam().from).value(), GetParam().method, response);
  if (GetParam().want == "refused") {
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().reason(), "http.redirect_refused");
    EXPECT_EQ(target.error().code(), ErrorCode::vendor_failure);
    return;
  }
  ASSERT_TRUE(target) << target.error().message();
  const std::optional<HttpUrl>& followed = *target;
  EXPECT_EQ(followed ? followed->to_string() : "none", GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Redirect,
    testing::Values(
        RedirectCase{"Relative", "https://a.example/x/y", "GET", 302, "../z?q=1", "https://a.example/z?q=1"},
        RedirectCase{"OtherHost", "https://a.example/", "HEAD", 307, "https://b.example/f", "https://b.example/f"},
        RedirectCase{"SchemeRelative", "https://a.example/", "GET", 301, "//b.example/f", "https://b.example/f"},
        RedirectCase{"ToHttps", "http://a.example/", "GET", 308, "https://a.example/", "https://a.example/"},
        RedirectCase{"FromHttpsToHttp", "https://a.example/", "GET", 302, "http://a.example/", "refused"},
        RedirectCase{"OtherScheme", "https://a.example/", "GET", 302, "file:///etc/passwd", "refused"},
        RedirectCase{"UserInfo", "https://a.example/", "GET", 302, "https://u:p@a.example/", "refused"},
        RedirectCase{"ToLoopback", "http://a.example/", "GET", 302, "http://127.0.0.1/", "refused"},
        RedirectCase{"ToLocalhost", "http://a.example/", "GET", 302, "http://localhost:8080/", "refused"},
        RedirectCase{"LoopbackToLoopback", "http://127.0.0.1:1/", "GET", 302, "http://127.0.0.1:2/",
                     "http://127.0.0.1:2/"},
        RedirectCase{"Post", "https://a.example/", "POST", 302, "https://b.example/", "none"},
        RedirectCase{"NotModified", "https://a.example/", "GET", 304, "https://b.example/", "none"},
        RedirectCase{"NoLocation", "https://a.example/", "GET", 302, "", "none"},
        RedirectCase{"Ok", "https://a.example/", "GET", 200, "https://b.example/", "none"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace inthub
