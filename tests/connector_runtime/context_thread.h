#pragma once

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "foundation/task.h"

namespace inthub::testing_support {

/// An io_context that one thread runs, as each of the hub's is: for callers on several contexts at once.
class ContextThread {
 public:
  ContextThread() : thread_([this] { context_.run(); }) {}
  ContextThread(const ContextThread&) = delete;
  ContextThread& operator=(const ContextThread&) = delete;
  /// What was started must have ended.
  ~ContextThread() {
    guard_.reset();
    thread_.join();
  }

  asio::io_context& context() { return context_; }

  template <class T>
  struct Started {
    std::future<T> result;  ///< carries what the task threw, too
    std::function<void()> cancel;
  };
  template <class T>
  Started<T> start(Task<T> task) {
    struct Control {
      std::promise<T> promise;
      asio::cancellation_signal signal;
    };
    auto control = std::make_shared<Control>();
    auto work = [](Task<T> inner, std::shared_ptr<Control> shared) -> Task<void> {
      try {
        if constexpr (std::is_void_v<T>) {
          co_await std::move(inner);
          shared->promise.set_value();
        } else {
          shared->promise.set_value(co_await std::move(inner));
        }
      } catch (...) {
        shared->promise.set_exception(std::current_exception());
      }
    }(std::move(task), control);
    asio::post(context_, [this, control, held = std::make_shared<Task<void>>(std::move(work))] {
      asio::co_spawn(context_.get_executor(), std::move(*held),
                     asio::bind_cancellation_slot(control->signal.slot(), [control](const std::exception_ptr&) {}));
    });
    return {control->promise.get_future(), [this, control] {
              asio::post(context_, [control] { control->signal.emit(asio::cancellation_type::terminal); });
            }};
  }
  template <class T>
  T run(Task<T> task) {
    return start(std::move(task)).result.get();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<IoExecutor> guard_{asio::make_work_guard(context_)};
  std::thread thread_;
};

/// Waits for the end; true when the task ended because it was cancelled.
template <class T>
bool was_cancelled(ContextThread::Started<T>& started) {
  try {
    static_cast<void>(started.result.get());
    return false;
  } catch (const boost::system::system_error& ended) {
    return ended.code() == asio::error::operation_aborted;
  }
}

}  // namespace inthub::testing_support
