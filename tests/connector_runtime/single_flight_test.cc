#include "connector_runtime/single_flight.h"

#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "context_thread.h"

namespace inthub {
namespace {

using testing_support::ContextThread;
using testing_support::was_cancelled;
using Flights = SingleFlight<std::string, std::string>;

std::string name_exception(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error&) {
    return "cancelled";
  } catch (const std::exception& failure) {
    return failure.what();
  }
}

/// Work that waits until the test opens the gate, and counts how often it began and how often it was cut off.
struct Gate {
  std::atomic<int> begun{0};
  std::atomic<int> cancelled{0};
  OneShot<std::string> opened;
  OneShot<bool> cut_off;

  Flights::Call call(std::string key, bool fresh = false, Deadline deadline = Deadline::max()) {
    Flights::Call made;
    made.key = std::move(key);
    made.fresh = fresh;
    made.deadline = deadline;
    made.work = [this](const std::shared_ptr<FlightProgress>&) { return wait(); };
    return made;
  }
  Task<std::string> wait() {
    ++begun;
    try {
      auto value = co_await opened.wait(Deadline::max());
      co_return value.value_or("no value");
    } catch (...) {
      ++cancelled;
      cut_off.set(true);
      throw;
    }
  }
  Task<void> until_begun(int count) {
    while (begun != count) co_await yield_to_context();
  }
};

class SingleFlightTest : public testing::Test {
 protected:
  void TearDown() override { worker_.run(scope_.cancel_and_join()); }

  ContextThread worker_;
  ContextThread caller_a_;
  ContextThread caller_b_;
  TaskScope scope_{worker_.context()};
  Flights flights_{scope_, &name_exception};
};

TEST_F(SingleFlightTest, IdenticalCallsFromSeveralThreadsShareOnePieceOfWork) {
  Gate gate;
  std::vector<ContextThread::Started<Flights::Outcome>> calls;
  calls.reserve(100);
  for (int i = 0; i < 100; ++i) {
    calls.push_back((i % 2 == 0 ? caller_a_ : caller_b_).start(flights_.run(gate.call("key"))));
  }
  caller_a_.run(gate.until_begun(1));
  // Both callers' contexts have run every start() above once they have run these.
  caller_a_.run(yield_to_context());
  caller_b_.run(yield_to_context());
  gate.opened.set("value");
  int shared = 0;
  for (auto& call : calls) {
    const auto outcome = call.result.get();
    EXPECT_EQ(outcome.value, "value");
    shared += outcome.shared ? 1 : 0;
  }
  EXPECT_EQ(gate.begun, 1);
  EXPECT_EQ(shared, 99);
  EXPECT_EQ(flights_.size(), 0U);
}

TEST_F(SingleFlightTest, DifferentKeysDoNotShare) {
  Gate gate_a;
  Gate gate_b;
  auto a = caller_a_.start(flights_.run(gate_a.call("a")));
  auto b = caller_a_.start(flights_.run(gate_b.call("b")));
  gate_a.opened.set("1");
  gate_b.opened.set("2");
  EXPECT_EQ(a.result.get().value, "1");
  EXPECT_EQ(b.result.get().value, "2");
}

TEST_F(SingleFlightTest, TheFirstCallersCancellationDoesNotEndTheWork) {
  Gate gate;
  auto first = caller_a_.start(flights_.run(gate.call("key")));
  caller_a_.run(gate.until_begun(1));
  auto second = caller_b_.start(flights_.run(gate.call("key")));
  caller_b_.run(yield_to_context());
  first.cancel();
  EXPECT_TRUE(was_cancelled(first));
  gate.opened.set("value");
  EXPECT_EQ(second.result.get().value, "value");
  EXPECT_EQ(gate.cancelled, 0);
}

TEST_F(SingleFlightTest, WhenTheLastCallerHasLeftTheWorkIsCancelled) {
  Gate gate;
  auto first = caller_a_.start(flights_.run(gate.call("key")));
  caller_a_.run(gate.until_begun(1));
  auto second = caller_b_.start(flights_.run(gate.call("key")));
  caller_b_.run(yield_to_context());
  first.cancel();
  second.cancel();
  EXPECT_TRUE(was_cancelled(first));
  EXPECT_TRUE(was_cancelled(second));
  EXPECT_TRUE(caller_a_.run(gate.cut_off.wait(Deadline::max())));
  EXPECT_EQ(flights_.size(), 0U);
}

TEST_F(SingleFlightTest, ACallerThatComesAfterTheLastHasLeftBeginsNewWork) {
  Gate abandoned;
  auto first = caller_a_.start(flights_.run(abandoned.call("key")));
  caller_a_.run(abandoned.until_begun(1));
  first.cancel();
  EXPECT_TRUE(was_cancelled(first));
  Gate gate;
  gate.opened.set("new");
  EXPECT_EQ(caller_a_.run(flights_.run(gate.call("key"))).value, "new");
}

TEST_F(SingleFlightTest, EachCallerHasItsOwnDeadlineAndTheWorkTheLatest) {
  Gate gate;
  const auto soon = std::chrono::steady_clock::now();
  std::shared_ptr<FlightProgress> progress;
  Flights::Call call = gate.call("key", false, soon);
  call.work = [&](std::shared_ptr<FlightProgress> given) {
    progress = std::move(given);
    return gate.wait();
  };
  auto impatient = caller_a_.start(flights_.run(std::move(call)));
  caller_a_.run(gate.until_begun(1));
  const auto late = soon + std::chrono::hours(1);
  auto patient = caller_b_.start(flights_.run(gate.call("key", false, late)));
  caller_b_.run(yield_to_context());
  EXPECT_EQ(progress->deadline(), late);
  EXPECT_EQ(impatient.result.get().value, std::nullopt);
  gate.opened.set("value");
  EXPECT_EQ(patient.result.get().value, "value");
}

TEST_F(SingleFlightTest, WhatTheWorkThrowsBecomesEverybodysValue) {
  Flights::Call call;
  call.key = "key";
  call.deadline = Deadline::max();
  call.work = [](const std::shared_ptr<FlightProgress>&) -> Task<std::string> { throw std::runtime_error("broken"); };
  EXPECT_EQ(caller_a_.run(flights_.run(std::move(call))).value, "broken");
}

TEST_F(SingleFlightTest, AFreshCallDoesNotJoinOrdinaryWorkButOthersJoinItsOwn) {
  Gate ordinary;
  Gate fresh;
  std::vector<std::string> published;
  const auto publishing = [&](Flights::Call call) {
    call.publish = [&](const std::string& value) { published.push_back(value); };
    return call;
  };
  auto old = caller_a_.start(flights_.run(publishing(ordinary.call("key"))));
  caller_a_.run(ordinary.until_begun(1));
  auto renewed = caller_a_.start(flights_.run(publishing(fresh.call("key", true))));
  caller_a_.run(fresh.until_begun(1));
  auto joined = caller_b_.start(flights_.run(publishing(ordinary.call("key"))));
  caller_b_.run(yield_to_context());
  fresh.opened.set("new");
  EXPECT_EQ(renewed.result.get().value, "new");
  EXPECT_EQ(joined.result.get().value, "new");
  ordinary.opened.set("old");
  EXPECT_EQ(old.result.get().value, "old");
  EXPECT_EQ(published, std::vector<std::string>{"new"}) << "the older work must not overwrite the newer answer";
}

TEST_F(SingleFlightTest, DetachedWorkIsNeitherJoinedNorPublished) {
  Gate gate;
  bool published = false;
  Flights::Call call = gate.call("key");
  call.publish = [&](const std::string&) { published = true; };
  auto old = caller_a_.start(flights_.run(std::move(call)));
  caller_a_.run(gate.until_begun(1));
  flights_.detach_if([](const std::string& key) { return key == "key"; });
  Gate next;
  next.opened.set("next");
  EXPECT_EQ(caller_a_.run(flights_.run(next.call("key"))).value, "next");
  gate.opened.set("old");
  EXPECT_EQ(old.result.get().value, "old");
  EXPECT_FALSE(published);
}

TEST_F(SingleFlightTest, StoppingTheScopeAnswersThoseWhoWaitAndThoseWhoComeLater) {
  Gate gate;
  auto waiting = caller_a_.start(flights_.run(gate.call("key")));
  caller_a_.run(gate.until_begun(1));
  caller_b_.run(scope_.cancel_and_join());
  EXPECT_EQ(waiting.result.get().value, "cancelled");
  EXPECT_EQ(caller_a_.run(flights_.run(gate.call("key"))).value, "cancelled");
}

}  // namespace
}  // namespace inthub
