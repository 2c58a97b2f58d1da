#include "foundation/task.h"

#include <stdexcept>
#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "support/run_task.h"

namespace inthub {
namespace {

using namespace std::chrono_literals;
using testing_support::run_task;

/// Waits for what never comes; only cancellation ends it.
Task<void> wait_forever() {
  co_await OneShot<int>().wait(Deadline::max());
}

/// An io_context run by a thread of its own until this object goes.
class ContextThread {
 public:
  ContextThread() : work_(asio::make_work_guard(context)), thread_([this] { context.run(); }) {}
  ContextThread(const ContextThread&) = delete;
  ContextThread& operator=(const ContextThread&) = delete;
  ~ContextThread() { work_.reset(); }
  asio::io_context context{1};

 private:
  asio::executor_work_guard<IoExecutor> work_;
  std::jthread thread_;
};

TEST(OneShot, AValueSetBeforeTheWaitIsReceived) {
  const OneShot<std::string> shot;
  EXPECT_TRUE(shot.set("a"));
  EXPECT_FALSE(shot.set("b")) << "the first call wins";
  EXPECT_EQ(run_task(shot.wait(Deadline::max())), "a");
}

TEST(OneShot, AValueSetDuringTheWaitIsReceived) {
  asio::io_context context(1);
  const OneShot<std::unique_ptr<int>> shot;
  asio::post(context, [shot] { shot.set(std::make_unique<int>(7)); });
  const auto value = run_task(context, shot.wait(Deadline::max()));
  ASSERT_TRUE(value.has_value());
  if (value) EXPECT_EQ(**value, 7);
}

TEST(OneShot, ADeadlineInThePastGivesNothing) {
  EXPECT_FALSE(run_task(OneShot<int>().wait(std::chrono::steady_clock::now() - 1s)));
}

TEST(OneShot, ADeadlineInThePastStillGivesAValueThatIsThere) {
  const OneShot<int> shot;
  shot.set(7);
  EXPECT_EQ(run_task(shot.wait(std::chrono::steady_clock::now() - 1s)), 7);
}

TEST(OneShot, ADeadlineThatPassesDuringTheWaitGivesNothing) {
  EXPECT_FALSE(run_task(OneShot<int>().wait(std::chrono::steady_clock::now() + 1ms)));
}

TEST(OneShot, ValuesCrossThreadsHoweverTheyRace) {
  ContextThread other;
  for (int i = 0; i < 2000; ++i) {
    const OneShot<int> shot;
    asio::post(other.context, [shot, i] { shot.set(i); });
    EXPECT_EQ(run_task(shot.wait(Deadline::max())), i);
  }
}

TEST(OneShot, ASenderMayOutliveTheWaitersContext) {
  const OneShot<int> shot;
  {
    asio::io_context context(1);
    asio::co_spawn(
        context.get_executor(), [](OneShot<int> waited) -> Task<void> { co_await waited.wait(Deadline::max()); }(shot),
        [](const std::exception_ptr&) {});
    context.poll();
  }
  EXPECT_TRUE(shot.set(1));
}

TEST(OneShot, CancellingTheWaiterThrowsOperationAborted) {
  asio::io_context context(1);
  asio::cancellation_signal signal;
  std::exception_ptr thrown;
  asio::co_spawn(context.get_executor(), wait_forever(),
                 asio::bind_cancellation_slot(signal.slot(), [&](const std::exception_ptr& error) { thrown = error; }));
  context.poll();
  signal.emit(asio::cancellation_type::terminal);
  context.restart();
  context.poll();
  ASSERT_TRUE(thrown);
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& error) {
    EXPECT_EQ(error.code(), asio::error::operation_aborted);
  }
}

TEST(Sleep, EndsAtItsDeadline) {
  const auto before = std::chrono::steady_clock::now();
  run_task(sleep_for(2ms));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 2ms);
  run_task(sleep_until(before));
}

TEST(YieldToContext, LetsWaitingWorkRunFirst) {
  asio::io_context context(1);
  bool ran = false;
  asio::post(context, [&] { ran = true; });
  run_task(context, yield_to_context());
  EXPECT_TRUE(ran);
}

TEST(TaskScope, RunsWhatItIsGivenAndCountsIt) {
  asio::io_context context(1);
  TaskScope scope(context);
  int ran = 0;
  const auto count =
      [&ran]() -> Task<void> {  // NOLINT(cppcoreguidelines-avoid-capturing-lambda-coroutines): spawn() keeps it
    ++ran;
    co_return;
  };
  EXPECT_TRUE(scope.spawn(count));
  EXPECT_TRUE(scope.spawn(count));
  EXPECT_EQ(scope.size(), 2U);
  context.run();
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(scope.size(), 0U);
}

TEST(TaskScope, CancelAndJoinEndsEveryTaskAndStartsNoMore) {
  asio::io_context context(1);
  TaskScope scope(context);
  int ended = 0;
  struct Guard {
    int& count;
    ~Guard() { ++count; }
  };
  const auto wait =
      [&ended]() -> Task<void> {  // NOLINT(cppcoreguidelines-avoid-capturing-lambda-coroutines): spawn() keeps it
    const Guard guard{ended};
    co_await wait_forever();
  };
  for (int i = 0; i < 3; ++i) scope.spawn(wait);
  context.poll();
  EXPECT_EQ(scope.size(), 3U);
  run_task(context, scope.cancel_and_join());
  EXPECT_EQ(ended, 3);
  EXPECT_EQ(scope.size(), 0U);
  EXPECT_FALSE(scope.spawn(wait));
  run_task(context, scope.cancel_and_join());
}

TEST(TaskScope, ATaskSpawnedButNotYetStartedIsCancelledAsWell) {
  asio::io_context context(1);
  TaskScope scope(context);
  scope.spawn(wait_forever);
  run_task(context, scope.cancel_and_join());
  EXPECT_EQ(scope.size(), 0U);
}

TEST(TaskScope, JoinsFromAnotherThreadWhileTasksAreSpawned) {
  for (int round = 0; round < 50; ++round) {
    ContextThread owner;
    TaskScope scope(owner.context);
    std::atomic<int> started{0};
    std::jthread spawner([&] {
      for (int i = 0; i < 20; ++i) {
        if (scope.spawn(wait_forever)) ++started;
      }
    });
    run_task(scope.cancel_and_join());
    spawner.join();
    run_task(scope.cancel_and_join());
    EXPECT_EQ(scope.size(), 0U) << started;
  }
}

TEST(TaskScope, TwoMayJoinAtOnce) {
  ContextThread owner;
  TaskScope scope(owner.context);
  scope.spawn(wait_forever);
  std::jthread other([&] { run_task(scope.cancel_and_join()); });
  run_task(scope.cancel_and_join());
}

TEST(TaskScope, ATaskMaySpawnAnother) {
  asio::io_context context(1);
  TaskScope scope(context);
  bool ran = false;
  scope.spawn([&]() -> Task<void> {  // NOLINT(cppcoreguidelines-avoid-capturing-lambda-coroutines): spawn() keeps it
    scope.spawn(
        [&ran]() -> Task<void> {  // NOLINT(cppcoreguidelines-avoid-capturing-lambda-coroutines): spawn() keeps it
          ran = true;
          co_return;
        });
    co_return;
  });
  context.run();
  EXPECT_TRUE(ran);
  EXPECT_EQ(scope.size(), 0U);
}

TEST(TaskScope, AnExceptionIsLoggedAndEndsOnlyItsTask) {
  asio::io_context context(1);
  TaskScope scope(context);
  bool other_ran = false;
  testing::internal::CaptureStderr();
  scope.spawn([]() -> Task<void> {
    co_await yield_to_context();
    throw std::runtime_error("the bug's message");
  });
  scope.spawn([]() -> Task<void> { throw boost::system::system_error(asio::error::operation_aborted); });
  scope.spawn(
      [&other_ran]() -> Task<void> {  // NOLINT(cppcoreguidelines-avoid-capturing-lambda-coroutines): spawn() keeps it
        co_await yield_to_context();
        co_await yield_to_context();
        other_ran = true;
      });
  context.run();
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_NE(logged.find("the bug's message"), std::string::npos) << logged;
  EXPECT_EQ(logged.find("cancel"), std::string::npos) << "cancellation is no fault: " << logged;
  EXPECT_TRUE(other_ran);
  EXPECT_EQ(scope.size(), 0U);
}

TEST(TaskScope, AFactoryThatThrowsIsLoggedAndDoesNotBlockTheJoin) {
  asio::io_context context(1);
  TaskScope scope(context);
  testing::internal::CaptureStderr();
  scope.spawn([]() -> Task<void> { throw std::runtime_error("before the first await"); });
  scope.spawn(std::function<Task<void>()>());  // an empty function throws when it is called
  run_task(context, yield_to_context());
  run_task(context, scope.cancel_and_join());
  EXPECT_NE(testing::internal::GetCapturedStderr().find("before the first await"), std::string::npos);
  EXPECT_EQ(scope.size(), 0U);
}

/// Drops its completion handler, so that nothing is left to do.
Task<void> never() {
  constexpr asio::use_awaitable_t<IoExecutor> kToken;
  co_await asio::async_initiate<const asio::use_awaitable_t<IoExecutor>, void()>([](auto&&) {}, kToken);
}

TEST(RunTask, RethrowsAndNoticesWhatCanNeverEnd) {
  EXPECT_THROW(run_task([]() -> Task<int> { throw std::runtime_error("x"); }()), std::runtime_error);
  EXPECT_THROW(run_task(never()), std::logic_error);
}

}  // namespace
}  // namespace inthub
