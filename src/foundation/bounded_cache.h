#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
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
    const std::size_t hash = mix(hash_(key));
    const auto now = clock_.steady_now();
    std::optional<Slot> expired;  // destroyed after the lock is released
    Shard& shard = shard_of(hash);
    const std::scoped_lock lock(shard.mutex);
    const std::size_t cell = find_cell(shard, hash, key);
    if (cell == kNone) {
      increment(shard.misses);
      return {};
    }
    Slot& slot = shard.slots[position_in(shard.index[cell])];
    if (slot.expires <= now) {
      expired.emplace(remove(shard, cell));
      increment(shard.expirations);
      increment(shard.misses);
      return {};
    }
    // Written only when it matters: a line that is merely read stays in every processor's cache.
    if (options_.expiry == CacheExpiry::sliding) {
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
    std::vector<Slot>
        removed;  // destroyed after the lock is released, like `fresh`, which a replaced entry is swapped into
    Slot fresh{std::move(key), hash, std::move(value), now, now + options_.ttl, false};
    Shard& shard = shard_of(hash);
    if (shard.capacity == 0) return;
    const std::scoped_lock lock(shard.mutex);
    if (const std::size_t cell = find_cell(shard, hash, fresh.key); cell != kNone) {
      Slot& slot = shard.slots[position_in(shard.index[cell])];
      slot.value.swap(fresh.value);
      slot.put = fresh.put;
      slot.expires = fresh.expires;
      return;
    }
    shard.next_sweep = std::min(shard.next_sweep, std::max(fresh.expires, shard.sweep_not_before));
    if (shard.slots.size() >= shard.capacity && now >= shard.next_sweep) sweep(shard, now, removed);
    std::size_t position = shard.slots.size();
    if (position < shard.capacity) {
      // Whatever allocates comes before anything is changed.
      if (2 * (position + 1) > shard.index.size()) grow_index(shard);
      shard.slots.push_back(std::move(fresh));
      publish_size(shard);
    } else {
      position = victim(shard, now);
      Slot& least_useful = shard.slots[position];
      increment(least_useful.expires <= now ? shard.expirations : shard.evictions);
      clear_cell(shard, cell_of(shard, position));
      std::swap(least_useful, fresh);
    }
    add_cell(shard, hash, position);
  }

  /// Whether there was one.
  template <class K>
  bool erase(const K& key) {
    const std::size_t hash = mix(hash_(key));
    std::optional<Slot> removed;
    Shard& shard = shard_of(hash);
    const std::scoped_lock lock(shard.mutex);
    const std::size_t cell = find_cell(shard, hash, key);
    if (cell == kNone) return false;
    removed.emplace(remove(shard, cell));
    return true;
  }

  /// Removes what `predicate(const Key&, const Value&)` names and returns how many; locks one shard at a time. The
  /// predicate runs under that lock and must not use this cache. An entry put meanwhile by another thread may be
  /// missed.
  template <class Predicate>
  std::size_t erase_if(Predicate predicate) {
    std::size_t count = 0;
    for (Shard& shard : shards_) {
      std::vector<Slot> removed;
      const std::scoped_lock lock(shard.mutex);
      // From the end, because remove() fills the gap with the last slot, which has been looked at by then.
      for (std::size_t i = shard.slots.size(); i-- > 0;) {
        if (!predicate(std::as_const(shard.slots[i].key), *shard.slots[i].value)) continue;
        removed.reserve(i + 1);
        removed.push_back(remove(shard, cell_of(shard, i)));
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

  struct Slot {
    Key key;
    std::size_t hash;
    std::shared_ptr<const Value> value;
    TimePoint put;
    TimePoint expires;
    bool is_referenced;
  };
  static_assert(std::is_nothrow_move_constructible_v<Key> && std::is_nothrow_move_assignable_v<Key>,
                "a slot that fails to move would leave the index wrong");
  using Count = std::atomic<std::uint64_t>;

  // Two lines, because processors fetch pairs of 64-byte lines: a neighbour's lock must not travel with this one's.
  struct alignas(128) Shard {
    std::mutex mutex;
    // Beside the lock, whose line a reader writes anyway. Written under the lock, read without.
    Count hits{0};
    Count misses{0};
    std::vector<Slot> slots;           // in the order the CLOCK hand walks
    std::vector<std::uint64_t> index;  // open addressing, at most half full; see find_cell()
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
  static void publish_size(Shard& shard) { shard.size.store(shard.slots.size(), std::memory_order_relaxed); }

  // A cell of the index is 0 when free, else the hash's upper half and, in the lower, the slot's position + 1. So one
  // line of memory nearly always tells whether a key is there, and the next one is the slot itself.
  static constexpr std::size_t kNone = ~std::size_t{0};
  static std::uint64_t make_cell(std::size_t hash, std::size_t position) {
    return (hash & 0xFFFFFFFF00000000ULL) | (position + 1);
  }
  static std::size_t position_in(std::uint64_t cell) { return (cell & 0xFFFFFFFFULL) - 1; }
  static std::size_t next_cell(const Shard& shard, std::size_t cell) { return (cell + 1) & (shard.index.size() - 1); }
  static std::size_t home_of(const Shard& shard, std::size_t hash) { return hash & (shard.index.size() - 1); }

  template <class K>
  std::size_t find_cell(const Shard& shard, std::size_t hash, const K& key) const {
    if (shard.index.empty()) return kNone;
    for (std::size_t cell = home_of(shard, hash); shard.index[cell] != 0; cell = next_cell(shard, cell)) {
      if ((shard.index[cell] ^ hash) >> 32 != 0) continue;
      const Slot& slot = shard.slots[position_in(shard.index[cell])];
      if (slot.hash == hash && equal_(slot.key, key)) return cell;
    }
    return kNone;
  }
  static std::size_t cell_of(const Shard& shard, std::size_t position) {
    const std::size_t hash = shard.slots[position].hash;
    std::size_t cell = home_of(shard, hash);
    while (shard.index[cell] != make_cell(hash, position)) cell = next_cell(shard, cell);
    return cell;
  }
  static void add_cell(Shard& shard, std::size_t hash, std::size_t position) {
    std::size_t cell = home_of(shard, hash);
    while (shard.index[cell] != 0) cell = next_cell(shard, cell);
    shard.index[cell] = make_cell(hash, position);
  }
  /// Frees the cell and moves later ones of the same run up, so that no search ends too early.
  static void clear_cell(Shard& shard, std::size_t free) {
    for (std::size_t cell = next_cell(shard, free); shard.index[cell] != 0; cell = next_cell(shard, cell)) {
      const std::size_t home = home_of(shard, shard.slots[position_in(shard.index[cell])].hash);
      const std::size_t mask = shard.index.size() - 1;
      if (((cell - home) & mask) < ((cell - free) & mask)) continue;  // it would come to lie before its home
      shard.index[free] = shard.index[cell];
      free = cell;
    }
    shard.index[free] = 0;
  }
  static void grow_index(Shard& shard) {
    constexpr std::size_t kFirstSize = 16;
    shard.index = std::vector<std::uint64_t>(std::max(kFirstSize, 2 * shard.index.size()));
    for (std::size_t i = 0; i < shard.slots.size(); ++i) add_cell(shard, shard.slots[i].hash, i);
  }
  /// The last slot takes the place of the removed one.
  static Slot remove(Shard& shard, std::size_t cell) {
    const std::size_t position = position_in(shard.index[cell]);
    const std::size_t last = shard.slots.size() - 1;
    clear_cell(shard, cell);
    if (position != last) {
      shard.index[cell_of(shard, last)] = make_cell(shard.slots[last].hash, position);
      std::swap(shard.slots[position], shard.slots[last]);
    }
    Slot removed = std::move(shard.slots.back());
    shard.slots.pop_back();
    publish_size(shard);
    return removed;
  }

  /// Removes every expired entry of a full shard and learns when to look again.
  void sweep(Shard& shard, TimePoint now, std::vector<Slot>& removed) {
    TimePoint earliest = TimePoint::max();
    removed.reserve(shard.slots.size());
    for (std::size_t i = shard.slots.size(); i-- > 0;) {
      if (shard.slots[i].expires <= now) {
        removed.push_back(remove(shard, cell_of(shard, i)));
        increment(shard.expirations);
      } else {
        earliest = std::min(earliest, shard.slots[i].expires);
      }
    }
    shard.sweep_not_before = now + options_.ttl / kSweepsPerTtl;
    shard.next_sweep = std::max(earliest, shard.sweep_not_before);
  }

  /// Second chance: a referenced entry is spared once. Ends, because the first round clears every mark.
  static std::size_t victim(Shard& shard, TimePoint now) {
    for (;;) {
      if (shard.hand >= shard.slots.size()) shard.hand = 0;
      const std::size_t position = shard.hand++;
      Slot& slot = shard.slots[position];
      if (!slot.is_referenced || slot.expires <= now) return position;
      slot.is_referenced = false;
    }
  }

  const CacheOptions options_;
  const Clock& clock_;
  [[no_unique_address]] Hash hash_;
  [[no_unique_address]] Equal equal_;
  std::vector<Shard> shards_;
};

}  // namespace inthub
