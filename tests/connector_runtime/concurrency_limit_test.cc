#include "connector_runtime/concurrency_limit.h"

#include <vector>

#include <gtest/gtest.h>

#include "context_thread.h"
#include "support/run_task.h"

namespace inthub {
namespace {

using Permit = ConcurrencyLimit::Permit;
using testing_support::ContextThread;
using testing_support::run_task;
using testing_support::was_cancelled;

constexpr ConcurrencyLimit::Key kKey{};

/// Waits, on the limit's own book-keeping, until `count` calls are queued.
Task<void> until_waiting(const ConcurrencyLimit& limit, std::size_t count) {
  while (limit.waiting(kKey) != count) co_await yield_to_context();
}

TEST(ConcurrencyLimit, CallsBeyondTheLimitAreServedInOrder) {
  ConcurrencyLimit limit({.at_once = 1, .waiting = 4});
  ContextThread thread;
  auto held = thread.run(limit.acquire(kKey, Deadline::max()));
  ASSERT_TRUE(held);
  std::vector<ContextThread::Started<Result<Permit>>> waiting;
  for (std::size_t i = 1; i <= 3; ++i) {
    waiting.push_back(thread.start(limit.acquire(kKey, Deadline::max())));
    thread.run(until_waiting(limit, i));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    *held = Permit();  // gives the place to the first in line
    held = waiting.at(i).result.get();
    ASSERT_TRUE(held);
    EXPECT_EQ(limit.waiting(kKey), 2 - i);
  }
  *held = Permit();
  EXPECT_EQ(limit.size(), 0U) << "an idle integration takes no room";
}

TEST(ConcurrencyLimit, AFullQueueRefuses) {
  ConcurrencyLimit limit({.at_once = 1, .waiting = 1});
  ContextThread thread;
  auto held = thread.run(limit.acquire(kKey, Deadline::max()));
  auto waiting = thread.start(limit.acquire(kKey, Deadline::max()));
  thread.run(until_waiting(limit, 1));
  const auto refused = thread.run(limit.acquire(kKey, Deadline::max()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(refused.error().reason(), "runtime.too_many_calls");
  EXPECT_TRUE(refused.error().retry_after());
  *held = Permit();
  EXPECT_TRUE(waiting.result.get());
}

TEST(ConcurrencyLimit, ACancelledWaiterLosesNoPlace) {
  ConcurrencyLimit limit({.at_once = 1, .waiting = 2});
  ContextThread thread;
  auto held = thread.run(limit.acquire(kKey, Deadline::max()));
  auto cancelled = thread.start(limit.acquire(kKey, Deadline::max()));
  thread.run(until_waiting(limit, 1));
  auto patient = thread.start(limit.acquire(kKey, Deadline::max()));
  thread.run(until_waiting(limit, 2));
  cancelled.cancel();
  EXPECT_TRUE(was_cancelled(cancelled));
  EXPECT_EQ(limit.waiting(kKey), 1U);
  *held = Permit();
  EXPECT_TRUE(patient.result.get());
  EXPECT_EQ(limit.size(), 0U);
}

TEST(ConcurrencyLimit, TheDeadlineEndsAWait) {
  ConcurrencyLimit limit({.at_once = 1, .waiting = 2});
  const auto held = run_task(limit.acquire(kKey, Deadline::max()));
  const auto late = run_task(limit.acquire(kKey, std::chrono::steady_clock::now()));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::deadline_exceeded);
  EXPECT_EQ(limit.waiting(kKey), 0U);
}

TEST(ConcurrencyLimit, IntegrationsDoNotShareALimit) {
  ConcurrencyLimit limit({.at_once = 1, .waiting = 0});
  const auto one = run_task(limit.acquire({TenantId(), IntegrationId(Uuid{{1}})}, Deadline::max()));
  const auto two = run_task(limit.acquire({TenantId(), IntegrationId(Uuid{{2}})}, Deadline::max()));
  EXPECT_TRUE(one);
  EXPECT_TRUE(two);
}

}  // namespace
}  // namespace inthub
