#include "credentials/credential_ref.h"

#include <gtest/gtest.h>

namespace inthub {
namespace {

using Kind = CredentialRef::Kind;

struct Accepted {
  std::string name;
  std::string input;
  std::string canonical;
  Kind kind;
  std::string path;
  std::string field;
};

class AcceptedRef : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedRef, IsReadIntoItsPartsAndItsCanonicalForm) {
  const Accepted& wanted = GetParam();
  const auto ref = CredentialRef::parse(wanted.input);
  ASSERT_TRUE(ref) << ref.error().message();
  EXPECT_EQ(ref->text(), wanted.canonical);
  EXPECT_EQ(ref->kind(), wanted.kind);
  EXPECT_EQ(ref->kind() == Kind::local ? ref->local_id().to_string() : ref->vault_path(), wanted.path);
  EXPECT_EQ(ref->field(), wanted.field);
  const auto again = CredentialRef::parse(ref->text());
  ASSERT_TRUE(again) << "the canonical form must be accepted";
  EXPECT_EQ(again->text(), ref->text());
  EXPECT_TRUE(*again == *ref);
}

INSTANTIATE_TEST_SUITE_P(
    Grammar, AcceptedRef,
    testing::Values(
        Accepted{"VaultWithField", "authref://prod-vault/secret/ci/github#token",
                 "authref://prod-vault/secret/ci/github#token", Kind::vault, "secret/ci/github", "token"},
        Accepted{"QueryBeforeFragment", "authref://prod-vault/secret/ci/github?version=3#token",
                 "authref://prod-vault/secret/ci/github?version=3#token", Kind::vault, "secret/ci/github", "token"},
        Accepted{"QueryAfterFragmentIsRewritten", "authref://prod-vault/secret/ci/github#token?version=3",
                 "authref://prod-vault/secret/ci/github?version=3#token", Kind::vault, "secret/ci/github", "token"},
        Accepted{"IntegrationByIdWithJsonPointer",
                 "authref://6f9619ff-8b86-d011-b42d-00c04fc964ff/app/db#/credentials/password",
                 "authref://6f9619ff-8b86-d011-b42d-00c04fc964ff/app/db#/credentials/password", Kind::vault, "app/db",
                 "/credentials/password"},
        Accepted{"AmazonResourceName",
                 "authref://aws-eu/"
                 "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf?stage=AWSPREVIOUS#password",
                 "authref://aws-eu/"
                 "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf?stage=AWSPREVIOUS#password",
                 Kind::vault, "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf", "password"},
        Accepted{"KindOfSecret", "authref://kv/certs-prod?kind=certificate", "authref://kv/certs-prod?kind=certificate",
                 Kind::vault, "certs-prod", ""},
        Accepted{"LatestVersion", "authref://gcp/projects/p1/secrets/s1?version=latest",
                 "authref://gcp/projects/p1/secrets/s1?version=latest", Kind::vault, "projects/p1/secrets/s1", ""},
        Accepted{"EscapedBlankAndQuestionMark", "authref://prod-vault/secret/a%20b#x%3Fy",
                 "authref://prod-vault/secret/a%20b#x%3Fy", Kind::vault, "secret/a b", "x?y"},
        Accepted{"EscapedUtf8", "authref://prod-vault/secret/caf%C3%A9", "authref://prod-vault/secret/caf%C3%A9",
                 Kind::vault, "secret/caf\xC3\xA9", ""},
        Accepted{"Local", "authref://local/0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10",
                 "authref://local/0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10", Kind::local,
                 "0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10", ""},
        Accepted{"Environment", "authref://env/INTHUB_SECRET_GITHUB", "authref://env/INTHUB_SECRET_GITHUB", Kind::env,
                 "INTHUB_SECRET_GITHUB", ""},
        Accepted{"File", "authref://file/etc/hub/secrets/token", "authref://file/etc/hub/secrets/token", Kind::file,
                 "/etc/hub/secrets/token", ""},
        Accepted{"FileWithField", "authref://file/etc/hub/db.json#password", "authref://file/etc/hub/db.json#password",
                 Kind::file, "/etc/hub/db.json", "password"},
        Accepted{"None", "authref://none", "authref://none", Kind::none, "", ""},
        // Whether a name may end in a period is each vault's own rule: HashiCorp Vault's says no, others say yes.
        Accepted{"TrailingPeriodIsLeftToTheVault", "authref://prod-vault/secret/x.", "authref://prod-vault/secret/x.",
                 Kind::vault, "secret/x.", ""},
        // Which variables may be read is the resolver's rule, because the operator's list decides.
        Accepted{"AnyVariableNameIsWellFormed", "authref://env/PATH", "authref://env/PATH", Kind::env, "PATH", ""},
        Accepted{"SchemeWithoutCase", "AUTHREF://prod-vault/secret/x", "authref://prod-vault/secret/x", Kind::vault,
                 "secret/x", ""},
        Accepted{"UpperCaseIdsBecomeLowerCase", "authref://local/0D4F2F3E-2F0A-4C8E-9A53-6F1D6C1F2A10",
                 "authref://local/0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10", Kind::local,
                 "0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10", ""},
        Accepted{"NeedlessEscapesAreUndoneAndHexIsUpperCase", "authref://v/%61%c3%a9/b?version=%31#%7e0",
                 "authref://v/a%C3%A9/b?version=1#~0", Kind::vault, "a\xC3\xA9/b", "~0"},
        Accepted{"ParametersAreSorted", "authref://v/a?version=2&encoding=base64&namespace=a/b&kind=secret",
                 "authref://v/a?encoding=base64&kind=secret&namespace=a/b&version=2", Kind::vault, "a", ""}),
    [](const auto& test) { return test.param.name; });

struct Refused {
  std::string name;
  std::string input;
  std::string rule;
};

class RefusedRef : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRef, IsRefusedWithTheRuleAndWithoutTheInput) {
  const auto ref = CredentialRef::parse(GetParam().input);
  ASSERT_FALSE(ref) << ref->text();
  EXPECT_EQ(ref.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(ref.error().reason(), "credential_ref.invalid");
  EXPECT_NE(ref.error().message().find(GetParam().rule), std::string::npos) << ref.error().message();
  EXPECT_FALSE(ref.error().remedy().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Grammar, RefusedRef,
    testing::Values(Refused{"EmptyPath", "authref://prod-vault/", "path is empty"},
                    Refused{"MissingPath", "authref://prod-vault", "path is missing"},
                    Refused{"EmptySegment", "authref://prod-vault//secret/x", "segment is empty"},
                    Refused{"TrailingSlash", "authref://prod-vault/secret/", "segment is empty"},
                    Refused{"DotSegment", "authref://prod-vault/secret/../sys/raw", "'..'"},
                    Refused{"EncodedDotSegment", "authref://prod-vault/secret/%2e%2e/raw", "'..'"},
                    Refused{"EncodedSlash", "authref://prod-vault/secret/x%2Fy", "percent-encoded '/'"},
                    Refused{"EncodedNul", "authref://prod-vault/secret/x%00", "control characters"},
                    Refused{"BadEscape", "authref://prod-vault/secret/%zz", "two hexadecimal digits"},
                    Refused{"EscapeCutShort", "authref://prod-vault/secret/x%4", "two hexadecimal digits"},
                    Refused{"EncodedBytesThatAreNotUtf8", "authref://prod-vault/secret/%ff", "UTF-8"},
                    Refused{"DuplicateParameter", "authref://prod-vault/secret/x?version=3&version=4", "given twice"},
                    Refused{"ExclusiveParameters", "authref://prod-vault/secret/x?stage=AWSCURRENT&version=abc",
                            "exclude"},
                    Refused{"UnknownParameter", "authref://prod-vault/secret/x?foo=1", "parameters are"},
                    Refused{"ParameterWithoutValue", "authref://prod-vault/secret/x?version=", "no value"},
                    Refused{"EmptyQuery", "authref://prod-vault/secret/x?", "name=value"},
                    Refused{"UnknownEncoding", "authref://prod-vault/secret/x?encoding=hex", "utf8"},
                    Refused{"UserAndPassword", "authref://user:pw@prod-vault/secret/x", "user name or password"},
                    Refused{"Port", "authref://prod-vault:8200/x", "without a port"},
                    Refused{"GitHubToken", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "authref://"},
                    Refused{"VaultToken", "hvs.CAESIJ", "authref://"},
                    Refused{"AwsKey", "AKIAIOSFODNN7EXAMPLE", "authref://"},
                    Refused{"WebAddress", "https://host/x", "authref://"}, Refused{"Empty", "", "authref://"},
                    Refused{"LowerCaseVariable", "authref://env/hub_secret_x", "upper-case"},
                    Refused{"VariableWithField", "authref://env/INTHUB_SECRET_X#a", "nothing else"},
                    Refused{"FileWithEmptySegment", "authref://file//etc/x", "segment is empty"},
                    Refused{"FileWithDotSegment", "authref://file/etc/hub/secrets/../shadow", "'..'"},
                    Refused{"FileWithParameter", "authref://file/etc/x?version=1", "no parameters"},
                    Refused{"UpperCaseIntegration", "AUTHREF://Prod-Vault/secret/x", "lower-case"},
                    Refused{"LocalThatIsNoId", "authref://local/github", "UUID"},
                    Refused{"LocalWithField", "authref://local/0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10#x", "nothing else"},
                    Refused{"NoneWithPath", "authref://none/x", "nothing may follow"},
                    Refused{"EmptyField", "authref://v/x#", "field after '#' is empty"},
                    Refused{"TwoFragments", "authref://v/x#a#b", "more than one '#'"},
                    Refused{"QuestionMarkInFieldAfterAQuery", "authref://v/x?version=1#a?b", "percent-encoded"},
                    Refused{"BadPointerEscape", "authref://v/x#/a~2", "RFC 6901"},
                    Refused{"Blank", "authref://v/a b", "visible ASCII"},
                    Refused{"NotAscii", "authref://v/caf\xC3\xA9", "visible ASCII"},
                    Refused{"LongPath", "authref://v/" + std::string(1025, 'a'), "1,024"},
                    Refused{"LongRef", "authref://v/x#" + std::string(2048, 'a'), "2,048"},
                    Refused{"LongName", "authref://" + std::string(64, 'a') + "/x", "lower-case"}),
    [](const auto& test) { return test.param.name; });

TEST(CredentialRef, AMessageNeverEchoesTheInput) {
  const std::string pasted = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
  for (const std::string& input : {pasted, "authref://" + pasted, "authref://v/x?" + pasted + "=1",
                                   "authref://v/x?encoding=" + pasted, "authref://env/" + pasted}) {
    const auto ref = CredentialRef::parse(input);
    ASSERT_FALSE(ref) << input;
    EXPECT_EQ(ref.error().message().find(pasted), std::string::npos);
    EXPECT_EQ(ref.error().remedy().find(pasted), std::string::npos);
    EXPECT_TRUE(ref.error().details().empty());
  }
}

TEST(CredentialRef, ParametersAreDecoded) {
  const auto ref = CredentialRef::parse("authref://v/x?namespace=team%2Fa+b&version=3");
  ASSERT_TRUE(ref);
  EXPECT_EQ(ref->parameters(), (std::map<std::string, std::string>{{"namespace", "team/a+b"}, {"version", "3"}}));
  EXPECT_EQ(ref->text(), "authref://v/x?namespace=team/a%2Bb&version=3");
}

TEST(CredentialRef, WhatIsMadeEqualsWhatIsParsed) {
  const CredentialId id = CredentialId::parse("0d4f2f3e-2f0a-4c8e-9a53-6f1d6c1f2a10").value_or(CredentialId());
  ASSERT_FALSE(id.is_nil());
  EXPECT_TRUE(CredentialRef::local(id) == *CredentialRef::parse(CredentialRef::local(id).text()));
  EXPECT_TRUE(CredentialRef::none() == *CredentialRef::parse("authref://none"));
  EXPECT_FALSE(CredentialRef::none() == CredentialRef::local(id));
}

}  // namespace
}  // namespace inthub
