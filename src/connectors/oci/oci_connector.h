#pragma once

#include <chrono>
#include <cstddef>

#include "connectors/integration_type.h"

namespace inthub::oci {

/// Tags whose digests one listing of `digests` looks up, one HEAD each; more are cut off, with a warning.
inline constexpr std::size_t kMaxDigestLookups = 200;
/// Manifests that one choice of a platform may read, over all levels of nested indexes.
inline constexpr int kMaxPlatformFetches = 16;
/// A registry that answers slower than this is degraded.
inline constexpr std::chrono::seconds kSlowAnswer{5};

/// "registry.oci": any registry that speaks the OCI distribution API 1.0 or 1.1. Reads only.
///
/// Resource types: repos; tags and digests below a repository (`parent` is its name). A filter on digests looks at the
/// tags. A tag is resolved to the digest of what it names, an index included, with one HEAD where the registry states a
/// usable digest; asked for a platform, to the digest of the image for it. The platform "default" is the config's. A
/// reference with a digest is its own answer, without a request, unless strict or a platform is asked for.
ConnectorFactory factory();

}  // namespace inthub::oci
