#include "foundation/bounded_cache.h"

#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "support/fake_clock.h"

namespace inthub {
namespace {

using namespace std::chrono_literals;
using testing_support::FakeClock;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};
using Cache = BoundedCache<std::string, int, TextHash>;

std::shared_ptr<const int> number(int n) {
  return std::make_shared<const int>(n);
}

struct BoundedCacheTest : testing::Test {
  FakeClock clock;
};

TEST_F(BoundedCacheTest, WhatWasPutIsFoundWithItsAge) {
  Cache cache({.max_entries = 4, .ttl = 10s}, clock);
  cache.put("a", number(1));
  clock.advance(3s);
  const Cache::Hit hit = cache.find(std::string_view("a"));
  ASSERT_TRUE(hit);
  EXPECT_EQ(*hit.value, 1);
  EXPECT_EQ(hit.age, 3s);
  EXPECT_FALSE(cache.find(std::string_view("b")));
}

TEST_F(BoundedCacheTest, PuttingAgainReplacesTheValueAndStartsANewLife) {
  Cache cache({.max_entries = 4, .ttl = 10s}, clock);
  cache.put("a", number(1));
  clock.advance(9s);
  cache.put("a", number(2));
  clock.advance(9s);
  const Cache::Hit hit = cache.find(std::string_view("a"));
  ASSERT_TRUE(hit);
  EXPECT_EQ(*hit.value, 2);
  EXPECT_EQ(hit.age, 9s);
  EXPECT_EQ(cache.size(), 1U);
}

TEST_F(BoundedCacheTest, AbsoluteExpiryEndsAfterTheTtlHoweverOftenItIsRead) {
  Cache cache({.max_entries = 4, .ttl = 10s}, clock);
  cache.put("a", number(1));
  clock.advance(10s - 1ns);
  EXPECT_TRUE(cache.find(std::string_view("a")));
  clock.advance(1ns);
  EXPECT_FALSE(cache.find(std::string_view("a")));
  EXPECT_EQ(cache.statistics().expirations, 1U);
  EXPECT_EQ(cache.size(), 0U);
}

TEST_F(BoundedCacheTest, SlidingExpiryIsExtendedByHitsUpToTheMaximumLifetime) {
  Cache cache({.max_entries = 4, .ttl = 10s, .expiry = CacheExpiry::sliding}, clock);
  cache.put("a", number(1));
  for (int i = 0; i < 7; ++i) {  // 56 s
    clock.advance(8s);
    EXPECT_TRUE(cache.find(std::string_view("a"))) << i;
  }
  clock.advance(4s);  // 60 s = 6 × ttl
  EXPECT_FALSE(cache.find(std::string_view("a")));
}

TEST_F(BoundedCacheTest, SlidingExpiryEndsAfterTheTtlWithoutAHit) {
  Cache cache({.max_entries = 4, .ttl = 10s, .expiry = CacheExpiry::sliding}, clock);
  cache.put("a", number(1));
  clock.advance(10s);
  EXPECT_FALSE(cache.find(std::string_view("a")));
}

TEST_F(BoundedCacheTest, AFullCacheGivesUpTheEntryThatNoHitTouched) {
  Cache cache({.max_entries = 3, .ttl = 10s}, clock);
  cache.put("a", number(1));
  cache.put("b", number(2));
  cache.put("c", number(3));
  EXPECT_TRUE(cache.find(std::string_view("a")));
  EXPECT_TRUE(cache.find(std::string_view("c")));
  cache.put("d", number(4));
  EXPECT_TRUE(cache.find(std::string_view("a")));
  EXPECT_FALSE(cache.find(std::string_view("b")));
  EXPECT_TRUE(cache.find(std::string_view("c")));
  EXPECT_TRUE(cache.find(std::string_view("d")));
  EXPECT_EQ(cache.statistics().evictions, 1U);
  EXPECT_EQ(cache.size(), 3U);
}

TEST_F(BoundedCacheTest, AFullCacheGivesUpExpiredEntriesBeforeUntouchedOnes) {
  Cache cache({.max_entries = 3, .ttl = 10s}, clock);
  cache.put("fresh", number(1));
  cache.put("old", number(2));
  EXPECT_TRUE(cache.find(std::string_view("old")));  // touched, so CLOCK alone would spare it
  clock.advance(5s);
  cache.put("fresh", number(1));
  cache.put("other", number(3));
  clock.advance(5s);
  cache.put("new", number(4));
  EXPECT_TRUE(cache.find(std::string_view("fresh")));
  EXPECT_FALSE(cache.find(std::string_view("old")));
  EXPECT_TRUE(cache.find(std::string_view("other")));
  EXPECT_TRUE(cache.find(std::string_view("new")));
  EXPECT_EQ(cache.statistics().evictions, 0U);
  EXPECT_EQ(cache.statistics().expirations, 1U);
}

TEST_F(BoundedCacheTest, TheBoundHoldsAndTheHandGoesRound) {
  for (const std::size_t bound : {1U, 2U, 63U, 129U, 1000U, 2000U}) {
    Cache cache({.max_entries = bound, .ttl = 10s}, clock);
    for (int i = 0; i < 5000; ++i) {
      cache.put(std::to_string(i), number(i));
      if (i % 3 == 0) EXPECT_TRUE(cache.find(std::to_string(i)));
      EXPECT_LE(cache.size(), bound);
    }
    EXPECT_EQ(cache.size(), bound) << "every shard has been filled by now";
    EXPECT_EQ(cache.statistics().evictions, 5000 - bound);
  }
}

TEST_F(BoundedCacheTest, ABoundOfZeroHoldsNothing) {
  Cache cache({.max_entries = 0, .ttl = 10s}, clock);
  cache.put("a", number(1));
  EXPECT_FALSE(cache.find(std::string_view("a")));
}

TEST_F(BoundedCacheTest, ErasedEntriesAreGoneAndTheRestKeepsItsPlace) {
  Cache cache({.max_entries = 500, .ttl = 10s}, clock);
  for (int i = 0; i < 200; ++i) cache.put(std::to_string(i), number(i));
  EXPECT_TRUE(cache.erase(std::string_view("17")));
  EXPECT_FALSE(cache.erase(std::string_view("17")));
  EXPECT_EQ(cache.erase_if([](const std::string& key, const int& value) { return value % 2 == 0 && key != "4"; }), 99U);
  EXPECT_EQ(cache.size(), 100U);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(static_cast<bool>(cache.find(std::to_string(i))), (i % 2 == 1 && i != 17) || i == 4) << i;
  }
  cache.clear();
  EXPECT_EQ(cache.size(), 0U);
}

TEST_F(BoundedCacheTest, AHeldValueOutlivesItsEntry) {
  Cache cache({.max_entries = 1, .ttl = 10s}, clock);
  cache.put("a", number(1));
  const Cache::Hit hit = cache.find(std::string_view("a"));
  cache.put("b", number(2));
  EXPECT_EQ(*hit.value, 1);
}

struct OwnedKey {
  std::string tenant;
  std::string name;
};
struct KeyView {
  std::string_view tenant;
  std::string_view name;
};
struct KeyHash {
  std::size_t operator()(const auto& key) const noexcept {
    return std::hash<std::string_view>{}(key.tenant) * 31 + std::hash<std::string_view>{}(key.name);
  }
};
struct KeyEqual {
  bool operator()(const auto& a, const auto& b) const { return a.tenant == b.tenant && a.name == b.name; }
};

TEST_F(BoundedCacheTest, AStructOfViewsFindsWithoutBuildingAKey) {
  BoundedCache<OwnedKey, int, KeyHash, KeyEqual> cache({.max_entries = 8, .ttl = 10s}, clock);
  cache.put({"t", "n"}, number(1));
  EXPECT_TRUE(cache.find(KeyView{"t", "n"}));
  EXPECT_FALSE(cache.find(KeyView{"n", "t"}));
}

TEST_F(BoundedCacheTest, HitsAndMissesAreCounted) {
  Cache cache({.max_entries = 4, .ttl = 10s}, clock);
  cache.put("a", number(1));
  EXPECT_TRUE(cache.find(std::string_view("a")));
  EXPECT_TRUE(cache.find(std::string_view("a")));
  EXPECT_FALSE(cache.find(std::string_view("b")));
  EXPECT_EQ(cache.statistics().hits, 2U);
  EXPECT_EQ(cache.statistics().misses, 1U);
}

/// Counts its destructions by looking into the cache, which would deadlock under the cache's lock.
struct Nosy {
  BoundedCache<int, Nosy>* cache;
  ~Nosy() { cache->find(1); }
};

TEST_F(BoundedCacheTest, ValuesAreDestroyedOutsideTheLock) {
  BoundedCache<int, Nosy> cache({.max_entries = 1, .ttl = 10s}, clock);
  const auto nosy = [&] { return std::make_shared<const Nosy>(&cache); };
  cache.put(1, nosy());
  cache.put(1, nosy());  // replaced
  cache.put(2, nosy());  // evicted
  clock.advance(10s);
  EXPECT_FALSE(cache.find(2));  // expired
  cache.put(2, nosy());
  EXPECT_TRUE(cache.erase(2));
  cache.put(3, nosy());
  EXPECT_EQ(cache.erase_if([](int, const Nosy&) { return true; }), 1U);
}

TEST_F(BoundedCacheTest, ThreadsMayReadWriteAndEraseAtOnce) {
  Cache cache({.max_entries = 200, .ttl = 1s, .expiry = CacheExpiry::sliding}, clock);
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 5000; ++i) {
          const int n = (i * 31 + t * 977) % 400;
          const std::string key = std::to_string(n);
          if (i % 5 == 0) cache.put(key, number(n));
          if (const auto hit = cache.find(key); hit && *hit.value != n) ++wrong;
          if (i % 97 == 0) cache.erase(key);
          if (i % 1009 == 0) cache.erase_if([](const std::string&, const int& value) { return value % 7 == 0; });
          if (i % 211 == 0) clock.advance(50ms);
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  const CacheStatistics statistics = cache.statistics();
  EXPECT_EQ(statistics.hits + statistics.misses, 20000U);
  EXPECT_LE(statistics.size, 200U);
}

}  // namespace
}  // namespace inthub
