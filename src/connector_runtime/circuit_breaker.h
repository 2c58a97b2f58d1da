#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "foundation/clock.h"
#include "foundation/ids.h"
#include "foundation/result.h"

namespace inthub {

/// Spares a vendor that does not answer, and its callers the wait. One breaker per integration and origin:
///
///   closed     everything passes; `failures_to_open` failures in a row (transport faults and 5xx; a 4xx is an answer)
///   open it open       nothing passes for `first_pause`, doubled at each failed probe up to `longest_pause` half-open
///   the pause is over: one request passes as a probe; its success closes the breaker, its failure opens it again
///
/// Whoever must see the truth (connection tests, health checks on demand) takes observe() instead of admit(): never
/// refused, but what it learns counts. Only breakers with failures take room; at `max_entries` the one that changed
/// longest ago is forgotten. Thread-safe.
class CircuitBreaker {
 public:
  struct Options {
    int failures_to_open = 5;
    std::chrono::seconds first_pause{10};
    std::chrono::seconds longest_pause{300};
    std::size_t max_entries = 4096;
  };
  enum class State : std::uint8_t { closed, open, half_open };

 private:
  struct Key {
    IntegrationId integration;
    std::string origin;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Table;

 public:
  /// One request's way through. Exactly one of succeeded() and failed() is called, or neither when nothing was learnt
  /// (the caller went away): a probe then leaves its place to the next request.
  class Passage {
   public:
    Passage() = default;  ///< reports nothing
    Passage(Passage&& other) noexcept = default;
    Passage& operator=(Passage&& other) noexcept;
    ~Passage();
    void succeeded();
    /// True when this failure opened the breaker. `cause` is redacted by the caller and told to those who are refused.
    bool failed(const std::string& cause);

   private:
    friend class CircuitBreaker;
    Passage(std::shared_ptr<Table> table, Key key, bool probe);
    void release();
    std::shared_ptr<Table> table_;
    Key key_;
    bool probe_ = false;
  };

  explicit CircuitBreaker(const Clock& clock) : CircuitBreaker(clock, Options{}) {}
  CircuitBreaker(const Clock& clock, Options options);

  /// Errors: unavailable, reason "breaker.open", with retry_after and the last cause in the message.
  Result<Passage> admit(IntegrationId integration, std::string origin);
  Passage observe(IntegrationId integration, std::string origin);

  State state(IntegrationId integration, const std::string& origin) const;
  void forget(IntegrationId integration);
  std::size_t size() const;

 private:
  std::shared_ptr<Table> table_;
};

}  // namespace inthub
