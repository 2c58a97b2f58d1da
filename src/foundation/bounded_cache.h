#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "foundation/clock.h"

namespace inthub {

enum class CacheExpiry : std::uint8_t {
  absolute,  ///< an entry lives `ttl` from when it was put
  /// Every hit gives it another `ttl`, in steps of ttl / kSlidesPerTtl, but never more than `max_lifetime` in all.
  sliding,
};

struct CacheOptions {
  std::size_t max_entries = 1024;
  std::chrono::steady_clock::duration ttl = std::chrono::minutes(5);
  CacheExpiry expiry = CacheExpiry::absolute;
  /// Sliding expiry only; zero means 6 × ttl. Keeps a value that is asked for all the time from never being fetched
  /// again.
  std::chrono::steady_clock::duration max_lifetime{0};
};

/// Counted since construction, except `size`. Each number is exact; together they are not one instant's picture.
struct CacheStatistics {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;       ///< absent or expired
  std::uint64_t evictions = 0;    ///< live entries given up for want of room
  std::uint64_t expirations = 0;  ///< entries removed because their time was over
  std::size_t size = 0;           ///< entries held now, expired ones not yet met included
};

/// A map with a bound and a time to live, for many readers. Thread-safe.
///
/// Bounds: never more than `max_entries` entries (0: holds nothing). Entries live in up to kMaxShards shards by the
/// key's hash, each with its own lock and share of the bound, so a shard may evict a little before the whole is full.
/// A full shard gives up what has expired first (looked for at most kSweepsPerTtl times per ttl), then the entry that
/// CLOCK finds: the one longest in place that no hit has touched since the hand last passed.
///
/// `Hash` and `Equal` may take other types than Key (a string_view, a struct of views): find() and erase() then look up
/// without building a Key. find() allocates nothing. Values are shared and immutable: a value stays valid for whoever
/// holds it after it has left the cache. Values are destroyed outside the locks, so their destructors may use the
/// cache.
template <class Key, class Value, class Hash = std::hash<Key>, class Equal = std::equal_to<>>
class BoundedCache {
 public:
  static constexpr std::size_t kMaxShards = 16;
  static constexpr std::size_t kLeastEntriesPerShard =
      64;  ///< below this, uneven hashes would waste too much of the bound
  static constexpr int kSweepsPerTtl = 16;
  static constexpr int kSlidesPerTtl = 256;

  struct Hit {
    std::shared_ptr<const Value> value;          ///< null on a miss
    std::chrono::steady_clock::duration age{0};  ///< since it was put
    explicit operator bool() const { return value != nullptr; }
  };

  /// `clock` must outlive the cache.
  explicit BoundedCache(const CacheOptions& options, const Clock& clock = system_clock())
      : options_(with_defaults(options)), clock_(clock), shards_(shard_count(options.max_entries)) {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      shards_[i].capacity = options.max_entries / shards_.size() + (i < options.max_entries % shards_.size() ? 1 : 0);
    }
  }
  BoundedCache(const BoundedCache&) = delete;
  BoundedCache& operator=(const BoundedCache&) = delete;
  ~BoundedCache() = default;

  template <class K>
  Hit find(const K& key) {
    const Probe<K> probe{key, mix(hash_(key))};
    const auto now = clock_.steady_now();
    Node expired;  // destroyed after the lock is released
    Shard& shard = shard_of(probe.hash);
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.entries.find(probe);
    if (found == shard.entries.end()) {
      increment(shard.misses);
      return {};
    }
    Slot& slot = found->second;
    if (slot.expires <= now) {
      expired = remove(shard, found);
      increment(shard.expirations);
      increment(shard.misses);
      return {};
    }
    if (options_.expiry == CacheExpiry::sliding) {
      // Written only when it matters: a line that is merely read stays in every processor's cache.
      const auto extended = std::min(now + options_.ttl, slot.put + options_.max_lifetime);
      if (extended - slot.expires >= options_.ttl / kSlidesPerTtl) slot.expires = extended;
    }
    if (!slot.is_referenced) slot.is_referenced = true;
    increment(shard.hits);
    return {slot.value, now - slot.put};
  }

  /// Adds or replaces; a replaced entry starts a new life. `value` must not be null.
  void put(Key key, std::shared_ptr<const Value> value) {
    const std::size_t hash = mix(hash_(key));
    const auto now = clock_.steady_now();
    std::vector<Node> removed;  // destroyed after the lock is released, like `value`
    Shard& shard = shard_of(hash);
    if (shard.capacity == 0) return;
    const std::scoped_lock lock(shard.mutex);
    if (const auto found = shard.entries.find(Probe<Key>{key, hash}); found != shard.entries.end()) {
      Slot& slot = found->second;
      slot.value.swap(value);
      slot.put = now;
      slot.expires = now + options_.ttl;
      return;
    }
    if (shard.ring.size() >= shard.capacity && now >= shard.next_sweep) sweep(shard, now, removed);
    std::size_t position = shard.ring.size();
    if (position >= shard.capacity) {
      position = victim(shard, now);
      const auto least_useful = shard.entries.find(shard.ring[position]->first);
      increment(least_useful->second.expires <= now ? shard.expirations : shard.evictions);
      removed.reserve(1);
      removed.push_back(shard.entries.extract(least_useful));
      shard.ring[position] = nullptr;
    } else {
      shard.ring.push_back(nullptr);
    }
    try {
      const auto added =
          shard.entries
              .emplace(Stored{std::move(key), hash}, Slot{std::move(value), now, now + options_.ttl, position, false})
              .first;
      shard.ring[position] = &*added;
    } catch (...) {  // no memory: close the gap, so that the ring names live entries only
      close_gap(shard, position);
      throw;
    }
    shard.next_sweep = std::min(shard.next_sweep, std::max(now + options_.ttl, shard.sweep_not_before));
    publish_size(shard);
  }

  /// Whether there was one.
  template <class K>
  bool erase(const K& key) {
    const Probe<K> probe{key, mix(hash_(key))};
    Node removed;
    Shard& shard = shard_of(probe.hash);
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.entries.find(probe);
    if (found == shard.entries.end()) return false;
    removed = remove(shard, found);
    return true;
  }

  /// Removes what `predicate(const Key&, const Value&)` names and returns how many; locks one shard at a time. The
  /// predicate runs under that lock and must not use this cache. An entry put meanwhile by another thread may be
  /// missed.
  template <class Predicate>
  std::size_t erase_if(Predicate predicate) {
    std::size_t count = 0;
    for (Shard& shard : shards_) {
      std::vector<Node> removed;
      const std::scoped_lock lock(shard.mutex);
      for (std::size_t i = shard.ring.size(); i-- > 0;) {
        if (!predicate(std::as_const(shard.ring[i]->first.key), *shard.ring[i]->second.value)) continue;
        removed.push_back(remove(shard, shard.entries.find(shard.ring[i]->first)));
        ++count;
      }
    }
    return count;
  }

  void clear() {
    erase_if([](const Key&, const Value&) { return true; });
  }

  CacheStatistics statistics() const {
    CacheStatistics total;
    for (const Shard& shard : shards_) {
      total.hits += shard.hits.load(std::memory_order_relaxed);
      total.misses += shard.misses.load(std::memory_order_relaxed);
      total.evictions += shard.evictions.load(std::memory_order_relaxed);
      total.expirations += shard.expirations.load(std::memory_order_relaxed);
      total.size += shard.size.load(std::memory_order_relaxed);
    }
    return total;
  }
  std::size_t size() const { return statistics().size; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Keys carry their hash, so that it is computed once per operation.
  struct Stored {
    Key key;
    std::size_t hash;
  };
  template <class K>
  struct Probe {
    const K& key;
    std::size_t hash;
  };
  struct StoredHash {
    using is_transparent = void;
    std::size_t operator()(const auto& key) const noexcept { return key.hash; }
  };
  struct StoredEqual {
    using is_transparent = void;
    [[no_unique_address]] Equal equal;
    bool operator()(const auto& a, const auto& b) const { return a.hash == b.hash && equal(a.key, b.key); }
  };
  struct Slot {
    std::shared_ptr<const Value> value;
    TimePoint put;
    TimePoint expires;
    std::size_t ring_position;
    bool is_referenced;
  };
  using Entries = std::unordered_map<Stored, Slot, StoredHash, StoredEqual>;
  using Node = typename Entries::node_type;
  using Count = std::atomic<std::uint64_t>;

  // Two lines, because processors fetch pairs of 64-byte lines: a neighbour's lock must not travel with this one's.
  struct alignas(128) Shard {
    std::mutex mutex;
    // Beside the lock, whose line a reader writes anyway. Written under the lock, read without.
    Count hits{0};
    Count misses{0};
    Entries entries;
    std::vector<typename Entries::value_type*> ring;  // every entry once, in the order the CLOCK hand walks
    std::size_t hand = 0;
    std::size_t capacity = 0;
    TimePoint next_sweep = TimePoint::max();  // nothing has expired before
    TimePoint sweep_not_before = TimePoint::min();
    Count evictions{0};
    Count expirations{0};
    std::atomic<std::size_t> size{0};
  };

  static CacheOptions with_defaults(CacheOptions options) {
    if (options.max_lifetime.count() == 0) options.max_lifetime = 6 * options.ttl;
    return options;
  }
  static std::size_t shard_count(std::size_t max_entries) {
    return std::bit_floor(std::clamp<std::size_t>(max_entries / kLeastEntriesPerShard, 1, kMaxShards));
  }
  /// std::hash of an integer is the integer; the multiplication spreads it over the high bits, which choose the shard.
  static std::size_t mix(std::size_t hash) {
    const std::uint64_t product = static_cast<std::uint64_t>(hash) * 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(product ^ (product >> 32));
  }
  Shard& shard_of(std::size_t hash) { return shards_[(hash >> 48) & (shards_.size() - 1)]; }
  /// Writers hold the shard's lock, so this need not be an atomic addition.
  static void increment(Count& count) {
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static void publish_size(Shard& shard) { shard.size.store(shard.entries.size(), std::memory_order_relaxed); }

  static void close_gap(Shard& shard, std::size_t position) {
    shard.ring[position] = shard.ring.back();
    shard.ring.pop_back();
    if (position < shard.ring.size()) shard.ring[position]->second.ring_position = position;
    publish_size(shard);
  }
  static Node remove(Shard& shard, typename Entries::iterator entry) {
    const std::size_t position = entry->second.ring_position;
    Node node = shard.entries.extract(entry);
    close_gap(shard, position);
    return node;
  }

  /// Removes every expired entry of a full shard and learns when to look again.
  void sweep(Shard& shard, TimePoint now, std::vector<Node>& removed) {
    TimePoint earliest = TimePoint::max();
    for (std::size_t i = shard.ring.size(); i-- > 0;) {
      const Slot& slot = shard.ring[i]->second;
      if (slot.expires <= now) {
        removed.push_back(remove(shard, shard.entries.find(shard.ring[i]->first)));
        increment(shard.expirations);
      } else {
        earliest = std::min(earliest, slot.expires);
      }
    }
    shard.sweep_not_before = now + options_.ttl / kSweepsPerTtl;
    shard.next_sweep = std::max(earliest, shard.sweep_not_before);
  }

  /// Second chance: a referenced entry is spared once. Ends, because the first round clears every mark.
  static std::size_t victim(Shard& shard, TimePoint now) {
    for (;;) {
      if (shard.hand >= shard.ring.size()) shard.hand = 0;
      const std::size_t position = shard.hand++;
      Slot& slot = shard.ring[position]->second;
      if (!slot.is_referenced || slot.expires <= now) return position;
      slot.is_referenced = false;
    }
  }

  const CacheOptions options_;
  const Clock& clock_;
  [[no_unique_address]] Hash hash_;
  std::vector<Shard> shards_;
};

}  // namespace inthub
