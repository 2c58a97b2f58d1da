#include "transport/proxy.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace inthub::transport {
namespace {

struct Case {
  std::string name;
  std::vector<std::string> no_proxy;
  std::string url;
  bool direct;
};
class NoProxy : public testing::TestWithParam<Case> {};
TEST_P(NoProxy, Decides) {
  EXPECT_EQ(goes_direct(GetParam().no_proxy, HttpUrl::parse(GetParam().url).value()), GetParam().direct);
}
INSTANTIATE_TEST_SUITE_P(
    Lists, NoProxy,
    testing::Values(Case{"Empty", {}, "http://a.example/", false}, Case{"Everything", {"*"}, "http://a.example/", true},
                    Case{"SameName", {"a.example"}, "http://a.example/", true},
                    Case{"CaseAndBlanks", {" A.Example "}, "http://a.example/", true},
                    Case{"NameBelow", {"example"}, "http://a.example/", true},
                    Case{"SuffixWithDot", {".example"}, "http://a.example/", true},
                    Case{"SuffixIsNotPartOfALabel", {"ample"}, "http://a.example/", false},
                    Case{"LongerName", {"x.a.example"}, "http://a.example/", false},
                    Case{"TrailingDot", {"a.example"}, "http://a.example./", true},
                    Case{"SamePort", {"a.example:8443"}, "https://a.example:8443/", true},
                    Case{"OtherPort", {"a.example:8443"}, "https://a.example/", false},
                    Case{"Address", {"10.0.0.1"}, "http://10.0.0.1/", true},
                    Case{"OtherAddress", {"10.0.0.1"}, "http://10.0.0.11/", false},
                    Case{"Network", {"10.0.0.0/8"}, "http://10.255.0.1/", true},
                    Case{"OtherNetwork", {"10.0.0.0/8"}, "http://11.0.0.1/", false},
                    Case{"NetworkDoesNotResolveNames", {"10.0.0.0/8"}, "http://ten.example/", false},
                    Case{"V6", {"fd00::1"}, "http://[fd00:0::1]/", true},
                    Case{"V6InBracketsWithPort", {"[fd00::1]:80"}, "http://[fd00::1]/", true},
                    Case{"V6Network", {"fd00::/8"}, "http://[fd12::1]/", true},
                    Case{"V6NetworkAndV4", {"::/0"}, "http://10.0.0.1/", false},
                    Case{"DigitsInANameAreNoAddress", {"1"}, "http://10.0.0.1/", false},
                    Case{"EmptyEntries", {"", ".", " "}, "http://a.example/", false}),
    [](const auto& test) { return test.param.name; });

TEST(ProxyUrl, KindHostAndPortAreRead) {
  const auto http = parse_proxy("http://Proxy.Example:3128");
  ASSERT_TRUE(http);
  EXPECT_EQ(http->to_string(), "http://proxy.example:3128");
  EXPECT_EQ(parse_proxy("https://proxy.example/")->to_string(), "https://proxy.example:443");
  EXPECT_EQ(parse_proxy("socks5h://proxy.example")->to_string(), "socks5h://proxy.example:1080");
  EXPECT_EQ(parse_proxy("socks5h://[fd00::1]:80")->to_string(), "socks5h://[fd00::1]:80");
  EXPECT_FALSE(parse_proxy("socks4://proxy.example"));
}

}  // namespace
}  // namespace inthub::transport
