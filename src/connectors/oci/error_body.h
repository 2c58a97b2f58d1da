#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connectors/vendor_http.h"
#include "foundation/result.h"

namespace inthub::oci {

/// What a registry said in a refusal. The texts are the vendor's own: redact before showing.
struct ErrorBody {
  std::vector<std::string> codes;  ///< "MANIFEST_UNKNOWN", in the order given, at most kMaxErrors
  std::string words;               ///< one line for people; empty when the body says nothing
};
/// How many errors of one body are read.
inline constexpr std::size_t kMaxErrors = 8;

/// Reads `{"errors":[{"code","message","detail"}]}`, the irregular `{"details":"…"}` and `{"message":"…"}`, or plain
/// text; of an HTML page only that it is one. Never fails. Pure.
ErrorBody read_error_body(const VendorResponse& response);

/// Whether the registry gave this code.
bool has_code(const ErrorBody& body, std::string_view code);

/// The Error for a refusal: classified by status first (a 404 means missing whatever its body says), with the
/// registry's own words, redacted, and its codes in the detail "registryCodes". Pure.
Error registry_error(const VendorResponse& response, std::string_view what_was_asked);

}  // namespace inthub::oci
