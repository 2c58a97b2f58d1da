#pragma once

#include <string>

#include "foundation/result.h"
#include "foundation/secret.h"

namespace inthub {

/// One member of a secret that is a JSON object: `field` is a top-level key, or an RFC 6901 pointer when it begins with
/// "/". A value that is not a string is given as compact JSON. Errors: validation_failed; they name the keys there are,
/// never a value.
Result<SecretPtr> select_field(const Secret& document, const std::string& field);

}  // namespace inthub
