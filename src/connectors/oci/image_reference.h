#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/http_url.h"
#include "foundation/result.h"

namespace inthub::oci {

/// Bounds of a reference, in bytes. The path's is the grammar's own; the whole is the sum of the parts, generously.
inline constexpr std::size_t kMaxReferenceBytes = 1024;
inline constexpr std::size_t kMaxDomainBytes = 253;
inline constexpr std::size_t kMaxPathBytes = 255;
inline constexpr std::size_t kMaxTagBytes = 128;

/// An image's name: `[domain "/"] path [":" tag] ["@" digest]`, the grammar of github.com/distribution/reference with
/// these narrower choices: a host with an underscore and a port outside 1-65535 are refused (clients disagree where
/// such a reference leads), and so is a bare digest. Known digest algorithms: sha256, sha384, sha512. A value type.
struct ImageReference {
  std::string domain;  ///< as written, with its port; "docker.io" when the reference names none
  std::string path;    ///< "library/ubuntu": what stands between /v2/ and /manifests/
  std::string tag;  ///< "latest" when the reference has neither tag nor digest; may stand beside a digest, which wins
  std::string digest;                 ///< "sha256:…" or empty
  bool tag_is_default = false;        ///< nobody wrote the tag
  std::vector<std::string> warnings;  ///< about a reference that is valid but probably not meant so

  /// What to ask a registry for: the digest if there is one, else the tag.
  const std::string& target() const { return digest.empty() ? tag : digest; }
  /// Every part written out: "docker.io/library/ubuntu:22.04". The domain is in lower case, unless it would not be read
  /// as one then (MYHOST/app). Reading it again gives the same text.
  std::string to_string() const;

  bool operator==(const ImageReference&) const = default;
};

/// Reads a reference the way docker does: no domain means docker.io, index.docker.io is docker.io, and a path of one
/// component on docker.io gets "library/". Pure. Errors: invalid_argument with field "/imageRef", a remedy, and as
/// reason the rule that broke: "image_ref.empty",
/// ".too_long", ".format", ".scheme", ".user_info", ".upper_case", ".domain", ".port", ".tag", ".digest",
/// ".bare_digest",
/// ".bare_hex". The reference is not echoed: people paste URLs with passwords.
Result<ImageReference> parse_image_reference(std::string_view text);

/// Reads a reference in the context of one registry, whose base URL is `endpoint`:
///   - without a domain ("app:v1", "team/app") the image is taken on that registry, its path as given; "library/" is
///   put
///     before a path of one component only where the registry is Docker Hub;
///   - a domain must be the endpoint's host and port (a missing port is the default one of the endpoint's scheme), or
///   one of
///     docker.io, index.docker.io, registry-1.docker.io where the endpoint is one of these too.
/// As in the grammar, text before the first "/" is a domain only if it is "localhost", or has a ".", a ":" or an
/// upper-case letter: on https://registry/ the image registry/app is the path "registry/app"; write registry:443/app to
/// name the host. The answer's domain is the endpoint's, in lower case (docker.io for Docker Hub). Pure. Errors: as
/// parse_image_reference(); invalid_argument, reason "image_ref.foreign_registry", naming both hosts.
Result<ImageReference> resolve_in_registry(std::string_view text, const HttpUrl& endpoint);

/// Whether `path` is a repository name: components of a-z and 0-9 joined by one of ".", "_", "__" or dashes, between
/// slashes, at most kMaxPathBytes. Pure.
bool is_repository_name(std::string_view path);
/// Whether `tag` is a tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`. Pure.
bool is_tag(std::string_view tag);
/// The domain by which references name the endpoint's registry: host and port in lower case, docker.io for Docker Hub.
/// A host without a dot always has its port, because it would not be read as a host otherwise. Pure.
std::string registry_domain(const HttpUrl& endpoint);
/// Whether the endpoint is Docker Hub's registry, under any of its names. Pure.
bool is_docker_hub(const HttpUrl& endpoint);

}  // namespace inthub::oci
