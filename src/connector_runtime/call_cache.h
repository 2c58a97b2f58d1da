#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "connector_runtime/call_key.h"
#include "foundation/bounded_cache.h"
#include "foundation/clock.h"
#include "foundation/metrics.h"

namespace inthub {

/// The four caches of connector results. No sliding entry outlives six TTLs (BoundedCache's rule).
inline constexpr CacheOptions kConnectionTestCache{
    .max_entries = 500, .ttl = std::chrono::minutes(2), .expiry = CacheExpiry::sliding, .max_lifetime = {}};
inline constexpr CacheOptions kHealthCache{
    .max_entries = 1'000, .ttl = std::chrono::minutes(5), .expiry = CacheExpiry::sliding, .max_lifetime = {}};
inline constexpr CacheOptions kDiscoveryCache{
    .max_entries = 5'000, .ttl = std::chrono::minutes(10), .expiry = CacheExpiry::sliding, .max_lifetime = {}};
inline constexpr CacheOptions kTagResolutionCache{
    .max_entries = 10'000, .ttl = std::chrono::hours(1), .expiry = CacheExpiry::absolute, .max_lifetime = {}};

/// Answers of one operation, with inthub_cache_hits_total, inthub_cache_misses_total, inthub_cache_evictions_total and
/// inthub_cache_entries, each by {cache="<name>"}. A look-up allocates nothing. Thread-safe.
template <class T>
class CallCache {
 public:
  CallCache(std::string_view name, const CacheOptions& options, const Clock& clock, Metrics& metrics)
      : entries_(options, clock),
        hits_(metrics.counter("inthub_cache_hits_total", "Answers found in a cache.", labels(name))),
        misses_(metrics.counter("inthub_cache_misses_total", "Look-ups that found nothing usable.", labels(name))),
        evictions_(
            metrics.counter("inthub_cache_evictions_total", "Live entries given up for want of room.", labels(name))),
        size_(metrics.gauge("inthub_cache_entries", "Entries held now.", labels(name))) {}

  struct Hit {
    std::shared_ptr<const T> value;  ///< null on a miss
    std::chrono::seconds age{0};
  };
  Hit find(const CallKey& key) {
    Hit hit = find_again(key);
    (hit.value ? hits_ : misses_).add();
    return hit;
  }
  /// The same without counting: for a second look on behalf of the same call.
  Hit find_again(const CallKey& key) {
    auto found = entries_.find(key);
    return {std::move(found.value), std::chrono::floor<std::chrono::seconds>(found.age)};
  }
  void put(const CallKey& key, std::shared_ptr<const T> value) {
    entries_.put(key, std::move(value));
    refresh_metrics();
  }
  void forget(IntegrationId integration) {
    entries_.erase_if([integration](const CallKey& key, const T&) { return key.integration == integration; });
    refresh_metrics();
  }

 private:
  static MetricLabels labels(std::string_view name) { return {{"cache", std::string(name)}}; }
  void refresh_metrics() {
    const CacheStatistics now = entries_.statistics();
    size_.set(static_cast<double>(now.size));
    // Counters only grow: whoever moves the mark forward adds what lies between.
    std::uint64_t told = evictions_told_.load();
    while (told < now.evictions && !evictions_told_.compare_exchange_weak(told, now.evictions)) {
    }
    if (told < now.evictions) evictions_.add(static_cast<double>(now.evictions - told));
  }

  BoundedCache<CallKey, T> entries_;
  Counter& hits_;
  Counter& misses_;
  Counter& evictions_;
  Gauge& size_;
  std::atomic<std::uint64_t> evictions_told_{0};
};

}  // namespace inthub
