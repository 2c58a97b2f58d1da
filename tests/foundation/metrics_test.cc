#include "foundation/metrics.h"

#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace inthub {
namespace {

bool exposes(const Metrics& metrics, const std::string& line) {
  return ("\n" + metrics.expose()).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, AreExposedAsPrometheusText) {
  Metrics metrics;
  metrics.counter("inthub_calls_total", "Calls to vendors.", {{"type", "scm.github"}, {"outcome", "ok"}}).add(3);
  metrics.gauge("inthub_open", "Open connections.").set(2.5);
  EXPECT_TRUE(exposes(metrics, "# HELP inthub_calls_total Calls to vendors.")) << metrics.expose();
  EXPECT_TRUE(exposes(metrics, "# TYPE inthub_calls_total counter"));
  EXPECT_TRUE(exposes(metrics, "inthub_calls_total{outcome=\"ok\",type=\"scm.github\"} 3")) << metrics.expose();
  EXPECT_TRUE(exposes(metrics, "# TYPE inthub_open gauge"));
  EXPECT_TRUE(exposes(metrics, "inthub_open 2.5"));
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameInstrument) {
  Metrics metrics;
  Counter& first = metrics.counter("inthub_a_total", "A.", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(&first, &metrics.counter("inthub_a_total", "Worded differently.", {{"y", "2"}, {"x", "1"}}));
  EXPECT_NE(&first, &metrics.counter("inthub_a_total", "A.", {{"x", "2"}, {"y", "2"}}));
  EXPECT_NE(&first, &metrics.counter("inthub_b_total", "B.", {{"x", "1"}, {"y", "2"}}));
  EXPECT_EQ(metrics.expose().find("Worded differently."), std::string::npos);
}

TEST(Metrics, CountersOnlyGrow) {
  Metrics metrics;
  Counter& counter = metrics.counter("inthub_a_total", "A.");
  counter.add();
  counter.add(2);
  counter.add(-5);
  EXPECT_EQ(counter.value(), 3);
}

TEST(Metrics, GaugesGoUpAndDown) {
  Metrics metrics;
  Gauge& gauge = metrics.gauge("inthub_a", "A.");
  gauge.set(5);
  gauge.add(-7);
  EXPECT_TRUE(exposes(metrics, "inthub_a -2"));
}

TEST(Metrics, HistogramsCountIntoCumulativeBuckets) {
  Metrics metrics;
  Histogram& histogram = metrics.histogram("inthub_a_seconds", "A.", {0.1, 1});
  EXPECT_EQ(&histogram, &metrics.histogram("inthub_a_seconds", "A.", {0.1, 1}));
  for (const double seconds : {0.05, 0.1, 0.5, 7.0}) histogram.observe(seconds);
  EXPECT_TRUE(exposes(metrics, "inthub_a_seconds_bucket{le=\"0.1\"} 2")) << metrics.expose();
  EXPECT_TRUE(exposes(metrics, "inthub_a_seconds_bucket{le=\"1\"} 3"));
  EXPECT_TRUE(exposes(metrics, "inthub_a_seconds_bucket{le=\"+Inf\"} 4"));
  EXPECT_TRUE(exposes(metrics, "inthub_a_seconds_count 4"));
}

TEST(Metrics, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.counter("inthub_a_total", "A.", {{"x", "q\"b\\\n"}}).add();
  EXPECT_TRUE(exposes(metrics, R"(inthub_a_total{x="q\"b\\\n"} 1)")) << metrics.expose();
}

TEST(Metrics, OneNameForTwoTypesIsABug) {
  Metrics metrics;
  metrics.counter("inthub_a", "A.");
  EXPECT_THROW(metrics.gauge("inthub_a", "A."), std::logic_error);
}

TEST(Metrics, MayBeMadeAndUsedFromManyThreads) {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          metrics.counter("inthub_a_total", "A.", {{"n", std::to_string(i % 3)}}).add();
          metrics.histogram("inthub_a_seconds", "A.", {1}).observe(0.5);
          if (i % 250 == 0) EXPECT_FALSE(metrics.expose().empty());
        }
      });
    }
  }
  EXPECT_TRUE(exposes(metrics, "inthub_a_total{n=\"0\"} 1336")) << metrics.expose();
  EXPECT_TRUE(exposes(metrics, "inthub_a_seconds_count 4000"));
}

}  // namespace
}  // namespace inthub
