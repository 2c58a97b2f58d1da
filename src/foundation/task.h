#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "foundation/clock.h"
#include "foundation/result.h"

namespace inthub {

namespace asio = boost::asio;

/// Every io_context of the hub is run by exactly one thread, so code on it needs no strand, and Asio's cancellation,
/// which is not thread-safe, is only ever emitted on that thread.
using IoExecutor = asio::io_context::executor_type;

/// A coroutine bound to one io_context. Naming the executor type instead of any_io_executor saves an indirection per
/// step.
template <class T>
using Task = asio::awaitable<T, IoExecutor>;

/// Owns background coroutines: cancels and joins them. Tasks are started, run and cancelled on `context`'s thread.
/// A task that ends with an exception is logged, except when it ends because it was cancelled.
class TaskScope {
 public:
  explicit TaskScope(asio::io_context& context);
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  /// Every task must have ended: call cancel_and_join() or, once the context has stopped for good, nothing.
  ~TaskScope();

  /// Thread-safe. `make` is called on the context's thread and its captures live until the task has ended, so a
  /// capturing lambda that is itself a coroutine is safe here. After cancel_and_join() began, nothing is started and
  /// false returned.
  bool spawn(std::function<Task<void>()> make);
  /// Cancels all and resumes when the last one has ended. Call on any context; thread-safe; idempotent.
  Task<void> cancel_and_join();
  std::size_t size() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Waits until `deadline`. Throws boost::system::system_error(operation_aborted) when the coroutine is cancelled.
Task<void> sleep_until(Deadline deadline);
Task<void> sleep_for(std::chrono::steady_clock::duration duration);
/// Lets other work of the same context run first.
Task<void> yield_to_context();

namespace detail {
/// The part of OneShot that does not depend on the value: one waiter, on its own io_context, woken from any thread.
class OneShotSignal {
 public:
  OneShotSignal();
  ~OneShotSignal();
  OneShotSignal(const OneShotSignal&) = delete;
  OneShotSignal& operator=(const OneShotSignal&) = delete;
  /// True when notified, false when `deadline` passed first. Throws on cancellation.
  Task<bool> wait(Deadline deadline);
  void notify();

 private:
  struct State;
  std::shared_ptr<State> state_;
};
}  // namespace detail

/// A value handed once from any thread to one waiting coroutine. set() may come before or after wait().
template <class T>
class OneShot {
 public:
  OneShot() : state_(std::make_shared<State>()) {}

  /// The first call wins and returns true. Thread-safe.
  bool set(T value) const {
    {
      const std::scoped_lock lock(state_->mutex);
      if (state_->value) return false;
      state_->value.emplace(std::move(value));
    }
    state_->signal.notify();
    return true;
  }
  /// The value, or nothing when `deadline` passed first. Call once. Throws on cancellation of the waiting coroutine.
  Task<std::optional<T>> wait(Deadline deadline) const {
    const auto state = state_;  // keeps the state alive if this OneShot dies while waiting
    const bool notified = co_await state->signal.wait(deadline);
    const std::scoped_lock lock(state->mutex);
    if (!notified && !state->value) co_return std::nullopt;
    co_return std::move(state->value);
  }

 private:
  struct State {
    std::mutex mutex;
    std::optional<T> value;
    detail::OneShotSignal signal;
  };
  std::shared_ptr<State> state_;
};

}  // namespace inthub
