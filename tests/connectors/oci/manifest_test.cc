#include "connectors/oci/manifest.h"

#include <ostream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "connectors/oci/digest.h"

namespace inthub::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string image(std::string_view media_type) {
  const std::string type = media_type.empty() ? "" : fmt::format(R"("mediaType":"{}",)", media_type);
  return fmt::format(R"({{"schemaVersion":2,{}"config":{{"digest":"{}","size":2}},"layers":[]}})", type, kDigest);
}
std::string index(std::string_view entries) {
  return fmt::format(R"({{"schemaVersion":2,"manifests":[{}]}})", entries);
}

Descriptor entry(std::string_view platform, char mark) {
  return {.digest = "sha256:" + std::string(64, mark),
          .media_type = std::string(kOciManifest),
          .size_bytes = 1,
          .platform = parse_platform(platform).value(),
          .is_attestation = false};
}

TEST(Accept, NamesTheFourTypesInOneLineAndNoWildcard) {
  EXPECT_EQ(accept_header(),
            "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
            "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json");
}

struct TypeCase {
  std::string name;
  std::string content_type;
  std::string body;
  std::string want;  ///< the media type, or the reason of the refusal
};
std::ostream& operator<<(std::ostream& out, const TypeCase& row) {
  return out << row.name;
}

class ManifestType : public testing::TestWithParam<TypeCase> {};

TEST_P(ManifestType, IsDecidedByHeaderThenBodyThenShape) {
  const auto manifest = read_manifest(GetParam().content_type, GetParam().body);
  EXPECT_EQ(manifest ? manifest->media_type : std::string(manifest.error().reason()), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, ManifestType,
    testing::Values(
        TypeCase{"Header", std::string(kOciManifest), image(""), std::string(kOciManifest)},
        TypeCase{"HeaderWithParameter", std::string(kOciManifest) + "; charset=utf-8", image(""),
                 std::string(kOciManifest)},
        TypeCase{"HeaderAndBodyAgree", std::string(kDockerManifest), image(kDockerManifest),
                 std::string(kDockerManifest)},
        TypeCase{"HeaderAndBodyDisagree", std::string(kOciManifest), image(kDockerManifest),
                 "registry.media_type_mismatch"},
        TypeCase{"UselessHeader", "text/plain", image(kDockerManifest), std::string(kDockerManifest)},
        TypeCase{"OctetStream", "application/octet-stream", index(""), std::string(kOciIndex)},
        TypeCase{"NoHeader", "", image(""), std::string(kOciManifest)},
        TypeCase{"NothingToInferFrom", "", "{}", "registry.malformed_manifest"},
        TypeCase{"Schema1Header", "application/vnd.docker.distribution.manifest.v1+prettyjws", "{}",
                 "registry.unsupported_schema1"},
        TypeCase{"Schema1Shape", "text/plain", R"({"fsLayers":[],"signatures":[]})", "registry.unsupported_schema1"},
        TypeCase{"Schema1BehindAGoodHeader", std::string(kOciManifest), R"({"fsLayers":[]})",
                 "registry.unsupported_schema1"},
        TypeCase{"WebPage", "text/html", "<html>", "registry.malformed_manifest"},
        TypeCase{"ForeignType", "application/vnd.example+json", "{}", "registry.unsupported_media_type"},
        TypeCase{"TruncatedJson", std::string(kOciManifest), image("").substr(0, 40), "registry.malformed_manifest"},
        TypeCase{"NotAnObject", std::string(kOciManifest), "[]", "registry.malformed_manifest"},
        TypeCase{"EntryWithoutDigest", std::string(kOciIndex), index(R"({"size":1})"), "registry.malformed_manifest"},
        TypeCase{"EntryWithNegativeSize", std::string(kOciIndex), index(R"({"digest":")" + kDigest + R"(","size":-1})"),
                 "registry.malformed_manifest"},
        TypeCase{"DeepNesting", "", std::string(200, '['), "registry.malformed_manifest"}),
    [](const auto& row) { return row.param.name; });

TEST(Manifest, OverFourMebibytesIsRefusedWithoutParsing) {
  const auto manifest = read_manifest(kOciManifest, std::string(kMaxManifestBytes + 1, ' '));
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().reason(), "registry.manifest_too_large");
}

TEST(Manifest, IndexEntriesKeepPlatformAndOrder) {
  const auto manifest = read_manifest(
      kOciIndex,
      index(fmt::format(
          R"({{"digest":"{0}","size":7,"mediaType":"{1}","platform":{{"os":"linux","architecture":"arm","variant":"v7"}}}},)"
          R"({{"digest":"{0}","size":8,"platform":{{"os":"unknown","architecture":"unknown"}}}},)"
          R"({{"digest":"{0}","size":9,"annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}})",
          kDigest, kOciManifest)));
  ASSERT_TRUE(manifest) << manifest.error().message();
  ASSERT_EQ(manifest->entries.size(), 3U);
  EXPECT_EQ(manifest->entries[0].platform.value_or(Platform{}).name(), "linux/arm/v7");
  EXPECT_FALSE(manifest->entries[0].is_attestation);
  EXPECT_TRUE(manifest->entries[1].is_attestation);
  EXPECT_TRUE(manifest->entries[2].is_attestation);
}

struct PlatformCase {
  std::string name;
  std::string offered;
  std::string wanted;
  bool compatible;
};
std::ostream& operator<<(std::ostream& out, const PlatformCase& row) {
  return out << row.name;
}

class Compatible : public testing::TestWithParam<PlatformCase> {};

TEST_P(Compatible, FollowsTheRules) {
  EXPECT_EQ(is_compatible(parse_platform(GetParam().offered).value(), parse_platform(GetParam().wanted).value()),
            GetParam().compatible);
}

INSTANTIATE_TEST_SUITE_P(
    Platforms, Compatible,
    testing::Values(PlatformCase{"Equal", "linux/amd64", "linux/amd64", true},
                    PlatformCase{"OtherSystem", "windows/amd64", "linux/amd64", false},
                    PlatformCase{"OtherArchitecture", "linux/arm64", "linux/amd64", false},
                    PlatformCase{"AliasX86", "linux/amd64", "linux/x86_64", true},
                    PlatformCase{"AliasAarch64", "linux/arm64", "linux/aarch64", true},
                    PlatformCase{"AliasArmhf", "linux/arm/v7", "linux/armhf", true},
                    PlatformCase{"Arm64V8IsTheDefault", "linux/arm64/v8", "linux/arm64", true},
                    PlatformCase{"Amd64V1IsTheDefault", "linux/amd64", "linux/amd64/v1", true},
                    PlatformCase{"Amd64V3NeedsV3", "linux/amd64/v3", "linux/amd64", false},
                    PlatformCase{"LowerArmRuns", "linux/arm/v6", "linux/arm/v7", true},
                    PlatformCase{"HigherArmDoesNot", "linux/arm/v7", "linux/arm/v6", false},
                    PlatformCase{"UnnumberedVariantMustBeEqual", "linux/riscv64/rva22", "linux/riscv64", false},
                    PlatformCase{"WindowsBuild", "windows(10.0.20348.1)/amd64", "windows(10.0.20348.2)/amd64", true},
                    PlatformCase{"OtherWindowsBuild", "windows(10.0.17763.1)/amd64", "windows(10.0.20348.1)/amd64",
                                 false},
                    PlatformCase{"AnyWindowsBuild", "windows(10.0.17763.1)/amd64", "windows/amd64", true}),
    [](const auto& row) { return row.param.name; });

TEST(Platform, MalformedOnesAreRefused) {
  for (const std::string_view text : {"", "linux", "linux/", "/amd64", "linux/arm/", "linux/arm/v7/x", "linux amd64",
                                      "windows(10.0/amd64", "windows()/amd64", "linux/am\"d64"}) {
    const auto platform = parse_platform(text);
    ASSERT_FALSE(platform) << text;
    EXPECT_EQ(platform.error().field(), "/platform");
  }
}

TEST(Selection, TakesTheHighestVariantThatStillRuns) {
  const std::vector<Descriptor> entries{entry("linux/arm/v5", 'a'), entry("linux/arm/v6", 'b'),
                                        entry("linux/arm/v7", 'c')};
  EXPECT_EQ(select_platform(entries, parse_platform("linux/arm/v6").value()), &entries[1]);
  EXPECT_EQ(select_platform(entries, parse_platform("linux/arm64").value()), nullptr);
}

TEST(Selection, NeverTakesAnAttestation) {
  std::vector<Descriptor> entries{entry("linux/amd64", 'a')};
  entries[0].is_attestation = true;
  EXPECT_EQ(select_platform(entries, parse_platform("linux/amd64").value()), nullptr);
  EXPECT_EQ(list_platforms(entries), "none");
}

TEST(Selection, TakesAnEntryWithoutPlatformOnlyIfItStandsAlone) {
  std::vector<Descriptor> entries{entry("linux/amd64", 'a'), entry("linux/amd64", 'b')};
  entries[0].platform.reset();
  entries[1].is_attestation = true;
  EXPECT_EQ(select_platform(entries, parse_platform("linux/arm64").value()), entries.data());
  entries[1].is_attestation = false;
  EXPECT_EQ(select_platform(entries, parse_platform("linux/arm64").value()), nullptr);
}

}  // namespace
}  // namespace inthub::oci
