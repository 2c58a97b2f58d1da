#include "foundation/secret.h"

#include <sodium.h>

namespace inthub {

void wipe(std::string& value) {
  value.resize(value.capacity());  // stays in place: never above the capacity it already has
  sodium_memzero(value.data(), value.size());
  value.clear();
}

Secret::Secret(std::string value) : value_(std::move(value)) {
  // A short string is copied, not moved, out of its small buffer, so the parameter is wiped as well.
  wipe(value);
}

Secret::~Secret() {
  wipe(value_);
}

SecretPtr make_secret(std::string&& value) {
  std::string copy(value);
  auto secret = std::make_shared<const Secret>(std::move(copy));
  wipe(copy);  // NOLINT(bugprone-use-after-move): moving a short string leaves its bytes behind
  wipe(value);
  return secret;
}

}  // namespace inthub
