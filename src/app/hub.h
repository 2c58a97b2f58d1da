#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/settings.h"
#include "foundation/result.h"

namespace inthub {

/// The composition root: one running hub. Built bottom to top, torn down top to bottom. Not thread-safe; owned by
/// main().
class Hub {
 public:
  /// Opens the store, makes the admin token at the first start, listens. Errors: whatever stops it, with a remedy.
  static Result<std::unique_ptr<Hub>> start(const Settings& settings);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  /// "http://127.0.0.1:8080"
  std::string address() const;
  /// What an operator should know: shown by /readyz and the log as well.
  std::vector<std::string> degraded_modes() const;
  /// Stops accepting, drains running requests for up to `drain`, stops polling, closes the store.
  void stop(std::chrono::milliseconds drain);

 private:
  struct Parts;
  explicit Hub(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace inthub
