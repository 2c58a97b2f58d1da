#include "connector_runtime/vendor_metrics.h"

#include <vector>

namespace inthub {
namespace {

constexpr std::array<std::string_view, 9> kOutcomeNames{"2xx", "3xx",   "4xx", "5xx", "dns",
                                                        "tcp", "proxy", "tls", "http"};
const std::vector<double>& bucket_bounds() {
  static const std::vector<double> bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
  return bounds;
}

}  // namespace

ExchangeOutcome outcome_of(int status) {
  if (status >= 500) return ExchangeOutcome::server_error;
  if (status >= 400) return ExchangeOutcome::client_error;
  if (status >= 300) return ExchangeOutcome::redirect;
  return ExchangeOutcome::ok;
}

ExchangeOutcome outcome_of(HttpStage stage) {
  switch (stage) {
    case HttpStage::dns:
      return ExchangeOutcome::dns;
    case HttpStage::tcp:
      return ExchangeOutcome::tcp;
    case HttpStage::proxy:
      return ExchangeOutcome::proxy;
    case HttpStage::tls:
      return ExchangeOutcome::tls;
    case HttpStage::http:
      break;
  }
  return ExchangeOutcome::http;
}

const VendorMetrics::Instruments& VendorMetrics::of(std::string_view type) {
  const std::scoped_lock lock(mutex_);
  const auto found = by_type_.find(type);
  if (found != by_type_.end()) return found->second;
  Instruments made;
  const std::string label(type);
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    made.requests.at(i) = &metrics_.counter("inthub_vendor_requests_total", "HTTP exchanges with remote systems.",
                                            {{"type", label}, {"outcome", std::string(kOutcomeNames.at(i))}});
  }
  made.seconds = &metrics_.histogram("inthub_vendor_request_seconds", "Duration of HTTP exchanges with remote systems.",
                                     bucket_bounds(), {{"type", label}});
  made.retries =
      &metrics_.counter("inthub_vendor_retries_total", "Exchanges that were tried again.", {{"type", label}});
  made.breaker_opened =
      &metrics_.counter("inthub_breaker_opened_total",
                        "Times a circuit breaker opened because a remote system kept failing.", {{"type", label}});
  return by_type_.emplace(label, made).first->second;
}

void VendorMetrics::exchanged(std::string_view type, ExchangeOutcome outcome,
                              std::chrono::steady_clock::duration took) {
  const Instruments& instruments = of(type);
  instruments.requests.at(static_cast<std::size_t>(outcome))->add();
  instruments.seconds->observe(std::chrono::duration<double>(took).count());
}
void VendorMetrics::retried(std::string_view type) {
  of(type).retries->add();
}
void VendorMetrics::breaker_opened(std::string_view type) {
  of(type).breaker_opened->add();
}

}  // namespace inthub
