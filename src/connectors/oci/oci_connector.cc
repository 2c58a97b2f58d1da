#include "connectors/oci/oci_connector.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "connectors/oci/config.h"
#include "connectors/oci/digest.h"
#include "connectors/oci/error_body.h"
#include "connectors/oci/image_reference.h"
#include "connectors/oci/manifest.h"
#include "connectors/oci/paging.h"
#include "connectors/vendor_http.h"
#include "foundation/redact.h"

namespace inthub::oci {
namespace {

constexpr std::string_view kRepos = "repos";
constexpr std::string_view kTags = "tags";
constexpr std::string_view kDigests = "digests";
constexpr std::string_view kCatalogScope = "registry:catalog:*";
constexpr std::size_t kMaxBaseBodyBytes = std::size_t{64} << 10;

std::string pull_scope(std::string_view repository) {
  return fmt::format("repository:{}:pull", repository);
}
std::string manifest_target(std::string_view repository, std::string_view reference) {
  return fmt::format("/v2/{}/manifests/{}", repository, reference);
}

bool is_authentication_error(const Error& error) {
  return error.reason().starts_with("authentication.");
}

// ---- manifests ----------------------------------------------------------------------------------------------------

VendorRequest manifest_request(std::string method, const ImageReference& image, std::string_view reference) {
  VendorRequest request{.method = std::move(method),
                        .target = manifest_target(image.path, reference),
                        .headers = {},
                        .body = {},
                        .scopes = {pull_scope(image.path)},
                        .max_body_bytes = kMaxManifestBytes,
                        // Digests are of the bytes as stored; a compressed answer has a length of its own.
                        .accept_compressed = false};
  request.headers.add("Accept", std::string(accept_header()));
  return request;
}

bool is_encoded(const VendorResponse& response) {
  const auto encoding = response.headers.find("Content-Encoding");
  return encoding && !encoding->empty() && !equals_ignore_case(*encoding, "identity");
}

/// The refusal of a manifest. A registry hides what the credential may not see, so "not found" and "no access" look
/// alike.
Error manifest_error(const VendorResponse& response, const ImageReference& image, const OciConfig& config) {
  Error error = registry_error(response, fmt::format("read {}", image.to_string()));
  if (response.status == 404) {
    return std::move(error)
        .with_reason("registry.manifest_not_found")
        .with_field("/imageRef")
        .with_remedy(
            "check the repository and the tag; some registries answer the same for what the credential may not read");
  }
  if (response.status == 401 && is_docker_hub(config.endpoint)) {
    return std::move(error).with_remedy(
        "Docker Hub answers 401 for a repository that does not exist as for one that the credential may not read: "
        "check the "
        "name first, then the credential");
  }
  return error;
}

Error digest_mismatch(std::string_view image, std::string_view expected, std::string_view actual) {
  return Error(ErrorCode::vendor_failure,
               fmt::format("{}: the registry's bytes have the digest {}, not {}", image, actual, expected))
      .with_reason("registry.digest_mismatch")
      .with_detail("expectedDigest", std::string(expected))
      .with_detail("actualDigest", std::string(actual))
      .with_remedy("do not use this image; find out what changed it, the registry's storage or a proxy on the way");
}

std::int64_t size_of(std::string_view bytes) {
  return static_cast<std::int64_t>(bytes.size());
}

std::optional<std::int64_t> content_length(const Headers& headers) {
  const auto field = headers.find("Content-Length");
  if (!field) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(field->data(), field->data() + field->size(), value);
  if (error != std::errc{} || end != field->data() + field->size() || value < 0) return std::nullopt;
  return value;
}

void add_registry_warnings(const Headers& headers, std::map<std::string, std::string>& details) {
  // RFC 7234 section 5.5; registries announce deprecations this way. Shown, never acted upon.
  const auto warnings = headers.find_all("Warning");
  if (!warnings.empty()) details["registryWarning"] = redact(fmt::format("{}", fmt::join(warnings, "; ")), {}, 256);
}

/// A manifest as it came, read.
struct FetchedManifest {
  VendorResponse response;  ///< response.body holds the bytes
  ParsedManifest parsed;
};

/// GETs a manifest; what the answer says about its digest is not looked at here.
Task<Result<FetchedManifest>> get_manifest(CallContext& call, const OciConfig& config, const ImageReference& image,
                                           std::string reference) {
  auto response = co_await call.http.send(manifest_request("GET", image, reference));
  if (!response) co_return fail(std::move(response).error().with_context(fmt::format("read {}", image.to_string())));
  if (response->status != 200) co_return fail(manifest_error(*response, image, config));
  if (is_encoded(*response)) {
    co_return fail(
        Error(ErrorCode::vendor_failure, "the registry sent a compressed manifest, which has no digest of its own")
            .with_reason("registry.encoded_manifest")
            .with_remedy("switch compression off in the proxy before the registry"));
  }
  auto parsed = read_manifest(response->headers.find("Content-Type").value_or(""), response->body);
  if (!parsed) co_return fail(std::move(parsed).error().with_context(fmt::format("read {}", image.to_string())));
  co_return FetchedManifest{.response = *std::move(response), .parsed = *std::move(parsed)};
}

/// GETs what an index names, and holds it against the entry.
Task<Result<FetchedManifest>> get_entry(CallContext& call, const OciConfig& config, const ImageReference& image,
                                        const Descriptor& entry) {
  auto fetched = co_await get_manifest(call, config, image, entry.digest);
  if (!fetched) co_return fetched;
  const std::string& bytes = fetched->response.body;
  if (size_of(bytes) != entry.size_bytes) {
    co_return fail(
        Error(ErrorCode::vendor_failure, fmt::format("{}: the index says {} bytes for {}, the registry sent {}",
                                                     image.to_string(), entry.size_bytes, entry.digest, bytes.size()))
            .with_reason("registry.size_mismatch")
            .with_remedy("push the image again"));
  }
  const auto expected = parse_digest(entry.digest);
  if (!matches(*expected, bytes)) {
    co_return fail(digest_mismatch(image.to_string(), entry.digest, digest_of(expected->algorithm, bytes).to_string()));
  }
  co_return fetched;
}

/// Whether an image that no index vouches for is for `wanted`: its config decides.
Task<Result<void>> check_config(CallContext& call, const ImageReference& image, const Descriptor& config_blob,
                                const Platform& wanted) {
  auto response = co_await call.http.send({.method = "GET",
                                           .target = fmt::format("/v2/{}/blobs/{}", image.path, config_blob.digest),
                                           .headers = {},
                                           .body = {},
                                           .scopes = {pull_scope(image.path)},
                                           .max_body_bytes = kMaxManifestBytes,
                                           .accept_compressed = false});
  const std::string asked = fmt::format("read the config of {}", image.to_string());
  if (!response) co_return fail(std::move(response).error().with_context(asked));
  if (response->status != 200) co_return fail(registry_error(*response, asked));
  const auto digest = parse_digest(config_blob.digest);
  if (!matches(*digest, response->body)) {
    co_return fail(
        digest_mismatch(asked, config_blob.digest, digest_of(digest->algorithm, response->body).to_string()));
  }
  const auto platform = read_config_platform(response->body);
  if (!platform) co_return fail(platform.error());
  if (is_compatible(*platform, wanted)) co_return Result<void>{};
  co_return fail(Error(ErrorCode::not_found, fmt::format("{} is for {}, not for {}", image.to_string(),
                                                         redact(platform->name(), {}, 64), wanted.name()))
                     .with_reason("registry.platform_not_found")
                     .with_field("/platform")
                     .with_remedy("ask for a platform that the image has, or push one for this platform"));
}

/// The image chosen out of an index, or the image itself; `fetched` where it had to be read for the choice.
struct Choice {
  Descriptor image;
  std::optional<FetchedManifest> fetched;
};

class PlatformChooser {
 public:
  PlatformChooser(CallContext& call, const OciConfig& config, const ImageReference& image, const Platform& wanted)
      : call_(call), config_(config), image_(image), wanted_(wanted) {}

  /// `top` is what the reference names, `digest` its digest.
  Task<Result<Choice>> choose(const FetchedManifest& top, std::string digest) {
    if (top.parsed.is_index) co_return co_await choose_from(top.parsed.entries, 1);
    auto fits = co_await check_config(call_, image_, top.parsed.config, wanted_);
    if (!fits) co_return fail(std::move(fits).error());
    co_return Choice{.image = {.digest = std::move(digest),
                               .media_type = top.parsed.media_type,
                               .size_bytes = size_of(top.response.body),
                               .platform = std::nullopt,
                               .is_attestation = false},
                     .fetched = std::nullopt};
  }

 private:
  Task<Result<Choice>> choose_from(const std::vector<Descriptor>& entries, int depth) {
    if (const Descriptor* entry = select_platform(entries, wanted_); entry != nullptr) {
      if (entry->platform && !entry->is_index()) co_return Choice{.image = *entry, .fetched = std::nullopt};
      co_return co_await descend(*entry, depth);
    }
    // An index inside an index often says nothing about its platforms.
    for (const Descriptor& entry : entries) {
      if (!entry.is_index() || entry.platform || entry.is_attestation) continue;
      auto inner = co_await descend(entry, depth);
      if (inner || inner.error().reason() != "registry.platform_not_found") co_return inner;
    }
    co_return fail(Error(ErrorCode::not_found, fmt::format("{} has no image for {}; it has {}", image_.to_string(),
                                                           wanted_.name(), list_platforms(entries)))
                       .with_reason("registry.platform_not_found")
                       .with_field("/platform")
                       .with_remedy("ask for one of the platforms that the index lists"));
  }

  Task<Result<Choice>> descend(const Descriptor& entry, int depth) {
    if (depth >= kMaxIndexDepth || ++fetches_ > kMaxPlatformFetches) {
      co_return fail(Error(ErrorCode::vendor_failure,
                           fmt::format("{}: indexes are nested deeper than {} or are too many to follow",
                                       image_.to_string(), kMaxIndexDepth))
                         .with_reason("registry.index_too_deep")
                         .with_remedy("name the image for the platform by its own tag or digest"));
    }
    auto fetched = co_await get_entry(call_, config_, image_, entry);
    if (!fetched) co_return fail(std::move(fetched).error());
    if (fetched->parsed.is_index) co_return co_await choose_from(fetched->parsed.entries, depth + 1);
    if (!entry.platform) {
      auto fits = co_await check_config(call_, image_, fetched->parsed.config, wanted_);
      if (!fits) co_return fail(std::move(fits).error());
    }
    Descriptor chosen = entry;
    chosen.media_type = fetched->parsed.media_type;
    co_return Choice{.image = std::move(chosen), .fetched = *std::move(fetched)};
  }

  CallContext& call_;
  const OciConfig& config_;
  const ImageReference& image_;
  const Platform& wanted_;
  int fetches_ = 0;
};

/// The digest of fetched bytes: the one asked for, else the one the registry states if it holds, else sha256. A stated
/// one that does not hold is an error when `strict`, else noted: many registries state a wrong one for a tag, and the
/// bytes win.
Result<std::string> identify(const FetchedManifest& fetched, const ImageReference& image, bool strict,
                             std::map<std::string, std::string>& details) {
  const std::string& bytes = fetched.response.body;
  if (!image.digest.empty()) {
    const auto expected = parse_digest(image.digest);
    if (!matches(*expected, bytes)) {
      return fail(digest_mismatch(image.to_string(), image.digest, digest_of(expected->algorithm, bytes).to_string()));
    }
    return image.digest;
  }
  std::string computed = digest_of("sha256", bytes).to_string();
  const auto field = fetched.response.headers.find("Docker-Content-Digest");
  const auto stated = field ? parse_digest(*field) : fail(ErrorCode::invalid_argument, "absent");
  if (!stated) return computed;
  if (matches(*stated, bytes)) return stated->to_string();
  if (strict)
    return fail(
        digest_mismatch(image.to_string(), stated->to_string(), digest_of(stated->algorithm, bytes).to_string()));
  details["registryDigest"] = stated->to_string();
  details["warning"] = "the registry states a digest that its bytes do not have; the digest given is that of the bytes";
  return computed;
}

ResolvedDigest resolution(const ImageReference& image) {
  ResolvedDigest out;
  out.image_ref = image.to_string();
  out.repository = image.path;
  out.tag = image.tag;
  if (!image.warnings.empty()) out.details["warning"] = fmt::format("{}", fmt::join(image.warnings, "; "));
  return out;
}

/// What a HEAD answers when it suffices: a digest, a type and a length.
std::optional<ResolvedDigest> read_head(const VendorResponse& response, const ImageReference& image) {
  const auto field = response.headers.find("Docker-Content-Digest");
  const auto length = content_length(response.headers);
  const std::string_view type = response.headers.find("Content-Type").value_or("");
  if (!field || !length || judge_content_type(type) != TypeVerdict::accepted || is_encoded(response))
    return std::nullopt;
  const auto digest = parse_digest(*field);
  if (!digest) return std::nullopt;
  ResolvedDigest out = resolution(image);
  out.digest = digest->to_string();
  out.manifest_type = media_type_of(type);
  out.size_bytes = *length;
  out.details["source"] = "head";
  add_registry_warnings(response.headers, out.details);
  return out;
}

Task<Result<ResolvedDigest>> resolve_by_get(CallContext& call, const OciConfig& config, const ImageReference& image,
                                            bool strict, const std::optional<Platform>& wanted) {
  auto fetched = co_await get_manifest(call, config, image, image.target());
  if (!fetched) co_return fail(std::move(fetched).error());
  ResolvedDigest out = resolution(image);
  auto digest = identify(*fetched, image, strict, out.details);
  if (!digest) co_return fail(std::move(digest).error());
  out.digest = *std::move(digest);
  out.manifest_type = fetched->parsed.media_type;
  out.size_bytes = size_of(fetched->response.body);
  out.details["source"] = "get";
  add_registry_warnings(fetched->response.headers, out.details);
  if (fetched->parsed.is_index) out.details["platforms"] = list_platforms(fetched->parsed.entries);
  if (!wanted) co_return out;

  PlatformChooser chooser(call, config, image, *wanted);
  auto choice = co_await chooser.choose(*fetched, out.digest);
  if (!choice) co_return fail(std::move(choice).error());
  if (fetched->parsed.is_index) out.details["indexDigest"] = out.digest;
  out.details["platform"] = wanted->name();
  out.digest = choice->image.digest;
  out.manifest_type = choice->image.media_type;
  out.size_bytes = choice->image.size_bytes;
  co_return out;
}

Task<Result<ResolvedDigest>> resolve_tag(CallContext& call, const OciConfig& config, const ImageReference& image) {
  const auto head = co_await call.http.send(manifest_request("HEAD", image, image.target()));
  if (!head) co_return fail(head.error().with_context(fmt::format("resolve {}", image.to_string())));
  const bool head_is_unsupported = head->status == 400 || head->status == 405 || head->status == 501;
  if (head->status != 200 && !head_is_unsupported) co_return fail(manifest_error(*head, image, config));
  if (head->status == 200) {
    const std::string_view type = head->headers.find("Content-Type").value_or("");
    const TypeVerdict verdict = judge_content_type(type);
    if (verdict == TypeVerdict::schema1 || verdict == TypeVerdict::foreign) {
      co_return fail(refused_type(type).with_context(fmt::format("resolve {}", image.to_string())));
    }
    if (auto answer = read_head(*head, image)) co_return *std::move(answer);
  }
  co_return co_await resolve_by_get(call, config, image, false, std::nullopt);
}

Result<std::optional<Platform>> wanted_platform(std::string_view asked, const OciConfig& config) {
  if (asked.empty()) return std::optional<Platform>{};
  auto platform = parse_platform(asked == "default" ? std::string_view(config.platform) : asked);
  if (!platform) return fail(std::move(platform).error());
  return std::optional<Platform>(*std::move(platform));
}

// ---- lists --------------------------------------------------------------------------------------------------------

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return part.empty() || to_lower(text).find(to_lower(part)) != std::string::npos;
}

Task<Result<NameList>> walk(CallContext& call, ListWalk pages, std::string scope) {
  while (!pages.is_done()) {
    const auto response = co_await call.http.send({.method = "GET",
                                                   .target = pages.target(),
                                                   .headers = {},
                                                   .body = {},
                                                   .scopes = {scope},
                                                   .max_body_bytes = kMaxPageBytes});
    if (!response)
      co_return fail(response.error().with_context("list " + pages.target().substr(0, pages.target().find('?'))));
    if (auto taken = pages.take(*response); !taken) co_return fail(std::move(taken).error());
  }
  co_return std::move(pages).finish();
}

/// The repository that `parent` names, as its registry path.
Result<std::string> parent_repository(const OciConfig& config, const DiscoverRequest& request) {
  const auto bad = [](std::string message) {
    return fail(Error(ErrorCode::invalid_argument, std::move(message))
                    .with_reason("discover.parent")
                    .with_field("/parent")
                    .with_remedy("give a repository's name, such as team/app, as parent"));
  };
  if (request.parent_id.empty()) return bad("tags and digests are listed below a repository, and parent names none");
  auto image = resolve_in_registry(request.parent_id, config.endpoint);
  if (!image) return bad("parent: " + image.error().message());
  if (!image->tag_is_default || !image->digest.empty()) return bad("parent is a repository, without tag and digest");
  return std::move(image->path);
}

std::string url_of(const OciConfig& config, std::string_view target) {
  std::string base = config.endpoint.origin() + config.endpoint.path;
  while (base.ends_with('/')) base.pop_back();
  return base + std::string(target);
}

Resource repository_resource(const OciConfig& config, const std::string& name) {
  return {.type = std::string(kRepos),
          .id = name,
          .name = name,
          .url = url_of(config, fmt::format("/v2/{}/tags/list", name)),
          .parent_id = {},
          .attributes = {{"reference", registry_domain(config.endpoint) + "/" + name}}};
}

/// Whether a refusal means that the registry has no catalog for this credential, rather than that it failed.
bool is_catalog_refusal(const Error& error) {
  if (is_authentication_error(error)) return true;
  const auto status = error.details().find("httpStatus");
  if (status == error.details().end()) return false;
  return status->second == "404" || status->second == "405" || status->second == "400" || status->second == "501";
}

constexpr std::string_view kSetRepositories =
    "many registries give no catalog, or only to administrators: set \"repositories\" in the config to the names to "
    "list";

// ---- connection test ----------------------------------------------------------------------------------------------

VendorRequest base_request() {
  return {.method = "GET",
          .target = "/v2/",
          .headers = {},
          .body = {},
          .scopes = {},
          .max_body_bytes = kMaxBaseBodyBytes,
          .accept_compressed = true,
          .retry = false};
}

/// What the answer to GET /v2/ means. `code` is "ok" or the failure's reason.
struct BaseVerdict {
  std::string code = "ok";
  std::string message;
  std::string field;
  std::string remedy;
  bool concerns_authentication = false;
};

BaseVerdict not_a_registry(std::string message) {
  return {.code = "http.not_a_registry",
          .message = std::move(message),
          .field = "/endpoint",
          .remedy =
              "correct the endpoint: it is the base URL before /v2/, with the path prefix if there is one; compare "
              "curl -sSi <endpoint>/v2/",
          .concerns_authentication = false};
}

BaseVerdict judge_base(const VendorResponse& response) {
  const std::string type = media_type_of(response.headers.find("Content-Type").value_or(""));
  if (response.status == 404) return not_a_registry("there is no registry at this address: GET /v2/ answered 404");
  if (response.status == 200 && type == "text/html") {
    return not_a_registry("GET /v2/ answered with a web page, so this is not a registry's base URL");
  }
  if (response.status == 200) return {.code = "ok", .message = "the registry answered", .field = {}, .remedy = {}};
  if (response.status >= 300 && response.status < 400) {
    return {.code = "http.redirect_refused",
            .message = fmt::format("GET /v2/ answered with a redirect ({}) that was not followed", response.status),
            .field = "/endpoint",
            .remedy = "set the endpoint to the address that the registry redirects to"};
  }
  const Error error = registry_error(response, "GET /v2/");
  BaseVerdict verdict{.code = std::string(error.reason()),
                      .message = error.message(),
                      .field = error.field(),
                      .remedy = error.remedy(),
                      .concerns_authentication = response.status == 401 || response.status == 403};
  if (response.status == 401 && !response.headers.find("WWW-Authenticate")) {
    verdict.code = "authentication.no_challenge";
    verdict.remedy =
        "the registry refused without saying how to authenticate: check whether a proxy strips the "
        "WWW-Authenticate header; compare curl -sSi <endpoint>/v2/";
  }
  return verdict;
}

TestStep& step_named(ConnectionTest& test, std::string_view name) {
  const auto found = std::ranges::find(test.steps, name, &TestStep::name);
  if (found != test.steps.end()) return *found;
  test.steps.push_back({.name = std::string(name),
                        .status = StepStatus::pass,
                        .code = "ok",
                        .message = {},
                        .duration = {},
                        .field = {},
                        .remedy = {}});
  return test.steps.back();
}

void fail_step(ConnectionTest& test, std::string_view name, const BaseVerdict& verdict) {
  TestStep& step = step_named(test, name);
  step.status = StepStatus::fail;
  step.code = verdict.code;
  step.message = verdict.message;
  step.field = verdict.field;
  step.remedy = verdict.remedy;
}

BaseVerdict verdict_of(const Error& error) {
  return {.code = std::string(error.reason()),
          .message = error.message(),
          .field = error.field(),
          .remedy = error.remedy()};
}

/// The words of each challenge's scheme, for the details: "Bearer", "Basic".
std::string challenge_schemes(const Headers& headers) {
  std::string schemes;
  for (const std::string_view field : headers.find_all("WWW-Authenticate")) {
    const std::string_view word = field.substr(0, field.find_first_of(" ,"));
    const bool plain = std::ranges::all_of(word, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
    constexpr std::size_t kLongestScheme = 32;
    if (plain && !word.empty() && word.size() <= kLongestScheme)
      schemes += (schemes.empty() ? "" : ", ") + std::string(word);
  }
  return schemes;
}

void describe_exchange(const VendorResponse& response, std::map<std::string, std::string>& details) {
  if (const auto version = response.headers.find("Docker-Distribution-Api-Version")) {
    details["registryApiVersion"] = redact(*version, {}, 64);
  }
  if (const std::string schemes = challenge_schemes(response.headers); !schemes.empty())
    details["authScheme"] = schemes;
  if (!response.peer.address.empty()) details["address"] = response.peer.address;
  if (!response.peer.tls_version.empty()) details["tlsVersion"] = response.peer.tls_version;
  if (response.peer.via_proxy) details["viaProxy"] = "true";
  details["httpStatus"] = std::to_string(response.status);
  details["authenticated"] = response.authenticated ? "true" : "false";
  add_registry_warnings(response.headers, details);
}

class OciConnector final : public Connector {
 public:
  Task<Result<ConnectionTest>> test_connection(CallContext& call) override;
  Task<Result<HealthReport>> get_health(CallContext& call) override;
  Task<Result<ResourceList>> discover_resources(CallContext& call, const DiscoverRequest& request) override;
  Task<Result<ResourceList>> list_repositories(CallContext& call, const DiscoverRequest& request) override;
  Task<Result<ResourceList>> list_tags(CallContext& call, const DiscoverRequest& request) override;
  Task<Result<ResolvedDigest>> resolve_tag_to_digest(CallContext& call, const ResolveRequest& request) override;
  Task<Result<Manifest>> fetch_manifest(CallContext& call, const ManifestRequest& request) override;
  Task<Result<Verification>> verify_digest(CallContext& call, const VerifyRequest& request) override;

 private:
  static Task<Result<ResourceList>> list_digests(CallContext& call, const DiscoverRequest& request);
};

/// One scoped read, to see that the credential may do more than knock.
Task<void> test_capability(CallContext& call, const OciConfig& config, ConnectionTest& test) {
  std::string repository = config.test_repository;
  std::string field = "/testRepository";
  if (repository.empty() && !config.repositories.empty()) {
    repository = config.repositories.front();
    field = "/repositories/0";
  }
  VendorRequest request = base_request();
  request.target = repository.empty() ? "/v2/_catalog?n=1" : fmt::format("/v2/{}/tags/list?n=1", repository);
  request.scopes = {repository.empty() ? std::string(kCatalogScope) : pull_scope(repository)};
  request.max_body_bytes = kMaxPageBytes;
  const auto began = call.clock.steady_now();
  auto response = co_await call.http.send(request);
  const bool refuses_size = response && (response->status == 400 || response->status == 405);
  if (refuses_size) {
    request.target.resize(request.target.find('?'));
    response = co_await call.http.send(std::move(request));
  }
  TestStep& step = step_named(test, "capability");
  step.duration = std::chrono::duration_cast<std::chrono::microseconds>(call.clock.steady_now() - began);
  if (response && response->status == 200) {
    step.message =
        repository.empty() ? "the catalog can be listed" : fmt::format("the tags of {} can be listed", repository);
    co_return;
  }
  Error error = response
                    ? registry_error(*response, repository.empty() ? std::string("list the catalog")
                                                                   : fmt::format("list the tags of {}", repository))
                    : std::move(response).error();
  if (repository.empty() && is_catalog_refusal(error)) {
    step.status = StepStatus::warn;
    step.code = "registry.catalog_refused";
    step.message = error.message();
    step.field = "/testRepository";
    step.remedy =
        "many registries give no catalog: set testRepository, so that the test can read its tags, and repositories, "
        "so that they can be listed";
    co_return;
  }
  BaseVerdict verdict = verdict_of(error);
  if (error.code() == ErrorCode::not_found) {
    verdict.code = "registry.repository_not_found";
    verdict.field = field;
    verdict.remedy = "name a repository that exists, has a tag, and that the credential may read";
  }
  fail_step(test, "capability", verdict);
}

Task<Result<ConnectionTest>> OciConnector::test_connection(CallContext& call) {
  const auto config = read_config(call.config);
  if (!config) co_return fail(config.error());
  ConnectionTest test;
  test.tested_at = call.clock.now();
  const bool tls = config->endpoint.scheme == "https";
  const auto began = call.clock.steady_now();
  const auto response = co_await call.http.send(base_request());
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(call.clock.steady_now() - began);
  if (!response) {
    const HttpFailure* failure = call.http.last_failure();
    if (is_authentication_error(response.error())) {
      fail_step(test, "authentication", verdict_of(response.error()));
    } else if (failure != nullptr) {
      test.steps = transport_steps(*failure, tls);
      if (!failure->peer.address.empty()) test.details["address"] = failure->peer.address;
      if (!failure->peer.tls_version.empty()) test.details["tlsVersion"] = failure->peer.tls_version;
    } else {
      fail_step(test, "http", verdict_of(response.error()));
    }
    conclude(test);
    co_return test;
  }

  test.steps = transport_steps(response->timings, tls);
  describe_exchange(*response, test.details);
  const BaseVerdict verdict = judge_base(*response);
  if (verdict.code != "ok" && !verdict.concerns_authentication) {
    fail_step(test, "http", verdict);
    conclude(test);
    co_return test;
  }
  TestStep& step = step_named(test, "authentication");
  // What the call took beyond its last exchange went into fetching a token and being asked for it.
  step.duration = std::max(took - response->timings.total, std::chrono::microseconds{0});
  if (verdict.code != "ok") {
    fail_step(test, "authentication", verdict);
    conclude(test);
    co_return test;
  }
  if (call.anonymous) {
    step.message = "the registry answers without a credential";
  } else if (response->authenticated || config->auth_mode == "mtls") {
    step.message = "the credential was accepted";
  } else {
    step.status = StepStatus::warn;
    step.code = "authentication.not_requested";
    step.message = "the registry did not ask for the credential, so it was not tested";
    step.field = "/credentialRef";
    step.remedy =
        "use authref://none if the registry is public; else set testRepository to one that needs the credential";
  }
  co_await test_capability(call, *config, test);
  conclude(test);
  co_return test;
}

Task<Result<HealthReport>> OciConnector::get_health(CallContext& call) {
  const auto config = read_config(call.config);
  if (!config) co_return fail(config.error());
  HealthReport report;
  report.checked_at = call.clock.now();
  const auto response = co_await call.http.send(base_request());
  if (!response) {
    const Error& error = response.error();
    report.status = HealthStatus::unhealthy;
    report.code = error.reason();
    report.message = error.message();
    report.remedy = error.remedy();
    if (const HttpFailure* failure = call.http.last_failure(); failure != nullptr) {
      report.latency = std::chrono::round<std::chrono::milliseconds>(failure->timings.total);
    }
    co_return report;
  }
  report.latency = std::chrono::round<std::chrono::milliseconds>(response->timings.total);
  describe_exchange(*response, report.details);
  const BaseVerdict verdict = judge_base(*response);
  report.code = verdict.code;
  report.message = verdict.message;
  report.remedy = verdict.remedy;
  const bool may_pass = response->status == 429 || response->status == 408 || response->status >= 500;
  if (verdict.code != "ok") {
    report.status = may_pass ? HealthStatus::degraded : HealthStatus::unhealthy;
  } else if (response->timings.total > kSlowAnswer) {
    report.status = HealthStatus::degraded;
    report.code = "http.slow";
    report.message = fmt::format("the registry took {} ms to answer", report.latency.count());
    report.remedy =
        fmt::format("look at the registry's load and the network: more than {} s is slow", kSlowAnswer.count());
  } else {
    report.status = HealthStatus::healthy;
  }
  co_return report;
}

Task<Result<ResourceList>> OciConnector::discover_resources(CallContext& call, const DiscoverRequest& request) {
  if (request.resource_type == kRepos) co_return co_await list_repositories(call, request);
  if (request.resource_type == kTags) co_return co_await list_tags(call, request);
  if (request.resource_type == kDigests) co_return co_await list_digests(call, request);
  co_return fail(Error(ErrorCode::invalid_argument, "this integration type has no such resource type")
                     .with_reason("discover.type")
                     .with_field("/type")
                     .with_remedy("ask for one of repos, tags and digests"));
}

Task<Result<ResourceList>> OciConnector::list_repositories(CallContext& call, const DiscoverRequest& request) {
  const auto config = read_config(call.config);
  if (!config) co_return fail(config.error());
  auto names = co_await walk(call, ListWalk("/v2/_catalog", "repositories", config->endpoint, &is_repository_name),
                             std::string(kCatalogScope));
  if (!names) {
    Error error = std::move(names).error();
    if (!is_catalog_refusal(error)) co_return fail(std::move(error));
    if (config->repositories.empty()) {
      co_return fail(std::move(error).with_field("/repositories").with_remedy(std::string(kSetRepositories)));
    }
    names = NameList{.names = config->repositories,
                     .truncated = false,
                     .warnings = {"the registry gives no catalog, so this is the config's list of repositories: " +
                                  error.message()}};
    std::ranges::sort(names->names);
  }
  ResourceList list{.resources = {}, .truncated = names->truncated, .warnings = std::move(names->warnings)};
  for (const std::string& name : names->names) {
    if (contains_ignoring_case(name, request.query)) list.resources.push_back(repository_resource(*config, name));
  }
  co_return list;
}

Task<Result<NameList>> tags_of(CallContext& call, const OciConfig& config, const std::string& repository) {
  auto names =
      co_await walk(call, ListWalk(fmt::format("/v2/{}/tags/list", repository), "tags", config.endpoint, &is_tag),
                    pull_scope(repository));
  if (!names && names.error().code() == ErrorCode::not_found) {
    co_return fail(
        std::move(names)
            .error()
            .with_reason("registry.repository_not_found")
            .with_field("/parent")
            .with_remedy("check the repository's name; some registries answer the same for what the credential "
                         "may not read"));
  }
  co_return names;
}

Task<Result<ResourceList>> OciConnector::list_tags(CallContext& call, const DiscoverRequest& request) {
  const auto config = read_config(call.config);
  if (!config) co_return fail(config.error());
  const auto repository = parent_repository(*config, request);
  if (!repository) co_return fail(repository.error());
  auto names = co_await tags_of(call, *config, *repository);
  if (!names) co_return fail(std::move(names).error());
  ResourceList list{.resources = {}, .truncated = names->truncated, .warnings = std::move(names->warnings)};
  for (const std::string& tag : names->names) {
    if (!contains_ignoring_case(tag, request.query)) continue;
    list.resources.push_back({.type = std::string(kTags),
                              .id = *repository + ":" + tag,
                              .name = tag,
                              .url = url_of(*config, manifest_target(*repository, tag)),
                              .parent_id = *repository,
                              .attributes = {}});
  }
  co_return list;
}

Task<Result<ResourceList>> OciConnector::list_digests(CallContext& call, const DiscoverRequest& request) {
  const auto config = read_config(call.config);
  if (!config) co_return fail(config.error());
  const auto repository = parent_repository(*config, request);
  if (!repository) co_return fail(repository.error());
  auto names = co_await tags_of(call, *config, *repository);
  if (!names) co_return fail(std::move(names).error());
  ResourceList list{.resources = {}, .truncated = names->truncated, .warnings = std::move(names->warnings)};
  std::erase_if(names->names, [&](const std::string& tag) { return !contains_ignoring_case(tag, request.query); });
  if (names->names.size() > kMaxDigestLookups) {
    list.truncated = true;
    list.warnings.push_back(
        fmt::format("the digests of the first {} of {} tags were looked up; narrow the list with a query",
                    kMaxDigestLookups, names->names.size()));
    names->names.resize(kMaxDigestLookups);
  }
  std::size_t unresolved = 0;
  for (const std::string& tag : names->names) {
    const ImageReference image{.domain = registry_domain(config->endpoint),
                               .path = *repository,
                               .tag = tag,
                               .digest = {},
                               .tag_is_default = false,
                               .warnings = {}};
    auto resolved = co_await resolve_tag(call, *config, image);
    if (!resolved) {
      const bool concerns_this_tag =
          resolved.error().code() == ErrorCode::not_found || resolved.error().reason().starts_with("registry.");
      if (!concerns_this_tag) co_return fail(std::move(resolved).error());
      ++unresolved;
      continue;
    }
    const auto known = std::ranges::find(list.resources, resolved->digest, &Resource::id);
    if (known != list.resources.end()) {
      known->attributes["tags"] += "," + tag;
      continue;
    }
    list.resources.push_back({.type = std::string(kDigests),
                              .id = resolved->digest,
                              .name = resolved->digest,
                              .url = url_of(*config, manifest_target(*repository, resolved->digest)),
                              .parent_id = *repository,
                              .attributes = {{"tags", tag},
                                             {"mediaType", resolved->manifest_type},
                                             {"sizeBytes", std::to_string(resolved->size_bytes)}}});
  }
  if (unresolved > 0) list.warnings.push_back(fmt::format("{} tags have no manifest that can be read", unresolved));
  co_return list;
}

Task<Result<ResolvedDigest>> OciConnector::resolve_tag_to_digest(CallContext& call, const ResolveRequest& request) {
  const auto config = read_config(call.config);
  if (!config) co_return fail(config.error());
  const auto image = resolve_in_registry(request.image_ref, config->endpoint);
  if (!image) co_return fail(image.error());
  auto platform = wanted_platform(request.platform, *config);
  if (!platform) co_return fail(std::move(platform).error());
  const std::optional<Platform> wanted = *std::move(platform);
  if (wanted || request.strict) {
    co_return co_await resolve_by_get(call, *config, *image, request.strict, wanted);
  }
  if (!image->digest.empty()) {
    ResolvedDigest out = resolution(*image);
    out.digest = image->digest;
    out.details["source"] = "reference";
    co_return out;
  }
  co_return co_await resolve_tag(call, *config, *image);
}

Task<Result<Manifest>> OciConnector::fetch_manifest(CallContext& call, const ManifestRequest& request) {
  const auto config = read_config(call.config);
  if (!config) co_return fail(config.error());
  const auto image = resolve_in_registry(request.image_ref, config->endpoint);
  if (!image) co_return fail(image.error());
  auto platform = wanted_platform(request.platform, *config);
  if (!platform) co_return fail(std::move(platform).error());
  const std::optional<Platform> wanted = *std::move(platform);
  auto fetched = co_await get_manifest(call, *config, *image, image->target());
  if (!fetched) co_return fail(std::move(fetched).error());
  std::map<std::string, std::string> unused_details;
  auto digest = identify(*fetched, *image, false, unused_details);
  if (!digest) co_return fail(std::move(digest).error());

  if (wanted) {
    PlatformChooser chooser(call, *config, *image, *wanted);
    auto choice = co_await chooser.choose(*fetched, *digest);
    if (!choice) co_return fail(std::move(choice).error());
    if (std::optional<FetchedManifest> read = std::move(choice->fetched); read) {
      fetched = *std::move(read);
    } else if (choice->image.digest != *digest) {
      fetched = co_await get_entry(call, *config, *image, choice->image);
      if (!fetched) co_return fail(std::move(fetched).error());
    }
    digest = std::move(choice->image.digest);
  }

  Manifest manifest{.image_ref = image->to_string(),
                    .digest = *std::move(digest),
                    .media_type = fetched->parsed.media_type,
                    .bytes = std::move(fetched->response.body),
                    .platforms = {}};
  for (const Descriptor& entry : fetched->parsed.entries) {
    if (entry.is_attestation) continue;
    manifest.platforms.push_back({.name = entry.platform ? entry.platform->name() : std::string(),
                                  .digest = entry.digest,
                                  .size_bytes = entry.size_bytes});
  }
  co_return manifest;
}

Task<Result<Verification>> OciConnector::verify_digest(CallContext& call, const VerifyRequest& request) {
  const auto config = read_config(call.config);
  if (!config) co_return fail(config.error());
  const auto image = resolve_in_registry(request.image_ref, config->endpoint);
  if (!image) co_return fail(image.error());
  const auto expected = parse_digest(request.digest);
  if (!expected) co_return fail(Error(expected.error()).with_field("/digest"));

  Verification out{.verified = false,
                   .image_ref = image->to_string(),
                   .expected_digest = expected->to_string(),
                   .actual_digest = {},
                   .code = "registry.digest_mismatch",
                   .message = {}};
  if (!image->digest.empty() && image->digest != out.expected_digest) {
    out.actual_digest = image->digest;
    out.message = "the reference carries another digest than the one to verify";
    co_return out;
  }
  // Raw bytes are hashed: what they mean does not matter here, so they are not parsed.
  const auto by_digest = co_await call.http.send(manifest_request("GET", *image, out.expected_digest));
  if (!by_digest) co_return fail(by_digest.error().with_context(fmt::format("verify {}", out.image_ref)));
  const bool has_tag = !image->tag.empty() && !image->tag_is_default;
  const bool is_missing = by_digest->status == 404;
  if (by_digest->status != 200 && !(is_missing && has_tag)) co_return fail(manifest_error(*by_digest, *image, *config));
  if (!is_missing) {
    out.actual_digest = digest_of(expected->algorithm, by_digest->body).to_string();
    if (out.actual_digest != out.expected_digest) {
      out.message = "the registry's bytes for this digest have another one: do not use them";
      co_return out;
    }
  }
  if (has_tag) {
    const auto by_tag = co_await get_manifest(call, *config, *image, image->tag);
    if (!by_tag) co_return fail(by_tag.error());
    out.actual_digest = digest_of(expected->algorithm, by_tag->response.body).to_string();
    if (out.actual_digest != out.expected_digest) {
      out.message = is_missing ? "the repository does not have this digest; the tag names another one"
                               : "the tag names another digest now";
      co_return out;
    }
    if (is_missing) {
      out.message = "the tag names this digest, but the registry does not give the manifest by it";
      out.code = "registry.digest_not_served";
      co_return out;
    }
  }
  out.verified = true;
  out.code = "ok";
  out.message = has_tag ? "the tag names this digest, and the bytes have it" : "the bytes have this digest";
  co_return out;
}

}  // namespace

ConnectorFactory factory() {
  return {
      .type = {.id = "registry.oci",
               .family = "registry",
               .display_name = "OCI registry",
               .description =
                   "Any container registry that speaks the OCI distribution API: distribution, zot, Quay, GitLab, "
                   "Gitea, Nexus, Artifactory and others.",
               .icon_url = {},
               .source = "built-in",
               .config_schema = config_schema(),
               .capabilities = {std::string(kRepos), std::string(kTags), std::string(kDigests)},
               .resource_types = {{.name = std::string(kRepos), .parent_type = {}, .description = "Repositories"},
                                  {.name = std::string(kTags),
                                   .parent_type = std::string(kRepos),
                                   .description = "Tags of a repository"},
                                  {.name = std::string(kDigests),
                                   .parent_type = std::string(kRepos),
                                   .description = "What the tags of a repository name, each digest once with its tags, "
                                                  "media type and size"}},
               .operations = {"resolve", "manifest", "verify"},
               .auth_modes = {"token", "oauth", "mtls"},
               .credential_required = false,
               .check_rules = &check_rules},
      .authenticator = "registry",
      .make = [] { return std::make_unique<OciConnector>(); }};
}

}  // namespace inthub::oci
