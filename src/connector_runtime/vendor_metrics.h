#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "foundation/metrics.h"
#include "transport/http_client.h"

namespace inthub {

/// How one exchange with a vendor ended: the class of the status, or the stage that failed.
enum class ExchangeOutcome : std::uint8_t { ok, redirect, client_error, server_error, dns, tcp, proxy, tls, http };
ExchangeOutcome outcome_of(int status);
ExchangeOutcome outcome_of(HttpStage stage);

/// inthub_vendor_requests_total{type,outcome}, inthub_vendor_request_seconds{type}, inthub_vendor_retries_total{type}
/// and inthub_breaker_opened_total{type}. Thread-safe; an instrument is looked up by name once per type.
class VendorMetrics {
 public:
  explicit VendorMetrics(Metrics& metrics) : metrics_(metrics) {}

  void exchanged(std::string_view type, ExchangeOutcome outcome, std::chrono::steady_clock::duration took);
  void retried(std::string_view type);
  void breaker_opened(std::string_view type);

 private:
  static constexpr std::size_t kOutcomes = 9;
  struct Instruments {
    std::array<Counter*, kOutcomes> requests{};
    Histogram* seconds = nullptr;
    Counter* retries = nullptr;
    Counter* breaker_opened = nullptr;
  };
  const Instruments& of(std::string_view type);

  Metrics& metrics_;
  std::mutex mutex_;
  std::map<std::string, Instruments, std::less<>> by_type_;
};

}  // namespace inthub
