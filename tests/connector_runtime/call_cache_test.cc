#include "connector_runtime/call_cache.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"

namespace inthub {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class CallCacheTest : public testing::Test {
 protected:
  std::shared_ptr<const int> value_ = std::make_shared<const int>(7);
  CallKey key_ = CallKeys::plain(IntegrationId(Uuid{{1}}), 1);
  testing_support::FakeClock clock_;
  Metrics metrics_;
};

TEST_F(CallCacheTest, TagResolutionsLiveOneHourHoweverOftenTheyAreRead) {
  CallCache<int> cache("tag_resolution", kTagResolutionCache, clock_, metrics_);
  cache.put(key_, value_);
  for (int i = 0; i < 59; ++i) {
    clock_.advance(minutes(1));
    ASSERT_TRUE(cache.find(key_).value);
  }
  EXPECT_EQ(cache.find(key_).age, minutes(59));
  clock_.advance(minutes(1));
  EXPECT_FALSE(cache.find(key_).value);
}

struct SlidingCase {
  std::string name;
  CacheOptions options;
  seconds ttl;
};
class SlidingCallCache : public testing::TestWithParam<SlidingCase> {};
TEST_P(SlidingCallCache, IsExtendedByReadingButNotBeyondSixTtls) {
  const auto& [name, options, ttl] = GetParam();
  testing_support::FakeClock clock;
  Metrics metrics;
  CallCache<int> cache(name, options, clock, metrics);
  const CallKey key = CallKeys::plain(IntegrationId(Uuid{{1}}), 1);
  const auto value = std::make_shared<const int>(7);
  cache.put(key, value);
  clock.advance(ttl);
  EXPECT_FALSE(cache.find(key).value) << "unread, it lives one TTL";
  cache.put(key, value);
  for (int half = 1; half < 12; ++half) {
    clock.advance(ttl / 2);
    ASSERT_TRUE(cache.find(key).value) << half;
  }
  clock.advance(ttl / 2);
  EXPECT_FALSE(cache.find(key).value) << "read all the time, it lives six";
}
INSTANTIATE_TEST_SUITE_P(Caches, SlidingCallCache,
                         testing::Values(SlidingCase{"connection_test", kConnectionTestCache, minutes(2)},
                                         SlidingCase{"health", kHealthCache, minutes(5)},
                                         SlidingCase{"discovery", kDiscoveryCache, minutes(10)}),
                         [](const auto& test) { return test.param.name; });

TEST_F(CallCacheTest, TheSizesAreTheStatedOnes) {
  EXPECT_EQ(kConnectionTestCache.max_entries, 500U);
  EXPECT_EQ(kHealthCache.max_entries, 1'000U);
  EXPECT_EQ(kDiscoveryCache.max_entries, 5'000U);
  EXPECT_EQ(kTagResolutionCache.max_entries, 10'000U);
}

TEST_F(CallCacheTest, AnotherRevisionStartsCold) {
  CallCache<int> cache("health", kHealthCache, clock_, metrics_);
  cache.put(key_, value_);
  EXPECT_FALSE(cache.find(CallKeys::plain(key_.integration, 2)).value);
}

TEST_F(CallCacheTest, ForgettingAnIntegrationLeavesTheOthers) {
  CallCache<int> cache("health", kHealthCache, clock_, metrics_);
  const CallKey other = CallKeys::plain(IntegrationId(Uuid{{2}}), 1);
  cache.put(key_, value_);
  cache.put(other, value_);
  cache.forget(key_.integration);
  EXPECT_FALSE(cache.find(key_).value);
  EXPECT_TRUE(cache.find(other).value);
}

TEST_F(CallCacheTest, StatisticsAreMetrics) {
  CallCache<int> cache("health", {.max_entries = 1, .ttl = minutes(5)}, clock_, metrics_);
  const MetricLabels labels{{"cache", "health"}};
  cache.find(key_);
  cache.put(key_, value_);
  cache.find(key_);
  cache.find(key_);
  cache.put(CallKeys::plain(key_.integration, 2), value_);  // no room: the older one goes
  EXPECT_EQ(metrics_.counter("inthub_cache_misses_total", "", labels).value(), 1);
  EXPECT_EQ(metrics_.counter("inthub_cache_hits_total", "", labels).value(), 2);
  EXPECT_EQ(metrics_.counter("inthub_cache_evictions_total", "", labels).value(), 1);
  EXPECT_NE(metrics_.expose().find("inthub_cache_entries{cache=\"health\"} 1"), std::string::npos);
}

}  // namespace
}  // namespace inthub
