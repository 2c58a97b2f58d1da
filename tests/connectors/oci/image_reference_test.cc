#include "connectors/oci/image_reference.h"

#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "connectors/oci/digest.h"

namespace inthub::oci {
namespace {

std::string repeated(char c, std::size_t count) {
  return std::string(count, c);
}
const std::string kHex64 = repeated('a', 64);
const std::string kPath255 = repeated('p', 255);
const std::string kTag128 = repeated('t', 128);

struct Accepted {
  std::string name;
  std::string input;
  std::string domain;
  std::string path;
  std::string tag;
  std::string digest;
};
std::ostream& operator<<(std::ostream& out, const Accepted& row) {
  return out << row.name;
}

class AcceptedReference : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedReference, HasTheseParts) {
  const Accepted& row = GetParam();
  const auto reference = parse_image_reference(row.input);
  ASSERT_TRUE(reference) << reference.error().message();
  EXPECT_EQ(reference->domain, row.domain);
  EXPECT_EQ(reference->path, row.path);
  EXPECT_EQ(reference->tag, row.tag);
  EXPECT_EQ(reference->digest, row.digest);
  // Written out in full it means the same.
  const auto again = parse_image_reference(reference->to_string());
  ASSERT_TRUE(again) << reference->to_string();
  EXPECT_EQ(again->to_string(), reference->to_string());
}

// The answers of distribution/reference 0.6.0, measured.
INSTANTIATE_TEST_SUITE_P(
    Grammar, AcceptedReference,
    testing::Values(
        Accepted{"Bare", "ubuntu", "docker.io", "library/ubuntu", "latest", ""},
        Accepted{"BareWithTag", "ubuntu:22.04", "docker.io", "library/ubuntu", "22.04", ""},
        Accepted{"HubNamed", "docker.io/ubuntu", "docker.io", "library/ubuntu", "latest", ""},
        Accepted{"HubIndex", "index.docker.io/library/ubuntu", "docker.io", "library/ubuntu", "latest", ""},
        Accepted{"HubUser", "user/app", "docker.io", "user/app", "latest", ""},
        Accepted{"HubDeepPath", "docker.io/library/foo/bar", "docker.io", "library/foo/bar", "latest", ""},
        Accepted{"Localhost", "localhost/app", "localhost", "app", "latest", ""},
        Accepted{"LocalhostPort", "localhost:5000/app:1", "localhost:5000", "app", "1", ""},
        Accepted{"HostPortAloneIsRepositoryAndTag", "localhost:5000", "docker.io", "library/localhost", "5000", ""},
        Accepted{"HostAloneIsRepository", "example.com", "docker.io", "library/example.com", "latest", ""},
        Accepted{"OneLabelIsNoHost", "myhost/app", "docker.io", "myhost/app", "latest", ""},
        Accepted{"OneLabelWithPortIsHost", "myhost:5000/app", "myhost:5000", "app", "latest", ""},
        Accepted{"MixedCaseHost", "Example.com/app", "Example.com", "app", "latest", ""},
        Accepted{"UpperCaseHost", "MYHOST/app", "MYHOST", "app", "latest", ""},
        Accepted{"Ipv4", "127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000", "a/b/c", "v1", ""},
        Accepted{"Ipv6Port", "[::1]:5000/app:v1", "[::1]:5000", "app", "v1", ""},
        Accepted{"Ipv6", "[2001:db8::1]/app", "[2001:db8::1]", "app", "latest", ""},
        Accepted{"PortAndNumericTag", "example.com:5000/app:5000", "example.com:5000", "app", "5000", ""},
        Accepted{"UpperCaseTag", "app:UPPER", "docker.io", "library/app", "UPPER", ""},
        Accepted{"UnderscoreTag", "app:_x", "docker.io", "library/app", "_x", ""},
        Accepted{"LongestTag", "app:" + kTag128, "docker.io", "library/app", kTag128, ""},
        Accepted{"TwoUnderscores", "app__x", "docker.io", "library/app__x", "latest", ""},
        Accepted{"TwoDashes", "app--x", "docker.io", "library/app--x", "latest", ""},
        Accepted{"ThreeDashes", "a---b/c", "docker.io", "a---b/c", "latest", ""},
        Accepted{"Digest", "app@sha256:" + kHex64, "docker.io", "library/app", "", "sha256:" + kHex64},
        Accepted{"TagAndDigest", "app:tag@sha256:" + kHex64, "docker.io", "library/app", "tag", "sha256:" + kHex64},
        Accepted{"Sha512", "app@sha512:" + kHex64 + kHex64, "docker.io", "library/app", "",
                 "sha512:" + kHex64 + kHex64},
        Accepted{"DomainLikePath", "gcr.io/google.com/proj/img", "gcr.io", "google.com/proj/img", "latest", ""},
        Accepted{"Ecr", "123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b:1",
                 "123456789012.dkr.ecr.us-east-1.amazonaws.com", "a/b", "1", ""},
        Accepted{"Punycode", "xn--n3h.com/app", "xn--n3h.com", "app", "latest", ""},
        Accepted{"LongestPath", "example.com/" + kPath255, "example.com", kPath255, "latest", ""},
        Accepted{"HexPathBehindHost", "docker.io/" + kHex64, "docker.io", "library/" + kHex64, "latest", ""}),
    [](const auto& row) { return row.param.name; });

struct Refused {
  std::string name;
  std::string input;
  std::string reason;
};
std::ostream& operator<<(std::ostream& out, const Refused& row) {
  return out << row.name;
}

class RefusedReference : public testing::TestWithParam<Refused> {};

TEST_P(RefusedReference, NamesTheRuleAndTheRemedy) {
  const Refused& row = GetParam();
  const auto reference = parse_image_reference(row.input);
  ASSERT_FALSE(reference) << reference->to_string();
  EXPECT_EQ(reference.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(reference.error().reason(), "image_ref." + row.reason) << reference.error().message();
  EXPECT_EQ(reference.error().field(), "/imageRef");
  EXPECT_FALSE(reference.error().remedy().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Grammar, RefusedReference,
    testing::Values(
        Refused{"Empty", "", "empty"}, Refused{"UpperCase", "UPPER", "upper_case"},
        Refused{"UpperCaseInPath", "user/App", "upper_case"},
        Refused{"UpperCaseOwner", "ghcr.io/Owner/app", "upper_case"},
        Refused{"UpperCaseOnHub", "docker.io/User/app", "upper_case"}, Refused{"EmptyTag", "app:", "tag"},
        Refused{"DashTag", "app:-x", "tag"}, Refused{"DotTag", "app:.x", "tag"}, Refused{"PlusTag", "app:a+b", "tag"},
        Refused{"TagTooLong", "app:" + kTag128 + "t", "tag"}, Refused{"EmptyDigest", "app@", "digest"},
        Refused{"ShortDigest", "app@sha256:abcd", "digest"},
        Refused{"TagAfterDigest", "app@sha256:" + kHex64 + ":tag", "digest"},
        Refused{"UpperCaseAlgorithm", "app@SHA256:" + kHex64, "digest"},
        Refused{"UpperCaseDigest", "app@sha256:" + repeated('A', 64), "digest"},
        Refused{"Md5", "app@md5:" + repeated('a', 32), "digest"},
        Refused{"CombinedAlgorithm", "app@sha256+b64:" + kHex64, "digest"},
        Refused{"DigestLength", "repo@sha256:" + repeated('a', 34), "digest"},
        Refused{"TwoDotsInHost", "a..b/app", "domain"}, Refused{"TwoDots", "app..x", "format"},
        Refused{"ThreeUnderscores", "app___x", "format"}, Refused{"DotUnderscore", "a._b", "format"},
        Refused{"TrailingDash", "app-", "format"}, Refused{"LeadingDash", "-app", "format"},
        Refused{"LeadingUnderscore", "_app", "format"}, Refused{"EmptyComponent", "foo//bar", "format"},
        Refused{"LeadingSlash", "/foo", "format"}, Refused{"TrailingSlash", "foo/", "format"},
        Refused{"TrailingSlashDeep", "foo/bar/", "format"}, Refused{"Scheme", "https://example.com/app", "scheme"},
        Refused{"HostLeadingDash", "-host.com/app", "domain"}, Refused{"HostTrailingDash", "host-./app", "domain"},
        Refused{"HostLabelTrailingDash", "host-.com/app", "domain"}, Refused{"HostEmptyLabel", "x.y..z/app", "domain"},
        Refused{"EmptyPort", "example.com:/app", "port"}, Refused{"TrailingDotHost", "example.com./app", "domain"},
        Refused{"Ipv6Zone", "[fe80::1%eth0]:5000/app", "domain"},
        Refused{"Ipv4Mapped", "[::ffff:1.2.3.4]/app", "domain"}, Refused{"Ipv6WithoutBrackets", "::1/app", "port"},
        Refused{"Ipv6Alone", "[2001:db8::1]", "format"}, Refused{"Ipv6AloneWithPort", "[2001:db8::1]:5000", "format"},
        Refused{"UnicodeHost", "\xC3\xA9.com/app", "format"}, Refused{"LeadingBlank", " app", "format"},
        Refused{"TrailingBlank", "app ", "format"}, Refused{"InnerBlank", "a pp", "format"},
        Refused{"TrailingNewline", "app\n", "format"}, Refused{"PortIsNoNumber", "a:b/c", "port"},
        Refused{"ColonInPath", "a/b:c/d", "format"}, Refused{"TwoTags", "docker.io/library/a:b:c", "tag"},
        Refused{"BareHex", kHex64, "bare_hex"}, Refused{"HubPathTooLong", kPath255, "too_long"},
        Refused{"PathTooLong", "example.com/" + kPath255 + "p", "too_long"},
        Refused{"TextTooLong", repeated('a', kMaxReferenceBytes + 1), "too_long"},
        Refused{"UnderscoreHost", "host_name.com/app", "domain"}, Refused{"UnderscoreInHost", "a_b.c-d/e", "domain"},
        Refused{"PortZero", "example.com:0/app", "port"}, Refused{"PortTooLarge", "example.com:99999/app", "port"},
        Refused{"BareDigest", "sha256:" + kHex64, "bare_digest"},
        Refused{"UserInfo", "user:hunter2@example.com/app", "user_info"}),
    [](const auto& row) { return row.param.name; });

TEST(ImageReference, APasswordInIsNotEchoed) {
  const auto reference = parse_image_reference("user:hunter2@example.com/app");
  ASSERT_FALSE(reference);
  EXPECT_EQ(reference.error().message().find("hunter2"), std::string::npos);
}

TEST(ImageReference, SchemeGetsTheHintToDropIt) {
  EXPECT_NE(parse_image_reference("https://example.com/app").error().remedy().find("drop the scheme"),
            std::string::npos);
}

TEST(ImageReference, HostAndPortWithoutSlashIsWarnedAbout) {
  EXPECT_EQ(parse_image_reference("localhost:5000")->warnings.size(), 1U);
  EXPECT_TRUE(parse_image_reference("ubuntu:22")->warnings.empty());
}

TEST(ImageReference, DigestWinsOverTag) {
  EXPECT_EQ(parse_image_reference("app:tag@sha256:" + kHex64)->target(), "sha256:" + kHex64);
  EXPECT_EQ(parse_image_reference("app:tag")->target(), "tag");
}

struct InRegistry {
  std::string name;
  std::string endpoint;
  std::string input;
  std::string want;  ///< to_string(), or the reason of the refusal
};
std::ostream& operator<<(std::ostream& out, const InRegistry& row) {
  return out << row.name;
}

class ReferenceInRegistry : public testing::TestWithParam<InRegistry> {};

TEST_P(ReferenceInRegistry, IsReadAgainstTheEndpoint) {
  const InRegistry& row = GetParam();
  const auto reference = resolve_in_registry(row.input, HttpUrl::parse(row.endpoint).value());
  EXPECT_EQ(reference ? reference->to_string() : std::string(reference.error().reason()), row.want);
}

INSTANTIATE_TEST_SUITE_P(
    Endpoint, ReferenceInRegistry,
    testing::Values(
        InRegistry{"BareNameAsGiven", "https://r.example", "app:v1", "r.example/app:v1"},
        InRegistry{"PathAsGiven", "https://r.example", "team/app", "r.example/team/app:latest"},
        InRegistry{"LongestBareName", "https://r.example", kPath255, "r.example/" + kPath255 + ":latest"},
        InRegistry{"PathPrefixIsNoPartOfTheName", "https://r.example/prefix", "app:v1", "r.example/app:v1"},
        InRegistry{"OneLabelEndpoint", "https://registry", "registry/app", "registry:443/registry/app:latest"},
        InRegistry{"OneLabelEndpointNamed", "https://registry", "registry:443/app", "registry:443/app:latest"},
        InRegistry{"SameHost", "https://r.example", "r.example/app:v1", "r.example/app:v1"},
        InRegistry{"SameHostOtherCase", "https://r.example", "R.Example/app:v1", "r.example/app:v1"},
        InRegistry{"DefaultPortWritten", "https://r.example", "r.example:443/app:v1", "r.example/app:v1"},
        InRegistry{"SamePort", "http://localhost:5000", "localhost:5000/app:v1", "localhost:5000/app:v1"},
        InRegistry{"Ipv6", "http://[::1]:5000", "[::1]:5000/app:v1", "[::1]:5000/app:v1"},
        InRegistry{"OtherHost", "https://r.example", "ghcr.io/app:v1", "image_ref.foreign_registry"},
        InRegistry{"OtherPort", "https://r.example", "r.example:5000/app:v1", "image_ref.foreign_registry"},
        InRegistry{"MissingPort", "https://r.example:5000", "r.example/app:v1", "image_ref.foreign_registry"},
        InRegistry{"HubElsewhere", "https://r.example", "docker.io/library/ubuntu", "image_ref.foreign_registry"},
        InRegistry{"HubAddsLibrary", "https://registry-1.docker.io", "ubuntu:22.04", "docker.io/library/ubuntu:22.04"},
        InRegistry{"HubByItsOtherName", "https://registry-1.docker.io", "docker.io/user/app",
                   "docker.io/user/app:latest"},
        InRegistry{"HubByItsApiName", "https://docker.io", "registry-1.docker.io/user/app",
                   "docker.io/user/app:latest"},
        InRegistry{"HostWithoutSlashIsARepository", "http://localhost:5000", "localhost:5000",
                   "localhost:5000/localhost:5000"},
        InRegistry{"GrammarStillHolds", "https://r.example", "team/App", "image_ref.upper_case"}),
    [](const auto& row) { return row.param.name; });

TEST(ReferenceInRegistry, TheRefusalNamesBothRegistries) {
  const auto reference = resolve_in_registry("ghcr.io/app", HttpUrl::parse("https://r.example:8443").value());
  ASSERT_FALSE(reference);
  EXPECT_EQ(reference.error().code(), ErrorCode::invalid_argument);
  EXPECT_NE(reference.error().message().find("ghcr.io"), std::string::npos);
  EXPECT_NE(reference.error().message().find("r.example:8443"), std::string::npos);
}

TEST(Digest, OfNothingAndOfTheEmptyObjectAreTheKnownOnes) {
  EXPECT_EQ(digest_of("sha256", "").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of("sha256", "{}").to_string(),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

TEST(Digest, EachAlgorithmVerifiesItsOwnBytesOnly) {
  for (const std::string_view algorithm : {"sha256", "sha384", "sha512"}) {
    const Digest digest = digest_of(algorithm, "manifest");
    EXPECT_EQ(digest.algorithm, algorithm);
    EXPECT_TRUE(matches(digest, "manifest"));
    EXPECT_FALSE(matches(digest, "manifest\n"));
    EXPECT_EQ(parse_digest(digest.to_string()).value(), digest);
  }
}

TEST(Digest, RefusalsNameTheRule) {
  EXPECT_EQ(parse_digest("sha256").error().reason(), "digest.format");
  EXPECT_EQ(parse_digest("md5:" + repeated('a', 32)).error().reason(), "digest.algorithm");
  EXPECT_EQ(parse_digest("sha256:" + repeated('a', 63)).error().reason(), "digest.length");
  EXPECT_EQ(parse_digest("sha256:" + repeated('A', 64)).error().reason(), "digest.encoding");
}

}  // namespace
}  // namespace inthub::oci
