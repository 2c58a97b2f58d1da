#pragma once

#include <string>

#include "connector_runtime/connector_runtime.h"

namespace inthub {

// The answers of operations as the API shows them, appended to `out`. Each ends with `cached` and `ageSeconds`. Pure.

void append_connection_test(std::string& out, const Answer<ConnectionTest>& answer);
void append_health(std::string& out, const Answer<HealthReport>& answer);
void append_resolution(std::string& out, const Answer<ResolvedDigest>& answer);
/// The manifest itself goes in byte by byte, so it must be known to be JSON.
void append_manifest(std::string& out, const Answer<Manifest>& answer);
void append_verification(std::string& out, const Answer<Verification>& answer);
void append_resource(std::string& out, const Resource& resource);

}  // namespace inthub
