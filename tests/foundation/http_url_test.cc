#include "foundation/http_url.h"

#include <gtest/gtest.h>

namespace inthub {
namespace {

HttpUrl url(const std::string& text) {
  auto parsed = HttpUrl::parse(text);
  EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().message());
  return parsed ? *parsed : HttpUrl{};
}

TEST(HttpUrl, PartsAreNormalised) {
  const HttpUrl parsed = url("HTTPS://Registry.Example.COM:8443/v2/a%2Fb?n=1&m=%20#fragment");
  EXPECT_EQ(parsed.scheme, "https");
  EXPECT_EQ(parsed.host, "registry.example.com");
  EXPECT_EQ(parsed.port, 8443);
  EXPECT_EQ(parsed.path, "/v2/a%2Fb");
  EXPECT_EQ(parsed.query, "n=1&m=%20");
  EXPECT_FALSE(parsed.is_ip_literal);
  EXPECT_EQ(parsed.origin(), "https://registry.example.com:8443");
  EXPECT_EQ(parsed.target(), "/v2/a%2Fb?n=1&m=%20");
  EXPECT_EQ(parsed.to_string(), "https://registry.example.com:8443/v2/a%2Fb?n=1&m=%20");
}

TEST(HttpUrl, DefaultPortsAreFilledInAndNotWritten) {
  EXPECT_EQ(url("https://h").port, 443);
  EXPECT_EQ(url("http://h").port, 80);
  EXPECT_EQ(url("https://h:443/x").to_string(), "https://h/x");
  EXPECT_EQ(url("https://h:80").to_string(), "https://h:80/");
  EXPECT_EQ(url("https://h:/x").port, 443);
}

TEST(HttpUrl, AddressesAreKnownAsSuch) {
  EXPECT_TRUE(url("http://127.0.0.1:5000/").is_ip_literal);
  const HttpUrl six = url("http://[2001:DB8::1]:5000/x");
  EXPECT_TRUE(six.is_ip_literal);
  EXPECT_EQ(six.host, "2001:db8::1");
  EXPECT_EQ(six.to_string(), "http://[2001:db8::1]:5000/x");
  const HttpUrl name = url("http://1.2.3.4.example/x");
  EXPECT_FALSE(name.is_ip_literal);
  EXPECT_EQ(name.host, "1.2.3.4.example");
  EXPECT_EQ(name.path, "/x");
  EXPECT_TRUE(url("https://[2001:db8:0:0::1]/").same_origin(url("https://[2001:DB8::1]/")))
      << "one address has many spellings";
}

TEST(HttpUrl, SameOriginMeansSchemeHostAndPort) {
  EXPECT_TRUE(url("https://h/a").same_origin(url("https://H:443/b")));
  EXPECT_FALSE(url("https://h/").same_origin(url("http://h/")));
  EXPECT_FALSE(url("https://h/").same_origin(url("https://h:444/")));
  EXPECT_FALSE(url("https://h/").same_origin(url("https://g/")));
}

struct BadUrl {
  std::string name;
  std::string text;
};
class RefusedUrl : public testing::TestWithParam<BadUrl> {};

TEST_P(RefusedUrl, IsInvalidAndNotEchoed) {
  const auto parsed = HttpUrl::parse(GetParam().text);
  ASSERT_FALSE(parsed) << parsed->to_string();
  EXPECT_EQ(parsed.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(parsed.error().reason(), "url.invalid");
  EXPECT_EQ(parsed.error().message().find("canary"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, RefusedUrl,
    testing::Values(
        BadUrl{"Empty", ""}, BadUrl{"Relative", "/canary"}, BadUrl{"NoScheme", "canary.example/x"},
        BadUrl{"OtherScheme", "ftp://canary/"}, BadUrl{"FileScheme", "file:///canary"},
        BadUrl{"NoAuthority", "https:canary"}, BadUrl{"NoHost", "https:///canary"},
        BadUrl{"OnlyAPort", "https://:443/canary"}, BadUrl{"UserAndPassword", "https://user:canary@h/"},
        BadUrl{"UserOnly", "https://canary@h/"}, BadUrl{"EmptyUser", "https://@canary/"},
        BadUrl{"PortZero", "https://h:0/canary"}, BadUrl{"PortTooLarge", "https://h:65536/canary"},
        BadUrl{"PortFarTooLarge", "https://h:99999999999/canary"}, BadUrl{"PortWithLetters", "https://h:8o/canary"},
        BadUrl{"NegativePort", "https://h:-1/canary"}, BadUrl{"Blank", "https://h/canary x"},
        BadUrl{"LeadingBlank", " https://h/canary"}, BadUrl{"LineFeed", "https://h/canary\n"},
        BadUrl{"CarriageReturnInHost", "https://h\r/canary"},
        BadUrl{"ZeroByte", std::string("https://h/canary\0x", 18)}, BadUrl{"Backslash", "https://h\\canary"},
        BadUrl{"BackslashInPath", "https://h/\\canary"}, BadUrl{"BadEscape", "https://h/canary%zz"},
        BadUrl{"EscapeInHost", "https://h%2Fcanary/"}, BadUrl{"EncodedBlankInHost", "https://h%20canary/"},
        BadUrl{"OtherScript", "https://caf\xC3\xA9.example/canary"},
        BadUrl{"EncodedOtherScript", "https://caf%C3%A9.example/canary"}, BadUrl{"BadAddress", "https://[canary]/"},
        BadUrl{"OpenBracket", "https://[::1/canary"}, BadUrl{"FutureAddress", "https://[v1.canary]/"},
        BadUrl{"ZoneId", "https://[fe80::1%25eth0]/canary"}, BadUrl{"TextBehindTheAddress", "https://[::1].canary/"},
        BadUrl{"TextBehindThePort", "https://10.0.0.1:80.canary/"}, BadUrl{"TwoPorts", "https://h:80:81/canary"},
        BadUrl{"ShortAddress", "https://127.1/canary"}, BadUrl{"HexadecimalAddress", "https://0x7f.0x1/canary"},
        BadUrl{"OneNumber", "https://2130706433/canary"}, BadUrl{"AddressOutOfRange", "https://1.2.3.256/canary"},
        BadUrl{"AddressWithDot", "https://127.0.0.1./canary"}, BadUrl{"BracketInPath", "https://h/[canary]"},
        BadUrl{"TwoFragments", "https://h/#a#canary"}, BadUrl{"LongHost", "https://" + std::string(254, 'a') + "/"},
        BadUrl{"TooLong", "https://h/" + std::string(8192, 'a')}),
    [](const auto& test) { return test.param.name; });

struct Reference {
  std::string text;
  std::string resolved;
};

TEST(HttpUrl, ReferencesAreResolvedAsInRfc3986) {
  const HttpUrl base = url("http://a/b/c/d;p?q");
  // The examples of RFC 3986 sections 5.4.1 and 5.4.2; a URL here has no fragment.
  for (const Reference& row : {Reference{"g", "http://a/b/c/g"},
                               Reference{"./g", "http://a/b/c/g"},
                               Reference{"g/", "http://a/b/c/g/"},
                               Reference{"/g", "http://a/g"},
                               Reference{"//g", "http://g/"},
                               Reference{"?y", "http://a/b/c/d;p?y"},
                               Reference{"g?y", "http://a/b/c/g?y"},
                               Reference{"#s", "http://a/b/c/d;p?q"},
                               Reference{"g#s", "http://a/b/c/g"},
                               Reference{";x", "http://a/b/c/;x"},
                               Reference{"", "http://a/b/c/d;p?q"},
                               Reference{".", "http://a/b/c/"},
                               Reference{"./", "http://a/b/c/"},
                               Reference{"..", "http://a/b/"},
                               Reference{"../g", "http://a/b/g"},
                               Reference{"../..", "http://a/"},
                               Reference{"../../g", "http://a/g"},
                               Reference{"../../../g", "http://a/g"},
                               Reference{"/./g", "http://a/g"},
                               Reference{"/../g", "http://a/g"},
                               Reference{"g.", "http://a/b/c/g."},
                               Reference{"./../g", "http://a/b/g"},
                               Reference{"g;x=1/../y", "http://a/b/c/y"},
                               Reference{"https://other:8443/x?y", "https://other:8443/x?y"}}) {
    const auto resolved = base.resolve(row.text);
    ASSERT_TRUE(resolved) << row.text;
    EXPECT_EQ(resolved->to_string(), row.resolved) << row.text;
  }
}

TEST(HttpUrl, AReferenceMustNotLeaveTheRules) {
  const HttpUrl base = url("https://h/x");
  for (const char* text :
       {"ftp://g/", "//user:pw@g/", "javascript:alert(1)", "http://g:0/", "a b", "\\\\g\\x", "%zz"}) {
    EXPECT_FALSE(base.resolve(text)) << text;
  }
}

TEST(HttpUrl, TextReadsBackAsTheSame) {
  for (const char* text :
       {"https://h/", "http://[::1]:81/a?b", "https://h/?", "https://h//a/../b", "https://h/a?b?c"}) {
    const std::string once = url(text).to_string();
    EXPECT_EQ(url(once).to_string(), once);
  }
}

}  // namespace
}  // namespace inthub
