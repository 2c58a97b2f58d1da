#include "connectors/oci/oci_connector.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "connectors/fake_vendor_http.h"
#include "connectors/oci/digest.h"
#include "connectors/oci/manifest.h"
#include "support/run_task.h"

namespace inthub::oci {
namespace {

using testing_support::FakeClock;
using testing_support::FakeVendorHttp;
using testing_support::run_task;

const std::string kTagTarget = "/v2/app/manifests/v1";
const std::string kType(kOciManifest);
const std::string kIndexType(kOciIndex);

std::string sha256_of(std::string_view bytes) {
  return digest_of("sha256", bytes).to_string();
}
std::string blob_target(std::string_view bytes) {
  return "/v2/app/blobs/" + sha256_of(bytes);
}
std::string manifest_of(std::string_view bytes) {
  return "/v2/app/manifests/" + sha256_of(bytes);
}
std::string image_with_config(std::string_view config) {
  return fmt::format(R"({{"schemaVersion":2,"config":{{"digest":"{}","size":{}}},"layers":[]}})", sha256_of(config),
                     config.size());
}
std::string index_entry(std::string_view bytes, std::string_view platform, std::string_view type = kOciManifest) {
  const std::string stated = platform.empty() ? std::string() : fmt::format(R"(,"platform":{})", platform);
  return fmt::format(R"({{"digest":"{}","size":{},"mediaType":"{}"{}}})", sha256_of(bytes), bytes.size(), type, stated);
}
std::string index_of(std::string_view entries) {
  return fmt::format(R"({{"schemaVersion":2,"manifests":[{}]}})", entries);
}
constexpr std::string_view kAmd64 = R"({"os":"linux","architecture":"amd64"})";
constexpr std::string_view kArm64 = R"({"os":"linux","architecture":"arm64"})";
const std::string kImage = image_with_config("{}");

class OciConnectorTest : public testing::Test {
 protected:
  OciConnectorTest() { config["endpoint"] = "https://r.example"; }

  CallContext call() {
    return {.tenant = {},
            .integration = {},
            .revision = 1,
            .config = config,
            .anonymous = anonymous,
            .deadline = Deadline::max(),
            .trace_id = {},
            .clock = clock,
            .http = http};
  }
  Result<ResolvedDigest> resolve(std::string image, std::string platform = {}, bool strict = false) {
    CallContext context = call();
    return run_task(connector->resolve_tag_to_digest(
        context, {.image_ref = std::move(image), .platform = std::move(platform), .strict = strict}));
  }
  Result<Manifest> manifest(std::string image, std::string platform = {}) {
    CallContext context = call();
    return run_task(
        connector->fetch_manifest(context, {.image_ref = std::move(image), .platform = std::move(platform)}));
  }
  Result<Verification> verify(std::string image, std::string digest) {
    CallContext context = call();
    return run_task(connector->verify_digest(context, {.image_ref = std::move(image), .digest = std::move(digest)}));
  }
  Result<ResourceList> discover(std::string type, std::string parent = {}, std::string query = {}) {
    CallContext context = call();
    return run_task(connector->discover_resources(
        context, {.resource_type = std::move(type), .parent_id = std::move(parent), .query = std::move(query)}));
  }
  ConnectionTest test() {
    CallContext context = call();
    return run_task(connector->test_connection(context)).value();
  }
  HealthReport health() {
    CallContext context = call();
    return run_task(connector->get_health(context)).value();
  }
  static TestStep step(const ConnectionTest& result, std::string_view name) {
    return *std::ranges::find(result.steps, name, &TestStep::name);
  }

  Json config;
  bool anonymous = false;
  FakeClock clock;
  FakeVendorHttp http{"https://r.example"};
  std::unique_ptr<Connector> connector = factory().make();
};

// ---- resolve -------------------------------------------------------------------------------------------------------

TEST_F(OciConnectorTest, ATagIsResolvedWithOneHead) {
  http.on("HEAD", kTagTarget, 200, "",
          {{"Docker-Content-Digest", sha256_of(kImage)}, {"Content-Type", kType}, {"Content-Length", "123"}});
  const auto resolved = resolve("app:v1");
  ASSERT_TRUE(resolved) << resolved.error().message();
  EXPECT_EQ(resolved->digest, sha256_of(kImage));
  EXPECT_EQ(resolved->manifest_type, kOciManifest);
  EXPECT_EQ(resolved->size_bytes, 123);
  EXPECT_EQ(resolved->image_ref, "r.example/app:v1");
  EXPECT_EQ(resolved->repository, "app");
  EXPECT_EQ(resolved->tag, "v1");
  EXPECT_FALSE(resolved->pushed_at);
  ASSERT_EQ(http.requests.size(), 1U);
  EXPECT_EQ(http.requests[0].headers.find_all("Accept"), std::vector<std::string_view>{accept_header()});
  EXPECT_EQ(http.requests[0].scopes, std::vector<std::string>{"repository:app:pull"});
  EXPECT_FALSE(http.requests[0].accept_compressed);
}

TEST_F(OciConnectorTest, AReferenceWithDigestIsItsOwnAnswer) {
  const auto resolved = resolve("app@" + sha256_of(kImage));
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->digest, sha256_of(kImage));
  EXPECT_TRUE(http.requests.empty());
}

TEST_F(OciConnectorTest, AStrictDigestIsFetchedAndHashed) {
  http.on("GET", manifest_of(kImage), 200, kImage, {{"Content-Type", kType}});
  EXPECT_TRUE(resolve("app@" + sha256_of(kImage), {}, true));
  http.on("GET", "/v2/app/manifests/" + sha256_of("other"), 200, kImage, {{"Content-Type", kType}});
  const auto wrong = resolve("app@" + sha256_of("other"), {}, true);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().reason(), "registry.digest_mismatch");
}

TEST_F(OciConnectorTest, WhereHeadDoesNotSufficeTheBytesAreHashed) {
  struct Case {
    int status;
    std::vector<Headers::Field> headers;
  };
  const std::string digest = sha256_of(kImage);
  for (const Case& row : std::vector<Case>{
           {200, {{"Content-Type", kType}, {"Content-Length", "9"}}},
           {200, {{"Docker-Content-Digest", "sha256:short"}, {"Content-Type", kType}, {"Content-Length", "9"}}},
           {200, {{"Docker-Content-Digest", digest}, {"Content-Length", "9"}}},
           {200, {{"Docker-Content-Digest", digest}, {"Content-Type", "text/plain"}, {"Content-Length", "9"}}},
           {200, {{"Docker-Content-Digest", digest}, {"Content-Type", kType}}},
           {200,
            {{"Docker-Content-Digest", digest},
             {"Content-Type", kType},
             {"Content-Length", "9"},
             {"Content-Encoding", "gzip"}}},
           {400, {}},
           {405, {}},
           {501, {}}}) {
    FakeVendorHttp fresh("https://r.example");
    CallContext context{.tenant = {},
                        .integration = {},
                        .revision = 1,
                        .config = config,
                        .anonymous = false,
                        .deadline = Deadline::max(),
                        .trace_id = {},
                        .clock = clock,
                        .http = fresh};
    fresh.on("HEAD", kTagTarget, row.status, "", row.headers);
    fresh.on("GET", kTagTarget, 200, kImage, {{"Content-Type", kType}});
    const auto resolved =
        run_task(connector->resolve_tag_to_digest(context, {.image_ref = "app:v1", .platform = {}, .strict = false}));
    ASSERT_TRUE(resolved) << resolved.error().message();
    EXPECT_EQ(resolved->digest, digest);
    EXPECT_EQ(resolved->size_bytes, static_cast<std::int64_t>(kImage.size()));
  }
}

TEST_F(OciConnectorTest, AMissingTagCostsOneRequest) {
  http.on("HEAD", kTagTarget, 404);
  const auto resolved = resolve("app:v1");
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error().code(), ErrorCode::not_found);
  EXPECT_EQ(resolved.error().reason(), "registry.manifest_not_found");
  EXPECT_EQ(resolved.error().field(), "/imageRef");
  EXPECT_EQ(http.requests.size(), 1U);
}

TEST_F(OciConnectorTest, Schema1IsRefusedEvenWithADigest) {
  http.on("HEAD", kTagTarget, 200, "",
          {{"Docker-Content-Digest", sha256_of(kImage)},
           {"Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws"},
           {"Content-Length", "9"}});
  EXPECT_EQ(resolve("app:v1").error().reason(), "registry.unsupported_schema1");
  EXPECT_EQ(http.requests.size(), 1U);
}

TEST_F(OciConnectorTest, AWrongDigestHeaderLosesToTheBytesAndIsAnErrorWhenStrict) {
  http.on("HEAD", kTagTarget, 405);
  http.on("GET", kTagTarget, 200, kImage, {{"Content-Type", kType}, {"Docker-Content-Digest", sha256_of("other")}});
  const auto resolved = resolve("app:v1");
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->digest, sha256_of(kImage));
  EXPECT_EQ(resolved->details.at("registryDigest"), sha256_of("other"));
  EXPECT_EQ(resolve("app:v1", {}, true).error().reason(), "registry.digest_mismatch");
}

TEST_F(OciConnectorTest, ADigestHeaderOfAnotherAlgorithmIsVerifiedWithIt) {
  const std::string sha512 = digest_of("sha512", kImage).to_string();
  http.on("GET", kTagTarget, 200, kImage, {{"Content-Type", kType}, {"Docker-Content-Digest", sha512}});
  const auto resolved = resolve("app:v1", {}, true);
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->digest, sha512);
}

TEST_F(OciConnectorTest, ACompressedManifestIsRefused) {
  http.on("GET", kTagTarget, 200, "gzip", {{"Content-Type", kType}, {"Content-Encoding", "gzip"}});
  EXPECT_EQ(manifest("app:v1").error().reason(), "registry.encoded_manifest");
}

TEST_F(OciConnectorTest, AGiganticManifestIsRefused) {
  http.on("GET", kTagTarget, 200, std::string(kMaxManifestBytes + 1, ' '), {{"Content-Type", kType}});
  EXPECT_EQ(manifest("app:v1").error().reason(), "registry.manifest_too_large");
  EXPECT_EQ(http.requests[0].max_body_bytes, kMaxManifestBytes);
}

TEST_F(OciConnectorTest, VendorWordsAreQuotedAndRedacted) {
  http.on("GET", kTagTarget, 403,
          R"({"errors":[{"code":"DENIED","message":"no, https://bob:hunter2@r.example may not"}]})");
  const auto read = manifest("app:v1");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().reason(), "authentication.forbidden");
  EXPECT_NE(read.error().message().find("DENIED"), std::string::npos);
  EXPECT_EQ(read.error().message().find("hunter2"), std::string::npos);
  EXPECT_EQ(read.error().details().at("registryCodes"), "DENIED");
}

TEST_F(OciConnectorTest, ARateLimitSaysHowLongToWait) {
  http.on("HEAD", kTagTarget, 429, "", {{"Retry-After", "17"}});
  const auto resolved = resolve("app:v1");
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(resolved.error().retry_after(), std::chrono::seconds(17));
}

TEST_F(OciConnectorTest, AForeignRegistryIsNotAsked) {
  EXPECT_EQ(resolve("ghcr.io/app:v1").error().reason(), "image_ref.foreign_registry");
  EXPECT_TRUE(http.requests.empty());
}

TEST(OciOnDockerHub, RefusedMeansPerhapsMissingAndOfficialImagesAreBelowLibrary) {
  FakeVendorHttp http("https://registry-1.docker.io");
  const Json config{{"endpoint", "https://registry-1.docker.io"}};
  const FakeClock clock;
  CallContext call{.tenant = {},
                   .integration = {},
                   .revision = 1,
                   .config = config,
                   .anonymous = true,
                   .deadline = Deadline::max(),
                   .trace_id = {},
                   .clock = clock,
                   .http = http};
  http.on("HEAD", "/v2/library/ubuntu/manifests/latest", 401);
  const auto resolved =
      run_task(factory().make()->resolve_tag_to_digest(call, {.image_ref = "ubuntu", .platform = {}, .strict = false}));
  ASSERT_FALSE(resolved);
  EXPECT_NE(resolved.error().remedy().find("does not exist"), std::string::npos);
  EXPECT_EQ(http.requests[0].scopes, std::vector<std::string>{"repository:library/ubuntu:pull"});
}

// ---- platforms -----------------------------------------------------------------------------------------------------

TEST_F(OciConnectorTest, AnIndexIsItsOwnAnswerUnlessAPlatformIsAskedFor) {
  const std::string arm = image_with_config("arm");
  const std::string index = index_of(index_entry(kImage, kAmd64) + "," + index_entry(arm, kArm64) + "," +
                                     index_entry("attestation", R"({"os":"unknown","architecture":"unknown"})"));
  http.on("GET", kTagTarget, 200, index, {{"Content-Type", kIndexType}});
  const auto whole = resolve("app:v1", {}, true);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->digest, sha256_of(index));
  EXPECT_EQ(whole->details.at("platforms"), "linux/amd64, linux/arm64");

  const auto one = resolve("app:v1", "linux/aarch64");
  ASSERT_TRUE(one) << one.error().message();
  EXPECT_EQ(one->digest, sha256_of(arm));
  EXPECT_EQ(one->manifest_type, kOciManifest);
  EXPECT_EQ(one->size_bytes, static_cast<std::int64_t>(arm.size()));
  EXPECT_EQ(one->details.at("indexDigest"), sha256_of(index));

  config["platform"] = "linux/amd64";
  EXPECT_EQ(resolve("app:v1", "default")->digest, sha256_of(kImage));

  const auto none = resolve("app:v1", "linux/s390x");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().reason(), "registry.platform_not_found");
  EXPECT_NE(none.error().message().find("linux/amd64, linux/arm64"), std::string::npos);
}

TEST_F(OciConnectorTest, AnImageWithoutIndexIsHeldAgainstItsConfig) {
  const std::string blob = R"({"os":"linux","architecture":"amd64"})";
  const std::string image = image_with_config(blob);
  http.on("GET", kTagTarget, 200, image, {{"Content-Type", kType}});
  http.on("GET", blob_target(blob), 200, blob);
  EXPECT_EQ(resolve("app:v1", "linux/amd64")->digest, sha256_of(image));
  EXPECT_EQ(resolve("app:v1", "linux/arm64").error().reason(), "registry.platform_not_found");
}

TEST_F(OciConnectorTest, AnIndexInsideAnIndexIsSearched) {
  const std::string inner = index_of(index_entry(kImage, kAmd64));
  const std::string outer = index_of(index_entry(inner, "", kOciIndex) + "," + index_entry("x", kArm64));
  http.on("GET", kTagTarget, 200, outer, {{"Content-Type", kIndexType}});
  http.on("GET", manifest_of(inner), 200, inner, {{"Content-Type", kIndexType}});
  EXPECT_EQ(resolve("app:v1", "linux/amd64")->digest, sha256_of(kImage));
}

TEST_F(OciConnectorTest, IndexesNestedTooDeepAreRefused) {
  std::string index = index_of(index_entry(kImage, kAmd64));
  for (int depth = 0; depth < kMaxIndexDepth; ++depth) {
    http.on("GET", manifest_of(index), 200, index, {{"Content-Type", kIndexType}});
    index = index_of(index_entry(index, "", kOciIndex));
  }
  http.on("GET", kTagTarget, 200, index, {{"Content-Type", kIndexType}});
  EXPECT_EQ(resolve("app:v1", "linux/amd64").error().reason(), "registry.index_too_deep");
}

TEST_F(OciConnectorTest, AnEntryWhoseBytesDifferIsRefused) {
  const std::string index = index_of(index_entry(kImage, kAmd64));
  http.on("GET", kTagTarget, 200, index, {{"Content-Type", kIndexType}});
  http.on("GET", manifest_of(kImage), 200, kImage + " ", {{"Content-Type", kType}});
  EXPECT_EQ(manifest("app:v1", "linux/amd64").error().reason(), "registry.size_mismatch");
  std::string changed = kImage;
  changed.replace(changed.find("2,"), 1, "3");
  FakeVendorHttp lying("https://r.example");
  lying.on("GET", kTagTarget, 200, index, {{"Content-Type", kIndexType}});
  lying.on("GET", manifest_of(kImage), 200, changed, {{"Content-Type", kType}});
  CallContext context{.tenant = {},
                      .integration = {},
                      .revision = 1,
                      .config = config,
                      .anonymous = false,
                      .deadline = Deadline::max(),
                      .trace_id = {},
                      .clock = clock,
                      .http = lying};
  const auto read = run_task(connector->fetch_manifest(context, {.image_ref = "app:v1", .platform = "linux/amd64"}));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().reason(), "registry.digest_mismatch");
}

TEST_F(OciConnectorTest, AManifestIsGivenByteForByte) {
  const std::string odd = kImage + "\n";
  http.on("GET", kTagTarget, 200, odd, {{"Content-Type", kType}, {"Docker-Content-Digest", sha256_of(kImage)}});
  const auto read = manifest("app:v1");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bytes, odd);
  EXPECT_EQ(read->digest, sha256_of(odd));
  EXPECT_EQ(read->media_type, kOciManifest);
}

TEST_F(OciConnectorTest, AnIndexListsItsPlatformsWithoutAttestations) {
  const std::string index =
      index_of(index_entry(kImage, kAmd64) + "," + index_entry("att", R"({"os":"unknown","architecture":"unknown"})"));
  http.on("GET", kTagTarget, 200, index, {{"Content-Type", kIndexType}});
  const auto read = manifest("app:v1");
  ASSERT_TRUE(read);
  ASSERT_EQ(read->platforms.size(), 1U);
  EXPECT_EQ(read->platforms[0].name, "linux/amd64");
  EXPECT_EQ(read->platforms[0].digest, sha256_of(kImage));
}

// ---- verify --------------------------------------------------------------------------------------------------------

TEST_F(OciConnectorTest, ADigestIsVerifiedFromItsBytes) {
  http.on("GET", manifest_of(kImage), 200, kImage, {{"Content-Type", kType}});
  const auto verified = verify("app", sha256_of(kImage));
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->verified);
  EXPECT_EQ(verified->code, "ok");
  EXPECT_EQ(http.requests.size(), 1U) << "a tag that nobody wrote is not looked at";
}

TEST_F(OciConnectorTest, OtherBytesAreAMismatchAndNotAnError) {
  http.on("GET", manifest_of(kImage), 200, kImage + "\n",
          {{"Content-Type", kType}, {"Docker-Content-Digest", sha256_of(kImage)}});
  const auto verified = verify("app", sha256_of(kImage));
  ASSERT_TRUE(verified);
  EXPECT_FALSE(verified->verified);
  EXPECT_EQ(verified->code, "registry.digest_mismatch");
  EXPECT_EQ(verified->actual_digest, sha256_of(kImage + "\n"));
}

TEST_F(OciConnectorTest, AWrittenTagMustNameTheDigestToo) {
  const std::string newer = image_with_config("newer");
  http.on("GET", manifest_of(kImage), 200, kImage, {{"Content-Type", kType}});
  http.on("GET", kTagTarget, 200, newer, {{"Content-Type", kType}, {"Docker-Content-Digest", sha256_of(kImage)}});
  const auto moved = verify("app:v1", sha256_of(kImage));
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->verified);
  EXPECT_EQ(moved->code, "registry.digest_mismatch");
  EXPECT_EQ(moved->actual_digest, sha256_of(newer)) << "the header does not count";
  http.on("GET", kTagTarget, 200, kImage, {{"Content-Type", kType}});
  EXPECT_FALSE(verify("app:v1", sha256_of(kImage))->verified) << "the first scripted answer is used once more";
  EXPECT_TRUE(verify("app:v1", sha256_of(kImage))->verified);
}

TEST_F(OciConnectorTest, ADigestThatTheRepositoryLacksIsAMismatchOfTheTagOrNotFound) {
  http.on("GET", manifest_of("gone"), 404);
  http.on("GET", kTagTarget, 200, kImage, {{"Content-Type", kType}});
  const auto tagged = verify("app:v1", sha256_of("gone"));
  ASSERT_TRUE(tagged);
  EXPECT_FALSE(tagged->verified);
  EXPECT_EQ(tagged->actual_digest, sha256_of(kImage));
  EXPECT_EQ(verify("app", sha256_of("gone")).error().code(), ErrorCode::not_found);
}

TEST_F(OciConnectorTest, ARefusedTagOnlySha512IsVerifiedWithItsOwnAlgorithm) {
  const std::string sha512 = digest_of("sha512", kImage).to_string();
  http.on("GET", "/v2/app/manifests/" + sha512, 200, kImage, {{"Content-Type", kType}});
  EXPECT_TRUE(verify("app", sha512)->verified);
}

TEST_F(OciConnectorTest, AMalformedDigestIsRefusedBeforeSending) {
  const auto verified = verify("app", "sha256:xyz");
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().field(), "/digest");
  EXPECT_TRUE(http.requests.empty());
}

// ---- lists ---------------------------------------------------------------------------------------------------------

TEST_F(OciConnectorTest, RepositoriesComeFromTheCatalogSortedAndFiltered) {
  http.on("GET", "/v2/_catalog?n=1000", 200, R"({"repositories":["team/web","app","Bad","team/api"]})");
  const auto list = discover("repos", {}, "TEAM");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->resources.size(), 2U);
  EXPECT_EQ(list->resources[0].id, "team/api");
  EXPECT_EQ(list->resources[0].attributes.at("reference"), "r.example/team/api");
  EXPECT_EQ(list->warnings.size(), 1U);
  EXPECT_EQ(http.requests[0].scopes, std::vector<std::string>{"registry:catalog:*"});
}

TEST_F(OciConnectorTest, ARefusedCatalogFallsBackToTheConfigOrSaysHowToSetIt) {
  http.on("GET", "/v2/_catalog?n=1000", 401, R"({"errors":[{"code":"UNAUTHORIZED","message":"no catalog"}]})");
  const auto without = discover("repos");
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().field(), "/repositories");
  EXPECT_NE(without.error().remedy().find("\"repositories\""), std::string::npos);
  config["repositories"] = Json::array({"team/web", "app"});
  const auto with = discover("repos");
  ASSERT_TRUE(with);
  ASSERT_EQ(with->resources.size(), 2U);
  EXPECT_EQ(with->resources[0].id, "app");
  ASSERT_EQ(with->warnings.size(), 1U);
  EXPECT_NE(with->warnings[0].find("no catalog"), std::string::npos);
}

TEST_F(OciConnectorTest, AFailingCatalogIsNotARefusedOne) {
  config["repositories"] = Json::array({"app"});
  http.on("GET", "/v2/_catalog?n=1000", 503);
  EXPECT_EQ(discover("repos").error().reason(), "vendor.server_error");
}

TEST_F(OciConnectorTest, TagsAreListedBelowTheirRepository) {
  http.on("GET", "/v2/team/app/tags/list?n=1000", 200, R"({"tags":["v2","v1"]})", {{"Content-Type", "text/plain"}});
  const auto list = discover("tags", "r.example/team/app");
  ASSERT_TRUE(list) << list.error().message();
  ASSERT_EQ(list->resources.size(), 2U);
  EXPECT_EQ(list->resources[0].id, "team/app:v1");
  EXPECT_EQ(list->resources[0].parent_id, "team/app");
  EXPECT_EQ(list->resources[0].url, "https://r.example/v2/team/app/manifests/v1");
}

TEST_F(OciConnectorTest, TagsWithoutOrWithABadParentAreRefused) {
  for (const std::string parent : {"", "app:v1", "ghcr.io/app", "App", "app@sha256:abc"}) {
    const auto list = discover("tags", parent);
    ASSERT_FALSE(list) << parent;
    EXPECT_EQ(list.error().field(), "/parent");
  }
  EXPECT_EQ(discover("branches").error().field(), "/type");
}

TEST_F(OciConnectorTest, AMissingRepositoryIsNotFound) {
  http.on("GET", "/v2/app/tags/list?n=1000", 404, R"({"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]})");
  EXPECT_EQ(discover("tags", "app").error().reason(), "registry.repository_not_found");
}

TEST_F(OciConnectorTest, DigestsAreEachOnceWithTheirTags) {
  http.on("GET", "/v2/app/tags/list?n=1000", 200, R"({"tags":["v1","latest","old","gone"]})");
  const auto head = [&](const std::string& tag, const std::string& bytes) {
    http.on("HEAD", "/v2/app/manifests/" + tag, 200, "",
            {{"Docker-Content-Digest", sha256_of(bytes)}, {"Content-Type", kType}, {"Content-Length", "5"}});
  };
  head("v1", "new");
  head("latest", "new");
  head("old", "old");
  http.on("HEAD", "/v2/app/manifests/gone", 404);
  const auto list = discover("digests", "app");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->resources.size(), 2U);
  EXPECT_EQ(list->resources[0].id, sha256_of("new"));
  EXPECT_EQ(list->resources[0].attributes.at("tags"), "latest,v1");
  EXPECT_EQ(list->resources[0].attributes.at("mediaType"), kOciManifest);
  EXPECT_EQ(list->resources[0].attributes.at("sizeBytes"), "5");
  EXPECT_EQ(list->warnings.size(), 1U);
}

TEST_F(OciConnectorTest, DigestLookupsAreBounded) {
  std::string tags;
  for (std::size_t i = 0; i <= kMaxDigestLookups; ++i) tags += fmt::format(R"({}"t{}")", i == 0 ? "" : ",", i);
  http.on("GET", "/v2/app/tags/list?n=1000", 200, fmt::format(R"({{"tags":[{}]}})", tags));
  for (std::size_t i = 0; i <= kMaxDigestLookups; ++i) http.on("HEAD", fmt::format("/v2/app/manifests/t{}", i), 404);
  const auto list = discover("digests", "app");
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->truncated);
  EXPECT_EQ(http.requests.size(), 1 + kMaxDigestLookups);
}

// ---- connection test and health ------------------------------------------------------------------------------------

TEST_F(OciConnectorTest, AWorkingRegistryPassesEveryStep) {
  http.on("GET", "/v2/", 200, "{}", {{"Docker-Distribution-Api-Version", "registry/2.0"}});
  http.on("GET", "/v2/_catalog?n=1", 200, R"({"repositories":[]})");
  const ConnectionTest result = test();
  EXPECT_TRUE(result.success) << result.error_message;
  const std::vector<std::string> names{"dns", "tcp", "tls", "http", "authentication", "capability"};
  ASSERT_EQ(result.steps.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(result.steps[i].name, names[i]);
    EXPECT_EQ(result.steps[i].status, StepStatus::pass);
  }
  EXPECT_EQ(result.steps[1].duration, std::chrono::milliseconds(2));
  EXPECT_EQ(result.details.at("registryApiVersion"), "registry/2.0");
  EXPECT_EQ(result.details.at("address"), "192.0.2.1:443");
  EXPECT_EQ(result.details.at("tlsVersion"), "TLSv1.3");
  EXPECT_FALSE(http.requests[0].retry);
}

TEST_F(OciConnectorTest, AWrongBasePathPointsAtTheEndpoint) {
  for (const auto& [status, type] :
       std::vector<std::pair<int, std::string>>{{404, "text/plain"}, {200, "text/html; charset=utf-8"}}) {
    FakeVendorHttp other("https://r.example");
    CallContext context{.tenant = {},
                        .integration = {},
                        .revision = 1,
                        .config = config,
                        .anonymous = false,
                        .deadline = Deadline::max(),
                        .trace_id = {},
                        .clock = clock,
                        .http = other};
    other.on("GET", "/v2/", status, "hello", {{"Content-Type", type}});
    const auto result = run_task(connector->test_connection(context));
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->success);
    EXPECT_EQ(step(*result, "http").code, "http.not_a_registry");
    EXPECT_EQ(step(*result, "http").field, "/endpoint");
    EXPECT_EQ(step(*result, "authentication").status, StepStatus::skip);
  }
}

TEST_F(OciConnectorTest, ARejectedCredentialPointsAtTheCredential) {
  http.on("GET", "/v2/", 401, "", {{"WWW-Authenticate", "Basic realm=\"r\""}});
  const ConnectionTest result = test();
  EXPECT_FALSE(result.success);
  EXPECT_EQ(step(result, "http").status, StepStatus::pass);
  EXPECT_EQ(step(result, "authentication").code, "authentication.rejected");
  EXPECT_EQ(step(result, "authentication").field, "/credentialRef");
  EXPECT_EQ(result.details.at("authScheme"), "Basic");
  EXPECT_EQ(result.error_message, step(result, "authentication").message);
}

TEST_F(OciConnectorTest, ARefusalWithoutChallengeNamesTheProxy) {
  http.on("GET", "/v2/", 401);
  EXPECT_EQ(step(test(), "authentication").code, "authentication.no_challenge");
}

TEST_F(OciConnectorTest, ACredentialThatTheTokenServiceRejectsFailsAuthentication) {
  http.fails("GET", "/v2/",
             Error(ErrorCode::vendor_failure, "the token service said no").with_reason("authentication.rejected"));
  EXPECT_EQ(step(test(), "authentication").code, "authentication.rejected");
}

TEST_F(OciConnectorTest, ATransportFailureFailsItsStep) {
  HttpFailure failure{
      .error = Error(ErrorCode::unavailable, "expired").with_reason("tls.expired").with_field("/caBundle"),
      .stage = HttpStage::tls,
      .timings = {},
      .peer = {}};
  http.fails("GET", "/v2/", failure.error, failure);
  const ConnectionTest result = test();
  EXPECT_EQ(step(result, "tcp").status, StepStatus::pass);
  EXPECT_EQ(step(result, "tls").status, StepStatus::fail);
  EXPECT_EQ(step(result, "tls").code, "tls.expired");
  EXPECT_EQ(step(result, "tls").field, "/caBundle");
  EXPECT_EQ(step(result, "http").status, StepStatus::skip);
}

TEST_F(OciConnectorTest, ARefusedCatalogIsAWarningAndARefusedTestRepositoryAFailure) {
  http.on("GET", "/v2/", 200, "{}");
  http.on("GET", "/v2/_catalog?n=1", 403);
  const ConnectionTest warned = test();
  EXPECT_TRUE(warned.success);
  EXPECT_EQ(step(warned, "capability").status, StepStatus::warn);
  config["testRepository"] = "app";
  http.on("GET", "/v2/app/tags/list?n=1", 403);
  EXPECT_EQ(step(test(), "capability").code, "authentication.forbidden");
}

TEST_F(OciConnectorTest, AMissingTestRepositoryPointsAtItsMember) {
  http.on("GET", "/v2/", 200, "{}");
  config["testRepository"] = "app";
  http.on("GET", "/v2/app/tags/list?n=1", 404);
  const ConnectionTest result = test();
  EXPECT_FALSE(result.success);
  EXPECT_EQ(step(result, "capability").code, "registry.repository_not_found");
  EXPECT_EQ(step(result, "capability").field, "/testRepository");
}

TEST_F(OciConnectorTest, ACredentialThatWasNotAskedForIsSaidToBeUntested) {
  http.authenticated = false;
  http.on("GET", "/v2/", 200, "{}");
  http.on("GET", "/v2/_catalog?n=1", 200, R"({"repositories":[]})");
  EXPECT_EQ(step(test(), "authentication").code, "authentication.not_requested");
  anonymous = true;
  EXPECT_EQ(step(test(), "authentication").status, StepStatus::pass);
}

TEST_F(OciConnectorTest, HealthTellsSlowFromBrokenFromWrong) {
  struct Case {
    int status;
    std::chrono::milliseconds took;
    HealthStatus want;
    std::string code;
  };
  for (const Case& row :
       std::vector<Case>{{200, std::chrono::milliseconds(20), HealthStatus::healthy, "ok"},
                         {200, std::chrono::milliseconds(5001), HealthStatus::degraded, "http.slow"},
                         {429, std::chrono::milliseconds(20), HealthStatus::degraded, "vendor.rate_limited"},
                         {503, std::chrono::milliseconds(20), HealthStatus::degraded, "vendor.server_error"},
                         {401, std::chrono::milliseconds(20), HealthStatus::unhealthy, "authentication.no_challenge"},
                         {404, std::chrono::milliseconds(20), HealthStatus::unhealthy, "http.not_a_registry"}}) {
    FakeVendorHttp other("https://r.example");
    other.on("GET", "/v2/", row.status);
    other.last_answer("GET", "/v2/").timings.total = row.took;
    CallContext context{.tenant = {},
                        .integration = {},
                        .revision = 1,
                        .config = config,
                        .anonymous = false,
                        .deadline = Deadline::max(),
                        .trace_id = {},
                        .clock = clock,
                        .http = other};
    const auto report = run_task(connector->get_health(context));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->status, row.want) << row.status;
    EXPECT_EQ(report->code, row.code);
    EXPECT_EQ(report->latency, row.took);
    EXPECT_EQ(report->remedy.empty(), row.want == HealthStatus::healthy);
  }
}

TEST_F(OciConnectorTest, AnUnreachableRegistryIsUnhealthyAndNotAnError) {
  http.fails("GET", "/v2/", Error(ErrorCode::unavailable, "refused").with_reason("connectivity.refused"));
  EXPECT_EQ(health().status, HealthStatus::unhealthy);
  EXPECT_EQ(health().code, "connectivity.refused");
}

TEST_F(OciConnectorTest, WhatItDoesNotOfferIsUnsupported) {
  CallContext context = call();
  const auto branches =
      run_task(connector->list_branches(context, {.resource_type = {}, .parent_id = {}, .query = {}}));
  ASSERT_FALSE(branches);
  EXPECT_EQ(branches.error().code(), ErrorCode::unsupported);
  EXPECT_EQ(branches.error().details().at("operation"), "list_branches");
  EXPECT_FALSE(branches.error().remedy().empty());
}

}  // namespace
}  // namespace inthub::oci
