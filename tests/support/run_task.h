#pragma once

#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <boost/asio/co_spawn.hpp>

#include "foundation/task.h"

namespace inthub::testing_support {

/// Runs `task` to its end on `context` in the calling thread; returns its value or rethrows its exception. Background
/// work of the same context that is still going stays suspended afterwards. Throws std::logic_error when the task waits
/// for something that nothing on the context will ever deliver.
template <class T>
T run_task(asio::io_context& context, Task<T> task) {
  using Slot = std::conditional_t<std::is_void_v<T>, std::optional<bool>, std::optional<T>>;
  Slot value;
  std::exception_ptr error;
  bool ended = false;
  if constexpr (std::is_void_v<T>) {
    asio::co_spawn(context.get_executor(), std::move(task), [&](const std::exception_ptr& thrown) {
      error = thrown;
      ended = true;
    });
  } else {
    // Wrapped, because co_spawn's handler would otherwise need T to be default-constructible.
    asio::co_spawn(
        context.get_executor(),
        [](Task<T> work, Slot& out) -> Task<void> { out.emplace(co_await std::move(work)); }(std::move(task), value),
        [&](const std::exception_ptr& thrown) {
          error = thrown;
          ended = true;
        });
  }
  context.restart();
  while (!ended) {
    if (context.run_one() == 0) throw std::logic_error("the task waits for something that never happens");
  }
  if (error) std::rethrow_exception(error);
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

/// The same on a fresh context of its own.
template <class T>
T run_task(Task<T> task) {
  asio::io_context context(1);
  return run_task(context, std::move(task));
}

}  // namespace inthub::testing_support
