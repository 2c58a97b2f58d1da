#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "connectors/connector.h"
#include "foundation/ids.h"

namespace inthub {

/// Keeps one lost packet from turning a dashboard red: the status that is shown changes when two of the last three
/// observations agree on another one. The first observation of an integration (shown as unknown) counts at once.
/// Thread-safe. Holds about 50 bytes per integration observed; forget() releases them.
class HealthWindow {
 public:
  /// `shown` is the stored status, used when nothing was observed since the start. Returns the status to show now.
  HealthStatus observe(IntegrationId id, HealthStatus shown, HealthStatus observed);
  void forget(IntegrationId id);

 private:
  struct Recent {
    std::array<HealthStatus, 3> observations{};
    std::uint8_t count = 0;
  };
  std::mutex mutex_;
  std::unordered_map<IntegrationId, Recent> recent_;
};

}  // namespace inthub
