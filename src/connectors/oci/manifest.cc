#include "connectors/oci/manifest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "connectors/oci/digest.h"
#include "foundation/headers.h"
#include "foundation/json.h"
#include "foundation/redact.h"

namespace inthub::oci {
namespace {

constexpr std::array<std::string_view, 4> kAccepted{kOciIndex, kDockerIndex, kOciManifest, kDockerManifest};
constexpr std::array<std::string_view, 2> kSchema1{"application/vnd.docker.distribution.manifest.v1+json",
                                                   "application/vnd.docker.distribution.manifest.v1+prettyjws"};
constexpr std::array<std::string_view, 6> kSayNothing{"",           "application/octet-stream", "binary/octet-stream",
                                                      "text/plain", "application/json",         "text/json"};
constexpr std::size_t kMaxManifestDepth = 32;
constexpr std::size_t kMaxListedPlatforms = 16;

std::unexpected<Error> malformed(std::string message) {
  return fail(Error(ErrorCode::vendor_failure, "the registry's manifest " + std::move(message))
                  .with_reason("registry.malformed_manifest")
                  .with_remedy("push the image again, or look at what stands between the hub and the registry"));
}

/// The member as text, or empty when it is absent or of another type.
std::string text_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Platform read_platform(const Json& object) {
  return {.os = to_lower(text_member(object, "os")),
          .architecture = to_lower(text_member(object, "architecture")),
          .variant = to_lower(text_member(object, "variant")),
          .os_version = text_member(object, "os.version")};
}

Result<Descriptor> read_descriptor(const Json& object) {
  if (!object.is_object()) return malformed("has an entry that is not an object");
  auto digest = parse_digest(text_member(object, "digest"));
  if (!digest) return malformed("has an entry without a valid digest: " + digest.error().message());
  const auto size = object.find("size");
  if (size == object.end() || !size->is_number_integer() || size->get<std::int64_t>() < 0) {
    return malformed("has an entry without a valid size");
  }
  Descriptor entry{.digest = digest->to_string(),
                   .media_type = media_type_of(text_member(object, "mediaType")),
                   .size_bytes = size->get<std::int64_t>(),
                   .platform = std::nullopt,
                   .is_attestation = false};
  if (const auto platform = object.find("platform"); platform != object.end() && platform->is_object()) {
    entry.platform = read_platform(*platform);
  }
  if (const auto notes = object.find("annotations"); notes != object.end() && notes->is_object()) {
    entry.is_attestation = text_member(*notes, "vnd.docker.reference.type") == "attestation-manifest";
  }
  // Nothing runs on unknown/unknown; tools that strip annotations leave only this mark.
  if (entry.platform && entry.platform->os == "unknown" && entry.platform->architecture == "unknown") {
    entry.is_attestation = true;
  }
  return entry;
}

bool is_index_type(std::string_view type) {
  return type == kOciIndex || type == kDockerIndex;
}

/// The type that the members of a manifest without any statement of type amount to; empty when they amount to none.
std::string inferred_type(const Json& body) {
  const auto is_array = [&body](const char* name) { return body.contains(name) && body[name].is_array(); };
  if (body.contains("fsLayers") || body.contains("signatures")) return std::string(kSchema1.front());
  if (is_array("manifests")) return std::string(kOciIndex);
  if (body.contains("config") && body["config"].is_object() && is_array("layers")) {
    // Without mediaType a manifest is OCI: docker's schema 2 requires the member.
    return std::string(kOciManifest);
  }
  return {};
}

Result<std::string> decide_type(std::string_view content_type, const Json& body) {
  const std::string stated = text_member(body, "mediaType");
  const TypeVerdict verdict = judge_content_type(content_type);
  if (verdict == TypeVerdict::schema1 || verdict == TypeVerdict::foreign) return fail(refused_type(content_type));
  if (verdict == TypeVerdict::accepted) {
    std::string type = media_type_of(content_type);
    if (!stated.empty() && stated != type) {
      return fail(
          Error(ErrorCode::vendor_failure,
                fmt::format("the registry calls the manifest {}, the manifest calls itself {}", type,
                            redact(stated, {}, 128)))
              .with_reason("registry.media_type_mismatch")
              .with_remedy("push the image again with a current client, or check the proxy before the registry"));
    }
    if (inferred_type(body) == kSchema1.front()) return fail(refused_type(kSchema1.front()));
    return type;
  }
  std::string type = stated.empty() ? inferred_type(body) : media_type_of(stated);
  if (type.empty()) return malformed("has neither a media type nor the members of one");
  if (judge_content_type(type) != TypeVerdict::accepted) return fail(refused_type(type));
  return type;
}

Result<Json> read_object(std::string_view bytes) {
  if (bytes.size() > kMaxManifestBytes) {
    return fail(Error(ErrorCode::vendor_failure,
                      fmt::format("the registry's manifest is larger than {} bytes", kMaxManifestBytes))
                    .with_reason("registry.manifest_too_large")
                    .with_remedy("registries need not accept such a manifest: split the image index"));
  }
  auto body = parse_json(bytes, {.max_bytes = kMaxManifestBytes, .max_depth = kMaxManifestDepth});
  if (!body) return malformed("cannot be read: " + body.error().message());
  if (!body->is_object()) return malformed("is not a JSON object");
  return body;
}

/// A variant "v8" or "v8.1" as a number that orders; nullopt for anything else.
std::optional<std::pair<int, int>> variant_number(std::string_view variant) {
  if (!variant.starts_with('v')) return std::nullopt;
  const std::string_view text = variant.substr(1);
  const std::size_t dot = text.find('.');
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  const auto major = number(text.substr(0, dot));
  const auto minor = dot == std::string_view::npos ? std::optional(0) : number(text.substr(dot + 1));
  if (!major || !minor) return std::nullopt;
  return std::pair(*major, *minor);
}

std::string_view default_variant(std::string_view architecture) {
  if (architecture == "amd64") return "v1";
  if (architecture == "arm64") return "v8";
  if (architecture == "arm") return "v7";
  return "";
}

std::string_view effective_variant(const Platform& platform) {
  return platform.variant.empty() ? default_variant(platform.architecture) : std::string_view(platform.variant);
}

std::string_view first_three_parts(std::string_view version) {
  std::size_t end = 0;
  for (int part = 0; part < 3; ++part) {
    end = version.find('.', end);
    if (end == std::string_view::npos) return version;
    if (part < 2) ++end;
  }
  return version.substr(0, end);
}

/// Other names of an architecture, and the variant that one of them implies.
void apply_alias(Platform& platform) {
  if (platform.architecture == "x86_64" || platform.architecture == "x86-64") platform.architecture = "amd64";
  if (platform.architecture == "aarch64") platform.architecture = "arm64";
  if (platform.architecture == "armhf") {
    platform.architecture = "arm";
    if (platform.variant.empty()) platform.variant = "v7";
  }
}

}  // namespace

std::string_view accept_header() {
  static const std::string joined =
      fmt::format("{}, {}, {}, {}", kAccepted[0], kAccepted[1], kAccepted[2], kAccepted[3]);
  return joined;
}

std::string media_type_of(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.front() == ' ' || type.front() == '\t')) type.remove_prefix(1);
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return to_lower(type);
}

TypeVerdict judge_content_type(std::string_view content_type) {
  const std::string type = media_type_of(content_type);
  if (std::ranges::find(kAccepted, type) != kAccepted.end()) return TypeVerdict::accepted;
  if (std::ranges::find(kSchema1, type) != kSchema1.end()) return TypeVerdict::schema1;
  if (std::ranges::find(kSayNothing, type) != kSayNothing.end()) return TypeVerdict::unknowable;
  return TypeVerdict::foreign;
}

Error refused_type(std::string_view content_type) {
  if (judge_content_type(content_type) == TypeVerdict::schema1) {
    return Error(
               ErrorCode::vendor_failure,
               "the registry answered with a manifest of docker's first schema, whose digest other clients do not see")
        .with_reason("registry.unsupported_schema1")
        .with_remedy("push the image again with a current client, and upgrade a registry that converts manifests");
  }
  return Error(ErrorCode::vendor_failure,
               fmt::format("the registry answered with {}, which is not an image manifest or index",
                           redact(media_type_of(content_type), {}, 128)))
      .with_reason("registry.unsupported_media_type")
      .with_remedy("name a container image; check that the endpoint is a registry and not a web page");
}

std::string Platform::name() const {
  std::string text = fmt::format("{}/{}", os, architecture);
  if (!variant.empty()) text += "/" + variant;
  return text;
}

Result<Platform> parse_platform(std::string_view text) {
  const auto bad = [] {
    return fail(Error(ErrorCode::invalid_argument, "the platform is not of the form os/architecture[/variant]")
                    .with_reason("platform.format")
                    .with_field("/platform")
                    .with_remedy("write for example linux/amd64, linux/arm/v7 or windows(10.0.20348)/amd64"));
  };
  constexpr std::size_t kMaxPlatformBytes = 128;
  if (text.size() > kMaxPlatformBytes) return bad();
  std::vector<std::string> parts(1);
  for (const char c : to_lower(text)) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() < 2 || parts.size() > 3) return bad();
  Platform platform{
      .os = parts[0], .architecture = parts[1], .variant = parts.size() == 3 ? parts[2] : "", .os_version = {}};
  if (const std::size_t open = platform.os.find('('); open != std::string::npos) {
    if (!platform.os.ends_with(')')) return bad();
    platform.os_version = platform.os.substr(open + 1, platform.os.size() - open - 2);
    platform.os.resize(open);
    if (platform.os_version.empty()) return bad();
  }
  const auto is_word = [](std::string_view word) {
    return std::ranges::all_of(word, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    });
  };
  if (platform.os.empty() || platform.architecture.empty() || (parts.size() == 3 && parts[2].empty())) return bad();
  if (!is_word(platform.os) || !is_word(platform.architecture) || !is_word(platform.variant) ||
      !is_word(platform.os_version)) {
    return bad();
  }
  apply_alias(platform);
  return platform;
}

bool Descriptor::is_index() const {
  return is_index_type(media_type);
}

Result<ParsedManifest> read_manifest(std::string_view content_type, std::string_view bytes) {
  const auto body = read_object(bytes);
  if (!body) return fail(body.error());
  auto type = decide_type(content_type, *body);
  if (!type) return fail(std::move(type).error());
  ParsedManifest manifest{.media_type = *std::move(type), .is_index = false, .entries = {}, .config = {}};
  manifest.is_index = is_index_type(manifest.media_type);
  if (manifest.is_index) {
    const auto entries = body->find("manifests");
    if (entries == body->end() || !entries->is_array()) return malformed("is an index without a list of manifests");
    for (const Json& object : *entries) {
      auto entry = read_descriptor(object);
      if (!entry) return fail(std::move(entry).error());
      manifest.entries.push_back(*std::move(entry));
    }
    return manifest;
  }
  const auto config = body->find("config");
  if (config == body->end()) return malformed("is an image without a config");
  auto descriptor = read_descriptor(*config);
  if (!descriptor) return fail(std::move(descriptor).error());
  manifest.config = *std::move(descriptor);
  return manifest;
}

bool is_compatible(const Platform& offered_as_written, const Platform& wanted) {
  Platform offered = offered_as_written;
  apply_alias(offered);
  if (offered.os != wanted.os || offered.architecture != wanted.architecture) return false;
  if (wanted.os == "windows" && !wanted.os_version.empty() &&
      first_three_parts(offered.os_version) != first_three_parts(wanted.os_version)) {
    return false;
  }
  const std::string_view have = effective_variant(offered);
  const std::string_view want = effective_variant(wanted);
  const auto have_number = variant_number(have);
  const auto want_number = variant_number(want);
  return have_number && want_number ? *have_number <= *want_number : have == want;
}

const Descriptor* select_platform(const std::vector<Descriptor>& entries, const Platform& wanted) {
  const Descriptor* best = nullptr;
  const Descriptor* only = nullptr;
  std::optional<std::pair<int, int>> best_variant;
  std::size_t runnable = 0;
  for (const Descriptor& entry : entries) {
    if (entry.is_attestation) continue;
    ++runnable;
    only = &entry;
    if (!entry.platform || !is_compatible(*entry.platform, wanted)) continue;
    const auto variant = variant_number(effective_variant(*entry.platform));
    if (best != nullptr && variant <= best_variant) continue;
    best = &entry;
    best_variant = variant;
  }
  if (best == nullptr && runnable == 1 && !only->platform) return only;
  return best;
}

Result<Platform> read_config_platform(std::string_view bytes) {
  const auto body = read_object(bytes);
  if (!body) return fail(body.error().with_context("image config"));
  Platform platform = read_platform(*body);
  if (platform.os.empty() || platform.architecture.empty()) return malformed("has a config that names no platform");
  return platform;
}

std::string list_platforms(const std::vector<Descriptor>& entries) {
  std::string text;
  std::size_t listed = 0;
  for (const Descriptor& entry : entries) {
    if (entry.is_attestation || !entry.platform) continue;
    if (listed++ == kMaxListedPlatforms) return text + ", …";
    if (!text.empty()) text += ", ";
    text += redact(entry.platform->name(), {}, 64);
  }
  return text.empty() ? "none" : text;
}

}  // namespace inthub::oci
