#include "foundation/secret.h"

#include <sodium.h>

namespace inthub {

void wipe(std::string& value) {
  value.resize(value.capacity());  // stays in place: never above the capacity it already has
  sodium_memzero(value.data(), value.size());
  value.clear();
}

Secret::Secret(std::string value) : value_(value) {
  // Copied, then wiped: moving a short string would leave its bytes behind.
  wipe(value);
}

Secret::~Secret() {
  wipe(value_);
}

SecretPtr make_secret(std::string&& value) {
  auto secret = std::make_shared<Secret>(std::string());
  secret->value_ = value;
  wipe(value);
  return secret;
}

}  // namespace inthub
