#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "foundation/clock.h"
#include "foundation/task.h"

namespace inthub {

/// A caller waits this much longer than its deadline, so that work that ends by the same deadline can still say where
/// it stopped.
inline constexpr std::chrono::milliseconds kAnswerGrace{100};

/// What a shared call knows about those who wait for it. Thread-safe.
class FlightProgress {
 public:
  explicit FlightProgress(Deadline deadline) : deadline_(deadline.time_since_epoch()) {}

  /// The latest deadline among the callers, so it may move later while the call runs.
  Deadline deadline() const { return Deadline(deadline_.load(std::memory_order_relaxed)); }
  /// The work has begun; until then it waits for its turn.
  void mark_running() { running_.store(true, std::memory_order_relaxed); }
  bool is_running() const { return running_.load(std::memory_order_relaxed); }
  void extend_to(Deadline deadline) {
    auto known = deadline_.load(std::memory_order_relaxed);
    while (known < deadline.time_since_epoch() &&
           !deadline_.compare_exchange_weak(known, deadline.time_since_epoch())) {
    }
  }

 private:
  std::atomic<Deadline::duration> deadline_;
  std::atomic<bool> running_{false};
};

/// Identical calls that overlap share one piece of work. The work runs on the scope's io_context; callers may be on any
/// other. Each waits until its own deadline; one that is cancelled or late leaves, and when the last has left the work
/// is cancelled. Thread-safe.
///
/// `Value` is copied once per caller. It must be default-constructible.
template <class Key, class Value, class Hash = std::hash<Key>>
class SingleFlight {
 public:
  struct Call {
    Key key;
    Deadline deadline;
    /// Joins only work that was begun by a fresh call; other work of the same key goes on for those who wait for it,
    /// unpublished.
    bool fresh = false;
    std::function<Task<Value>(std::shared_ptr<FlightProgress>)> work;
    /// Called with the value, before any caller has it and before the next identical call would begin new work, unless
    /// the work has been detached. Must not call back into this object.
    std::function<void(const Value&)> publish;
  };

  /// `scope` must outlive this object. `value_of` turns what the work threw into a value.
  SingleFlight(TaskScope& scope, Value (*value_of)(const std::exception_ptr&))
      : scope_(scope), state_(std::make_shared<State>(value_of)) {}

  struct Outcome {
    std::optional<Value> value;  ///< nothing when the deadline (and kAnswerGrace) passed
    bool shared = false;         ///< the work had been begun by another call
    bool was_running = false;    ///< FlightProgress::is_running() when the wait ended
  };
  /// Throws when the calling coroutine is cancelled.
  Task<Outcome> run(Call call) {
    const auto state = state_;
    const auto wait_until =
        call.deadline > Deadline::max() - kAnswerGrace ? Deadline::max() : call.deadline + kAnswerGrace;
    Waiter me;
    std::shared_ptr<Flight> flight;
    bool begins = false;
    {
      const std::scoped_lock lock(state->mutex);
      std::shared_ptr<Flight>& current = state->current[call.key];
      begins = !current || (call.fresh && !current->fresh);
      if (begins) current = std::make_shared<Flight>(call.key, call.deadline, call.fresh);
      flight = current;
      flight->progress->extend_to(call.deadline);
      me.number = flight->next_number++;
      flight->waiters.push_back(me);
    }
    const Leave leave{state, flight, me.number};
    if (begins) {
      auto shared_call = std::make_shared<Call>(std::move(call));
      const bool started = scope_.spawn([state, flight, shared_call] { return fly(state, flight, shared_call); });
      if (!started) settle(*state, flight, *shared_call, state->value_of(cancellation()));
    }
    std::optional<Value> value = co_await me.answer.wait(wait_until);
    co_return Outcome{.value = std::move(value), .shared = !begins, .was_running = flight->progress->is_running()};
  }

  /// Work whose key matches keeps running for those who wait for it, but nobody joins it any more and it is not
  /// published.
  template <class Predicate>
  void detach_if(Predicate matches) {
    const std::scoped_lock lock(state_->mutex);
    std::erase_if(state_->current, [&](const auto& item) { return matches(item.first); });
  }

  /// Pieces of work that further calls could join.
  std::size_t size() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->current.size();
  }

 private:
  struct Waiter {
    std::uint64_t number = 0;
    OneShot<Value> answer;
  };
  struct Flight {
    Flight(Key given, Deadline deadline, bool is_fresh)
        : key(std::move(given)), fresh(is_fresh), progress(std::make_shared<FlightProgress>(deadline)) {}
    const Key key;
    const bool fresh;
    const std::shared_ptr<FlightProgress> progress;
    const OneShot<bool> abandoned;
    std::uint64_t next_number = 0;
    std::vector<Waiter> waiters;
    bool settled = false;
  };
  struct State {
    explicit State(Value (*function)(const std::exception_ptr&)) : value_of(function) {}
    Value (*const value_of)(const std::exception_ptr&);
    std::mutex mutex;  // guards everything below, and every Flight's waiters and settled
    std::unordered_map<Key, std::shared_ptr<Flight>, Hash> current;

    bool is_current(const Flight& flight) const {
      const auto found = current.find(flight.key);
      return found != current.end() && found->second.get() == &flight;
    }
  };
  /// Ends a caller's interest, however its wait ended.
  struct Leave {
    const std::shared_ptr<State>& state;
    const std::shared_ptr<Flight>& flight;
    std::uint64_t number;
    ~Leave() {
      const std::scoped_lock lock(state->mutex);
      std::erase_if(flight->waiters, [this](const Waiter& waiter) { return waiter.number == number; });
      if (flight->settled || !flight->waiters.empty()) return;
      if (state->is_current(*flight)) state->current.erase(flight->key);
      flight->abandoned.set(true);
    }
  };

  static std::exception_ptr cancellation() {
    return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
  }

  static void settle(State& state, const std::shared_ptr<Flight>& flight, const Call& call, const Value& value) {
    std::vector<Waiter> waiters;
    {
      const std::scoped_lock lock(state.mutex);
      if (std::exchange(flight->settled, true)) return;
      if (state.is_current(*flight)) {
        if (call.publish) call.publish(value);
        state.current.erase(flight->key);
      }
      waiters.swap(flight->waiters);
    }
    for (const Waiter& waiter : waiters) waiter.answer.set(value);
  }

  static Task<Value> guarded(State& state, const Call& call, std::shared_ptr<FlightProgress> progress) {
    std::exception_ptr thrown;
    try {
      co_return co_await call.work(std::move(progress));
    } catch (...) {
      thrown = std::current_exception();
    }
    co_return state.value_of(thrown);
  }

  static Task<void> fly(std::shared_ptr<State> state, std::shared_ptr<Flight> flight, std::shared_ptr<Call> call) {
    using boost::asio::experimental::awaitable_operators::operator||;
    // Whatever way this ends, cancellation included, nobody is left waiting.
    struct Ending {
      State& state;
      const std::shared_ptr<Flight>& flight;
      const Call& call;
      bool settled = false;
      ~Ending() {
        if (!settled) settle(state, flight, call, state.value_of(cancellation()));
      }
    };
    Ending ending{*state, flight, *call};
    auto first = co_await (guarded(*state, *call, flight->progress) || flight->abandoned.wait(Deadline::max()));
    if (first.index() != 0) co_return;
    settle(*state, flight, *call, std::get<0>(first));
    ending.settled = true;
  }

  TaskScope& scope_;
  std::shared_ptr<State> state_;
};

}  // namespace inthub
