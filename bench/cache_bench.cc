// Is a hit in BoundedCache cheaper than 150 ns, although it checks a time to live and counts?
// Do four readers on two cores get more done than one, where one lock around a map makes them queue?
// What does a miss followed by a put into a full cache cost?
// The named peer is std::unordered_map behind a std::mutex, which has neither bound nor time to live.
#include <array>
#include <string>
#include <string_view>
#include <unordered_map>

#include <benchmark/benchmark.h>

#include "foundation/bounded_cache.h"

namespace inthub {
namespace {

constexpr std::size_t kEntries = 10'000;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

std::string key_of(std::size_t i) {
  return "registry.example.com/team/service-" + std::to_string(i) + ":latest";
}

const std::vector<std::string>& keys() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> made;
    for (std::size_t i = 0; i < kEntries; ++i) made.push_back(key_of(i));
    return made;
  }();
  return all;
}

class MutexMap {
 public:
  std::shared_ptr<const std::string> find(std::string_view key) {
    const std::scoped_lock lock(mutex_);
    const auto found = map_.find(key);
    return found == map_.end() ? nullptr : found->second;
  }
  void put(std::string key, std::shared_ptr<const std::string> value) {
    const std::scoped_lock lock(mutex_);
    map_.insert_or_assign(std::move(key), std::move(value));
  }
  void erase(const std::string& key) {
    const std::scoped_lock lock(mutex_);
    map_.erase(key);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const std::string>, TextHash, std::equal_to<>> map_;
};

using Cache = BoundedCache<std::string, std::string, TextHash>;

Cache& full_cache() {
  // Twice the room, so that no shard is so full that it evicts: these benchmarks ask about hits.
  static Cache cache({.max_entries = 2 * kEntries, .ttl = std::chrono::hours(1), .expiry = CacheExpiry::sliding});
  static const bool filled = [] {
    for (const std::string& key : keys()) cache.put(key, std::make_shared<const std::string>(key));
    return true;
  }();
  benchmark::DoNotOptimize(filled);
  return cache;
}

MutexMap& full_map() {
  static MutexMap map;
  static const bool filled = [] {
    for (const std::string& key : keys()) map.put(key, std::make_shared<const std::string>(key));
    return true;
  }();
  benchmark::DoNotOptimize(filled);
  return map;
}

template <class Find>
void read_all_keys(benchmark::State& state, Find find) {
  const std::vector<std::string>& all = keys();
  // Each thread walks in its own order, in steps that visit every key.
  std::size_t i = static_cast<std::size_t>(state.thread_index()) * 2503;
  for (auto _ : state) {
    i = (i + 7919) % all.size();
    auto found = find(std::string_view(all[i]));
    benchmark::DoNotOptimize(found);
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_CacheHit(benchmark::State& state) {
  Cache& cache = full_cache();
  read_all_keys(state, [&](std::string_view key) { return cache.find(key); });
}
BENCHMARK(BM_CacheHit)->Threads(1)->Threads(2)->Threads(4)->UseRealTime();

void BM_MutexMapHit(benchmark::State& state) {
  MutexMap& map = full_map();
  read_all_keys(state, [&](std::string_view key) { return map.find(key); });
}
BENCHMARK(BM_MutexMapHit)->Threads(1)->Threads(2)->Threads(4)->UseRealTime();

void BM_CacheHitOnOneHotKey(benchmark::State& state) {
  Cache& cache = full_cache();
  const std::string_view key = keys().front();
  for (auto _ : state) {
    auto found = cache.find(key);
    benchmark::DoNotOptimize(found);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CacheHitOnOneHotKey)->Threads(1)->Threads(4)->UseRealTime();

void BM_CacheMissAndPut(benchmark::State& state) {
  Cache cache({.max_entries = kEntries, .ttl = std::chrono::hours(1)});
  const auto value = std::make_shared<const std::string>("sha256:0");
  for (std::size_t k = 0; k < 2 * kEntries; ++k) cache.put(key_of(k), value);
  std::size_t i = 2 * kEntries;
  for (auto _ : state) {
    std::string key = key_of(i++);
    if (!cache.find(std::string_view(key))) cache.put(std::move(key), value);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CacheMissAndPut);

/// The peer keeps its size by erasing the oldest key, which the benchmark knows and a cache would have to find.
void BM_MutexMapMissAndPut(benchmark::State& state) {
  MutexMap map;
  const auto value = std::make_shared<const std::string>("sha256:0");
  for (std::size_t k = 0; k < kEntries; ++k) map.put(key_of(k), value);
  std::size_t i = kEntries;
  for (auto _ : state) {
    std::string key = key_of(i);
    if (!map.find(std::string_view(key))) {
      map.erase(key_of(i - kEntries));
      map.put(std::move(key), value);
    }
    ++i;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MutexMapMissAndPut);

}  // namespace
}  // namespace inthub

BENCHMARK_MAIN();
