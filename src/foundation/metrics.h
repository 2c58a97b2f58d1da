#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace inthub {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// A number that only grows. Thread-safe, lock-free.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double amount = 1) = 0;
  virtual double value() const = 0;
};
/// A number that goes up and down. Thread-safe, lock-free.
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
  virtual void add(double amount) = 0;
};
/// A distribution over fixed buckets. Thread-safe.
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
};

/// All metrics of one hub, in the Prometheus data model. Names follow prometheus.io/docs/practices/naming and begin
/// with "inthub_". Asking twice for the same name and labels gives the same instrument, which lives as long as this
/// object. Thread-safe. Label values must come from a bounded set: never an id, a URL or a name.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  /// `buckets` are upper bounds in ascending order, in the unit that the name ends in.
  Histogram& histogram(std::string_view name, std::string_view help, const std::vector<double>& buckets,
                       const MetricLabels& labels = {});
  /// Prometheus text exposition format 0.0.4.
  std::string expose() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub
