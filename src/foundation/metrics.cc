#include "foundation/metrics.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace inthub {
namespace {

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void add(double amount) override { counter_.Increment(amount); }
  double value() const override { return counter_.Value(); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void set(double value) override { gauge_.Set(value); }
  void add(double amount) override { gauge_.Increment(amount); }

 private:
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram final : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

/// Label order does not tell two instruments apart, so the labels of a key are sorted.
using LabelKey = std::map<std::string, std::string>;

prometheus::Labels to_labels(const LabelKey& labels) {
  return {labels.begin(), labels.end()};
}

/// One metric name: its family, and an instrument for each set of label values.
template <class Theirs, class Ours>
struct Named {
  prometheus::Family<Theirs>* family = nullptr;
  std::map<LabelKey, std::unique_ptr<Ours>> instruments;
};

template <class Theirs, class Ours>
using NamedFamilies = std::map<std::string, Named<Theirs, Ours>, std::less<>>;

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  mutable std::mutex mutex;
  NamedFamilies<prometheus::Counter, Counter> counters;
  NamedFamilies<prometheus::Gauge, Gauge> gauges;
  NamedFamilies<prometheus::Histogram, Histogram> histograms;

  /// Families are kept here and not looked up in the registry, which would make a second family of the same name when
  /// another caller words the help differently. The first wording stays.
  template <class Wrapper, class Theirs, class Ours, class... Arguments>
  Ours& find_or_add(NamedFamilies<Theirs, Ours>& families, prometheus::detail::Builder<Theirs> builder,
                    std::string_view name, std::string_view help, const MetricLabels& labels,
                    Arguments&&... arguments) {
    const LabelKey key(labels.begin(), labels.end());
    const std::scoped_lock lock(mutex);
    auto found = families.find(name);
    if (found == families.end()) {
      if (counters.contains(name) || gauges.contains(name) || histograms.contains(name)) {
        throw std::logic_error(fmt::format("metric {} already exists with another type", name));
      }
      auto& family = builder.Name(std::string(name)).Help(std::string(help)).Register(registry);
      found = families.emplace(name, Named<Theirs, Ours>{&family, {}}).first;
    }
    auto& named = found->second;
    auto& instrument = named.instruments[key];
    if (!instrument) {
      instrument = std::make_unique<Wrapper>(named.family->Add(to_labels(key), std::forward<Arguments>(arguments)...));
    }
    return *instrument;
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(std::string_view name, std::string_view help, const MetricLabels& labels) {
  return impl_->find_or_add<PrometheusCounter>(impl_->counters, prometheus::BuildCounter(), name, help, labels);
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
  return impl_->find_or_add<PrometheusGauge>(impl_->gauges, prometheus::BuildGauge(), name, help, labels);
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, const std::vector<double>& buckets,
                              const MetricLabels& labels) {
  return impl_->find_or_add<PrometheusHistogram>(impl_->histograms, prometheus::BuildHistogram(), name, help, labels,
                                                 buckets);
}

std::string Metrics::expose() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace inthub
