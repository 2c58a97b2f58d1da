#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "foundation/clock.h"
#include "foundation/ids.h"
#include "foundation/result.h"
#include "foundation/task.h"
#include "integration_manager/integration_manager.h"

namespace inthub {

class Metrics;
class RandomSource;
class Store;

/// When the next poll of an integration is due, from how the last ones went. Pure.
///   first observation, or one that differs from the last: 15 s, so that two of three is settled soon
///   unhealthy: 30 s, doubling with every further failure up to `slowest`
///   healthy or degraded: `usual`, after 10 equal ones in a row doubling up to `slowest`
/// `jitter` in [0, 1) spreads the result over ±10 %.
struct PollHistory {
  HealthStatus last = HealthStatus::unknown;
  std::uint16_t equal_in_a_row = 0;
  void add(HealthStatus observed);
};
std::chrono::milliseconds next_poll_delay(const PollHistory& history, std::chrono::seconds usual,
                                          std::chrono::seconds slowest, double jitter);

/// Keeps healthStatus and lastHealthCheck of every integration true. At most 64 polls in flight, never two of one
/// integration. Costs about 100 bytes per integration while idle. Runs on one io_context; the public methods are
/// thread-safe.
class HealthPoller {
 public:
  struct Options {
    std::chrono::seconds usual_interval{60};
    std::chrono::seconds slowest_interval{300};
    std::size_t max_in_flight = 64;
    std::chrono::seconds timeout{30};  ///< of one poll
  };
  HealthPoller(asio::io_context& context, IntegrationManager& manager, Store& store, Options options,
               const Clock& clock, RandomSource& random, Metrics& metrics);
  ~HealthPoller();
  HealthPoller(const HealthPoller&) = delete;
  HealthPoller& operator=(const HealthPoller&) = delete;

  /// Loads what is stored, spreading the first polls over one interval, and begins.
  void start();
  /// To be the manager's change listener.
  void on_change(TenantId tenant, IntegrationId id, IntegrationManager::Change change);
  /// Cancels and joins; resumes on the caller's context.
  Task<void> stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace inthub
