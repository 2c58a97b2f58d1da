#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace inthub {

/// Secret bytes. Cannot be printed, formatted, compared, copied or serialised; wiped on destruction. Shared as
/// SecretPtr so that there is one buffer to wipe. Immutable, hence thread-safe. Searching for "reveal(" lists every
/// use.
class Secret {
 public:
  explicit Secret(std::string value);
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  /// The bytes; the view lives as long as this object. Never store or log it.
  std::string_view reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  friend std::shared_ptr<const Secret> make_secret(std::string&& value);
  std::string value_;
};
using SecretPtr = std::shared_ptr<const Secret>;

/// Takes the bytes over and wipes the source's buffer.
SecretPtr make_secret(std::string&& value);
/// Overwrites the buffer's whole capacity, then empties it.
void wipe(std::string& value);

}  // namespace inthub
