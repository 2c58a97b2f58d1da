#include "foundation/task.h"

#include <exception>
#include <list>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "foundation/log.h"

namespace inthub {
namespace {

using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, IoExecutor>;
constexpr asio::use_awaitable_t<IoExecutor> kUseTask;

bool is_cancellation(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& failure) {
    return failure.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

Task<void> run(std::function<Task<void>()> make) {
  co_await make();
}

}  // namespace

namespace detail {

struct OneShotSignal::State {
  std::mutex mutex;
  bool notified = false;
  std::shared_ptr<Timer> waiter;
};

OneShotSignal::OneShotSignal() : state_(std::make_shared<State>()) {}
OneShotSignal::~OneShotSignal() = default;

void OneShotSignal::notify() {
  std::shared_ptr<Timer> waiter;
  {
    const std::scoped_lock lock(state_->mutex);
    state_->notified = true;
    waiter = state_->waiter;
  }
  // A timer is not thread-safe: it is cancelled on its own context.
  if (waiter) {
    const auto executor = waiter->get_executor();
    asio::dispatch(executor, [waiter = std::move(waiter)] { waiter->cancel(); });
  }
}

Task<bool> OneShotSignal::wait(Deadline deadline) {
  const auto state = state_;
  auto timer = std::make_shared<Timer>(co_await asio::this_coro::executor, deadline);
  {
    const std::scoped_lock lock(state->mutex);
    if (state->notified) co_return true;
    state->waiter = timer;
  }
  // Also when this coroutine is destroyed while it waits: a timer must not outlive its context in the hands of a
  // sender.
  const struct Forget {
    State& of;
    ~Forget() {
      const std::scoped_lock lock(of.mutex);
      of.waiter.reset();
    }
  } forget{*state};
  boost::system::error_code ended;
  co_await timer->async_wait(asio::redirect_error(kUseTask, ended));
  {
    const std::scoped_lock lock(state->mutex);
    if (state->notified) co_return true;
  }
  if (!ended) co_return false;
  throw boost::system::system_error(asio::error::operation_aborted);
}

}  // namespace detail

struct TaskScope::State {
  explicit State(asio::io_context& used) : context(used) {}

  asio::io_context& context;
  mutable std::mutex mutex;
  bool closed = false;
  std::size_t live = 0;
  std::list<asio::cancellation_signal> signals;  // touched on the context's thread only
  std::vector<OneShot<bool>> joiners;
};

TaskScope::TaskScope(asio::io_context& context) : state_(std::make_shared<State>(context)) {}
TaskScope::~TaskScope() = default;

std::size_t TaskScope::size() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->live;
}

bool TaskScope::spawn(std::function<Task<void>()> make) {
  const auto state = state_;
  {
    const std::scoped_lock lock(state->mutex);
    if (state->closed) return false;
    ++state->live;
  }
  asio::dispatch(state->context, [state, make = std::move(make)]() mutable {
    const auto signal = state->signals.emplace(state->signals.end());
    bool closed = false;
    {
      const std::scoped_lock lock(state->mutex);
      closed = state->closed;
    }
    // `make` is called inside the coroutine, so that its exceptions end where the task's do, and lives as long as it.
    asio::co_spawn(state->context.get_executor(), run(std::move(make)),
                   asio::bind_cancellation_slot(signal->slot(), [state, signal](const std::exception_ptr& error) {
                     if (error && !is_cancellation(error)) log::exception("background task", error);
                     // The slot still refers to the signal while this handler runs, so it goes in a later turn.
                     asio::post(state->context, [state, signal] {
                       state->signals.erase(signal);
                       std::vector<OneShot<bool>> joiners;
                       {
                         const std::scoped_lock lock(state->mutex);
                         if (--state->live == 0) joiners.swap(state->joiners);
                       }
                       for (const auto& joiner : joiners) joiner.set(true);
                     });
                   }));
    if (closed) signal->emit(asio::cancellation_type::terminal);
  });
  return true;
}

Task<void> TaskScope::cancel_and_join() {
  const auto state = state_;
  OneShot<bool> joined;
  {
    const std::scoped_lock lock(state->mutex);
    state->closed = true;
    if (state->live == 0) co_return;
    state->joiners.push_back(joined);
  }
  asio::post(state->context, [state] {
    // A task's completion posts its erasure, so the list does not change while this walks it.
    for (auto& signal : state->signals) signal.emit(asio::cancellation_type::terminal);
  });
  co_await joined.wait(Deadline::max());
}

Task<void> sleep_until(Deadline deadline) {
  Timer timer(co_await asio::this_coro::executor, deadline);
  co_await timer.async_wait(kUseTask);
}

Task<void> sleep_for(std::chrono::steady_clock::duration duration) {
  Timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(kUseTask);
}

Task<void> yield_to_context() {
  co_await asio::post(co_await asio::this_coro::executor, kUseTask);
}

}  // namespace inthub
