#include "foundation/redact.h"

#include <gtest/gtest.h>

#include "foundation/encoding.h"
#include "foundation/json.h"

namespace inthub {
namespace {

SecretPtr secret(std::string text) {
  return make_secret(std::move(text));
}

std::string redact_with(std::string_view text, const std::string& hidden) {
  const std::vector<SecretPtr> secrets{secret(hidden)};
  return redact(text, secrets);
}

TEST(Redact, LeavesOrdinaryTextAlone) {
  for (const std::string_view text :
       {"", "manifest unknown", "token: expired", "Basic authentication is required", "the bearer token is not valid",
        R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull")",
        R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"latest"}}]})",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "https://host:8443/path?page=2",
        "refs/heads/main", "token_type=bearer", R"("token": null)", "npm_config_registry is not set",
        "mail me@host.example"}) {
    EXPECT_EQ(redact(text), text);
  }
}

TEST(Redact, MasksAGivenSecretInEveryDress) {
  const std::string canary = "c4n/ry+ s&cret\"\\";
  std::string json;
  append_json_string(json, canary);
  for (const std::string& dress : {canary, percent_encode(canary), std::string("c4n%2fry%2b+s%26cret%22%5c"),
                                   std::string("c4n/ry%2B%20s&cret%22\\"), base64_encode(canary),
                                   base64_encode("u:" + canary), base64_encode("us:" + canary),
                                   base64_encode("use:" + canary + "x"), base64url_encode("\xFF\xFE" + canary), json}) {
    const std::string shown = redact_with("before <" + dress + "> after", canary);
    EXPECT_TRUE(shown == "before <***> after" || shown == "before <\"***\"> after") << dress << " became " << shown;
  }
}

TEST(Redact, MasksEveryOccurrenceAndOverlaps) {
  EXPECT_EQ(redact_with("canary1 canary1canary1", "canary1"), "*** ***");
  const std::vector<SecretPtr> secrets{secret("abcdef"), secret("defghi"), nullptr};
  EXPECT_EQ(redact("xabcdefghix", secrets), "x***x");
}

TEST(Redact, ASecretThatRunsOutOfAMaskedValueIsMaskedToItsEnd) {
  EXPECT_EQ(redact_with("?token=abc&defgh", "abc&defgh"), "?token=***");
}

TEST(Redact, IgnoresBlanksAroundASecretAndSecretsTooShortToTellFromWords) {
  EXPECT_EQ(redact_with("it is canary1.", "canary1\n"), "it is ***.");
  EXPECT_EQ(redact_with("abc abc", "abc"), "abc abc");
  EXPECT_EQ(redact_with("abcd abcd", "abcd"), "*** ***");
  EXPECT_EQ(redact_with("a    b", "      "), "a    b");
}

struct Lookalike {
  std::string name;
  std::string text;
  std::string shown;
};
class RedactLookalike : public testing::TestWithParam<Lookalike> {};

TEST_P(RedactLookalike, IsMaskedWithoutKnowingTheSecret) {
  EXPECT_EQ(redact(GetParam().text), GetParam().shown);
}

const std::string kLong(36, 'a');
const std::string kJwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_";

INSTANTIATE_TEST_SUITE_P(
    Rules, RedactLookalike,
    testing::Values(
        Lookalike{"AuthorizationHeader", "Authorization: Bearer abc def\r\nHost: h", "Authorization: ***  Host: h"},
        Lookalike{"HeaderWithoutCase", "proxy-authorization:Basic dTpw", "proxy-authorization:***"},
        Lookalike{"CookieLine", "Cookie: a=1; b=2", "Cookie: ***"},
        Lookalike{"BearerInProse", "sent Bearer abcDEF123456== to", "sent Bearer *** to"},
        Lookalike{"BasicInProse", "sent basic dXNlcjpwYXNz to", "sent basic *** to"},
        Lookalike{"VendorHeader", "X-Vault-Token: s1a2b3c4d5", "X-Vault-Token: ***"},
        Lookalike{"UrlWithPassword", "git clone https://user:pa@ss@host/x", "git clone https://***@host/x"},
        Lookalike{"UrlWithTokenAsUser", "https://t0ken@host", "https://***@host"},
        Lookalike{"QueryParameter", "GET /x?access_token=abc&page=2", "GET /x?access_token=***&page=2"},
        Lookalike{"QueryKey", "/v1?key=abc&a=1", "/v1?key=***&a=1"},
        Lookalike{"AwsSignature", "X-Amz-Signature=abc123&x=1", "X-Amz-Signature=***&x=1"},
        Lookalike{"JsonMember", R"({"password":"a\"b","user":"u"})", R"({"password":"***","user":"u"})"},
        Lookalike{"JsonMemberCamelCase", R"({"clientSecret" : "abc"})", R"({"clientSecret" : "***"})"},
        Lookalike{"JsonNumber", R"({"password":12345678})", R"({"password":***})"},
        Lookalike{"JsonList", R"({"tokens":["a","b"],"x":1})", R"({"tokens":[***],"x":1})"},
        Lookalike{"JsonInsideJson", R"("{\"token\":\"abc\",\"a\":1}")", R"("{\"token\":\"***\",\"a\":1}")"},
        Lookalike{"UnfinishedJson", R"({"password":"abc)", R"({"password":"***)"},
        Lookalike{"Yaml", "password: hunter", "password: ***"},
        Lookalike{"FormField", "client_secret=abc def", "client_secret=*** def"},
        Lookalike{"GitHub", "used ghp_" + kLong + ".", "used ***."},
        Lookalike{"GitHubFineGrained", "github_pat_" + kLong, "***"},
        Lookalike{"GitHubAfterAnEscape", "\\nghp_" + kLong, "\\n***"},
        Lookalike{"GitLab", "glpat-abcdefghijklmnopqrst", "***"}, Lookalike{"Vault", "hvs.CAESIJabcdefghij", "***"},
        Lookalike{"AwsKeyId", "AKIAIOSFODNN7EXAMPLE is wrong", "*** is wrong"},
        Lookalike{"DockerHub", "dckr_pat_abcdefghijklmnop", "***"}, Lookalike{"Google", "AIza" + kLong, "***"},
        Lookalike{"Slack", "xoxb-1234567890-abc", "***"},
        Lookalike{"OwnToken", "inthub_" + std::string(43, 'x'), "***"},
        Lookalike{"JsonWebToken", "got " + kJwt + ", no", "got ***, no"},
        Lookalike{"PemKey", "x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y", "x *** y"},
        Lookalike{"PemKeyCutShort", "x -----BEGIN PRIVATE KEY-----\nMIIE", "x ***"},
        Lookalike{"PemCertificateStays", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"}),
    [](const auto& test) { return test.param.name; });

TEST(Redact, ControlCharactersBecomeBlanksAndBadBytesReplacements) {
  EXPECT_EQ(redact(std::string_view("a\x1b[31mb\nc\0d\x7f", 12)), "a [31mb c d ");
  EXPECT_EQ(redact("a\xC2\x9B"
                   "b"),
            "a b")
      << "C1: the one-character form of ESC [";
  EXPECT_EQ(redact("a\xFF\xC3"), "a\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(redact("é😀"), "é😀");
}

TEST(Redact, TheAnswerIsCutAtACharacterWithAnEllipsis) {
  EXPECT_EQ(redact("abcdefghij", {}, 10), "abcdefghij");
  EXPECT_EQ(redact("abcdefghijk", {}, 10), "abcdefg…");
  EXPECT_EQ(redact("abcdefé12345", {}, 10), "abcdef…");
  EXPECT_EQ(redact("abcdef", {}, 3), "…");
  EXPECT_EQ(redact("abcdef", {}, 0), "");
  EXPECT_EQ(redact(std::string(1000, 'a')).size(), 512U);
}

TEST(Redact, ASecretAcrossTheCutDoesNotShowItsBeginning) {
  const std::string canary = "canary" + std::string(40, 'y');
  for (std::size_t before = 480; before < 530; ++before) {
    EXPECT_EQ(redact_with(std::string(before, '.') + canary, canary).find("cana"), std::string::npos) << before;
  }
}

TEST(Redact, ASecretAcrossTheEndOfWhatIsReadDoesNotShowItsBeginning) {
  const std::string canary = "canary" + std::string(40, 'y');
  // Masks shorten the text so far that the end of what is read would be shown.
  const std::string masked = "\"password\":\"" + std::string(65'000, 'p') + "\" ";
  for (std::size_t fill = 480; fill < 540; fill += 3) {
    std::string text = masked;
    text.append(fill, '.').append(canary).append(100'000, 'z');
    const std::string shown = redact_with(text, canary);
    EXPECT_EQ(shown.find("cana"), std::string::npos) << fill;
  }
}

TEST(Redact, LongTextsAreReadInPartOnly) {
  const std::string shown = redact(std::string(100'000, 'a'), {}, 1'000'000);
  EXPECT_EQ(shown.size(), 100'000U);
  EXPECT_TRUE(redact(std::string(std::size_t{10} << 20, '\n'), {}, 16).ends_with("…"));
  EXPECT_EQ(redact("abc", {}, SIZE_MAX), "abc");
}

TEST(IsCredentialHeader, KnowsTheUsualOnes) {
  for (const char* name : {"Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "PRIVATE-TOKEN", "JOB-TOKEN",
                           "X-Api-Key", "X-Vault-Token", "X-Amz-Security-Token", "X-Goog-Api-Key", "X-JFrog-Art-Api",
                           "X-Auth-Token", "X-Registry-Auth", "Ocp-Apim-Subscription-Key", "X-Gitlab-Token"}) {
    EXPECT_TRUE(is_credential_header(name)) << name;
  }
  for (const char* name : {"", "Content-Type", "ETag", "Location", "WWW-Authenticate", "X-RateLimit-Remaining", "Key",
                           "State", "X-Request-Id", "Docker-Content-Digest", "X-Author"}) {
    EXPECT_FALSE(is_credential_header(name)) << name;
  }
}

}  // namespace
}  // namespace inthub
