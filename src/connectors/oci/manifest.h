#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/result.h"

namespace inthub::oci {

/// The largest manifest that is read: what registries promise to accept (OCI distribution specification, "Pushing
/// Manifests").
inline constexpr std::size_t kMaxManifestBytes = std::size_t{4} << 20;
/// An index may list indexes; deeper ones are refused.
inline constexpr int kMaxIndexDepth = 4;

inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kDockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

/// The four types in one line. All four always: a registry that misses one rewrites the manifest, and so changes its
/// digest.
std::string_view accept_header();

/// What a Content-Type says about a manifest.
enum class TypeVerdict : std::uint8_t {
  accepted,    ///< one of the four
  unknowable,  ///< absent, or one that says nothing (application/octet-stream, text/plain, application/json): read the
               ///< body
  schema1,     ///< docker's first schema, whose digest no other client sees
  foreign,     ///< something else
};
TypeVerdict judge_content_type(std::string_view content_type);
/// The media type without parameters, in lower case.
std::string media_type_of(std::string_view content_type);
/// The refusal of a type that judge_content_type() did not accept; reason "registry.unsupported_schema1" or
/// "registry.unsupported_media_type". Vendor text in it is redacted.
Error refused_type(std::string_view content_type);

/// "linux/arm/v7". Empty members mean that the manifest or the user did not say.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  std::string os_version;

  /// "os/architecture[/variant]".
  std::string name() const;
  bool operator==(const Platform&) const = default;
};
/// Reads "os/architecture[/variant]" or "windows(10.0.20348)/amd64"; understands x86_64, aarch64 and armhf.
/// Errors: invalid_argument, reason "platform.format", field "/platform".
Result<Platform> parse_platform(std::string_view text);

struct Descriptor {
  std::string digest;  ///< valid, of a known algorithm
  std::string media_type;
  std::int64_t size_bytes = 0;
  std::optional<Platform> platform;
  bool is_attestation = false;  ///< what BuildKit puts beside an image: describes it, cannot be run

  bool is_index() const;
};

struct ParsedManifest {
  std::string media_type;  ///< one of the four
  bool is_index = false;
  std::vector<Descriptor> entries;  ///< of an index, in its order, attestations included
  Descriptor config;                ///< of an image; nothing is in it for an index
};

/// Reads a manifest. The type is that of `content_type`; where it says nothing, the body's own mediaType, else the
/// body's shape. Pure. Errors: vendor_failure with reason "registry.malformed_manifest", "registry.media_type_mismatch"
/// (body and header disagree), "registry.unsupported_schema1", "registry.unsupported_media_type",
/// "registry.manifest_too_large".
Result<ParsedManifest> read_manifest(std::string_view content_type, std::string_view bytes);

/// The entry of an index that runs on `wanted`: same operating system and architecture; of a numbered variant the
/// highest that is not above the wanted one (amd64 without one is v1, arm64 v8, arm v7); on Windows the same first
/// three parts of the version, where one is wanted. Attestations are left out. An entry without a platform is chosen
/// only if it is the only one. Null when there is none; entries that are themselves indexes and match are returned like
/// any other. Pure.
const Descriptor* select_platform(const std::vector<Descriptor>& entries, const Platform& wanted);

/// Whether an image for `offered` runs where `wanted` is asked for, by the rules of select_platform(). Pure.
bool is_compatible(const Platform& offered, const Platform& wanted);

/// The platform that an image's config blob states. Errors: vendor_failure, reason "registry.malformed_manifest".
Result<Platform> read_config_platform(std::string_view bytes);

/// For the message of a failed selection: "linux/amd64, linux/arm64".
std::string list_platforms(const std::vector<Descriptor>& entries);

}  // namespace inthub::oci
