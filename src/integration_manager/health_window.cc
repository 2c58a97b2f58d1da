#include "integration_manager/health_window.h"

#include <algorithm>

namespace inthub {

HealthStatus HealthWindow::observe(IntegrationId id, HealthStatus shown, HealthStatus observed) {
  const std::scoped_lock lock(mutex_);
  Recent& recent = recent_[id];
  if (recent.count == recent.observations.size()) {
    std::ranges::rotate(recent.observations, recent.observations.begin() + 1);
    --recent.count;
  }
  recent.observations[recent.count++] = observed;
  if (shown == HealthStatus::unknown) return observed;
  const auto begin = recent.observations.begin();
  const auto agreeing = std::count(begin, begin + recent.count, observed);
  return agreeing >= 2 ? observed : shown;
}

void HealthWindow::forget(IntegrationId id) {
  const std::scoped_lock lock(mutex_);
  recent_.erase(id);
}

}  // namespace inthub
