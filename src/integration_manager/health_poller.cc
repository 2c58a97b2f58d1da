#include "integration_manager/health_poller.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <vector>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "foundation/log.h"
#include "foundation/metrics.h"
#include "persistence/store.h"

namespace inthub {
namespace {

constexpr std::chrono::seconds kConfirmation{15};
constexpr std::chrono::seconds kAfterFailure{30};
constexpr std::uint16_t kEqualBeforeSlowing = 10;
constexpr int kLoadPage = 1000;
constexpr std::chrono::seconds kLoadRetry{5};

}  // namespace

void PollHistory::add(HealthStatus observed) {
  if (observed == last) {
    if (equal_in_a_row < UINT16_MAX) ++equal_in_a_row;
  } else {
    last = observed;
    equal_in_a_row = 1;
  }
}

std::chrono::milliseconds next_poll_delay(const PollHistory& history, std::chrono::seconds usual,
                                          std::chrono::seconds slowest, double jitter) {
  std::chrono::milliseconds delay = usual;
  if (history.equal_in_a_row <= 1) {
    delay = std::min<std::chrono::milliseconds>(kConfirmation, usual);
  } else if (history.last == HealthStatus::unhealthy) {
    const int doublings = std::min<int>(history.equal_in_a_row - 2, 10);
    delay = std::min<std::chrono::milliseconds>(kAfterFailure, usual) * (1 << doublings);
  } else if (history.equal_in_a_row > kEqualBeforeSlowing) {
    delay = usual * (1 << std::min<int>(history.equal_in_a_row - kEqualBeforeSlowing, 10));
  }
  delay = std::min<std::chrono::milliseconds>(delay, slowest);
  const double factor = 0.9 + 0.2 * jitter;
  return std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(delay.count()) * factor));
}

struct HealthPoller::Impl : std::enable_shared_from_this<HealthPoller::Impl> {
  struct Entry {
    TenantId tenant;
    PollHistory history;
    bool in_flight = false;
    bool poll_again = false;     // it changed while its poll was under way
    std::uint32_t schedule = 0;  // the queue entry that counts; older ones are skipped
  };
  struct Due {
    std::chrono::steady_clock::time_point at;
    IntegrationId id;
    std::uint32_t schedule = 0;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  asio::io_context& context;
  IntegrationManager& manager;
  Store& store;
  Options options;
  const Clock& clock;
  RandomSource& random;
  TaskScope tasks;
  // On the context's thread only:
  std::unordered_map<IntegrationId, Entry> entries;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue;
  std::size_t in_flight = 0;
  bool stopped = false;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, IoExecutor> wake;
  Counter& polls;
  Counter& failed_polls;
  Gauge& watched;
  Gauge& running;

  Impl(asio::io_context& used, IntegrationManager& manages, Store& stores, Options chosen, const Clock& time,
       RandomSource& randomness, Metrics& metrics)
      : context(used),
        manager(manages),
        store(stores),
        options(chosen),
        clock(time),
        random(randomness),
        tasks(used),
        wake(used.get_executor()),
        polls(metrics.counter("inthub_health_polls_total", "Background health checks made")),
        failed_polls(metrics.counter("inthub_health_polls_failed_total",
                                     "Background health checks that the hub itself could not make or store")),
        watched(metrics.gauge("inthub_health_watched_integrations", "Integrations that are polled")),
        running(metrics.gauge("inthub_health_polls_in_flight", "Background health checks under way")) {}

  double jitter() { return static_cast<double>(random.below(1U << 20)) / static_cast<double>(1U << 20); }

  void schedule(IntegrationId id, Entry& entry, std::chrono::milliseconds delay) {
    queue.push(Due{.at = std::chrono::steady_clock::now() + delay, .id = id, .schedule = ++entry.schedule});
    arm();
  }

  /// Starts what is due and sets the timer for what is next.
  void arm() {
    while (!stopped && !queue.empty() && in_flight < options.max_in_flight) {
      const Due next = queue.top();
      const auto found = entries.find(next.id);
      if (found == entries.end() || found->second.schedule != next.schedule) {
        queue.pop();
        continue;
      }
      if (next.at > std::chrono::steady_clock::now()) break;
      queue.pop();
      launch(next.id, found->second);
    }
    if (stopped || queue.empty() || in_flight >= options.max_in_flight) return;  // a poll that ends arms again
    wake.expires_at(queue.top().at);
    wake.async_wait([self = weak_from_this()](const boost::system::error_code& ended) {
      if (const auto alive = self.lock(); alive && !ended) alive->arm();
    });
  }

  void launch(IntegrationId id, Entry& entry) {
    entry.in_flight = true;
    ++in_flight;
    running.set(static_cast<double>(in_flight));
    const TenantId tenant = entry.tenant;
    // Refused only once stop() has begun, after which nothing is due any more.
    tasks.spawn([self = shared_from_this(), tenant, id] { return poll(self, tenant, id); });
  }

  /// The slot is given back however the poll ends, an exception and cancellation included.
  struct Slot {
    std::shared_ptr<Impl> owner;
    IntegrationId id;
    std::optional<Result<std::shared_ptr<const HealthReport>>> outcome;
    Slot(std::shared_ptr<Impl> poller, IntegrationId polled) : owner(std::move(poller)), id(polled) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    // Posted, because finishing may start the next poll, which must not run inside this coroutine's end.
    ~Slot() {
      asio::post(owner->context, [self = owner, polled = id, result = std::move(outcome)]() mutable {
        self->finish(polled, std::move(result));
      });
    }
  };

  static Task<void> poll(std::shared_ptr<Impl> self, TenantId tenant, IntegrationId id) {
    Slot slot(self, id);
    CallOptions call;
    call.deadline = std::chrono::steady_clock::now() + self->options.timeout;
    call.fresh = true;
    slot.outcome = co_await self->manager.poll(tenant, id, std::move(call));
  }

  void finish(IntegrationId id, std::optional<Result<std::shared_ptr<const HealthReport>>> outcome) {
    --in_flight;
    running.set(static_cast<double>(in_flight));
    polls.add();
    const auto found = entries.find(id);
    if (found == entries.end()) {
      arm();
      return;
    }
    Entry& entry = found->second;
    entry.in_flight = false;
    if (outcome && *outcome) {
      entry.history.add((**outcome)->status);
    } else if (outcome && outcome->error().code() == ErrorCode::not_found) {
      entries.erase(found);
      watched.set(static_cast<double>(entries.size()));
      arm();
      return;
    } else {
      failed_polls.add();
    }
    const bool again = std::exchange(entry.poll_again, false);
    schedule(id, entry,
             again ? std::chrono::milliseconds(0)
                   : next_poll_delay(entry.history, options.usual_interval, options.slowest_interval, jitter()));
  }

  static Task<void> load(std::shared_ptr<Impl> self) {
    IntegrationId after;
    while (true) {
      auto page = co_await self->store.integrations().poll_targets(after, kLoadPage);
      if (!page) {
        log::warning("the health poller cannot read the store; trying again", {{"reason", page.error().reason()}});
        co_await sleep_for(kLoadRetry);
        continue;
      }
      if (page->empty()) co_return;
      after = page->back().id;
      for (const PollTarget& target : *page) {
        const auto [found, added] = self->entries.try_emplace(
            target.id,
            Entry{.tenant = target.tenant, .history = {}, .in_flight = false, .poll_again = false, .schedule = 0});
        if (!added) continue;
        const auto spread = static_cast<double>(std::chrono::milliseconds(self->options.usual_interval).count());
        self->schedule(target.id, found->second,
                       std::chrono::milliseconds(static_cast<std::int64_t>(spread * self->jitter())));
      }
      self->watched.set(static_cast<double>(self->entries.size()));
    }
  }

  void change(TenantId tenant, IntegrationId id, IntegrationManager::Change what) {
    if (what == IntegrationManager::Change::removed) {
      entries.erase(id);
    } else {
      const auto [found, added] = entries.try_emplace(
          id, Entry{.tenant = tenant, .history = {}, .in_flight = false, .poll_again = false, .schedule = 0});
      Entry& entry = found->second;
      entry.history = {};
      if (entry.in_flight) {
        entry.poll_again = true;
      } else {
        schedule(id, entry, std::chrono::milliseconds(0));
      }
    }
    watched.set(static_cast<double>(entries.size()));
  }
};

HealthPoller::HealthPoller(asio::io_context& context, IntegrationManager& manager, Store& store, Options options,
                           const Clock& clock, RandomSource& random, Metrics& metrics)
    : impl_(std::make_shared<Impl>(context, manager, store, options, clock, random, metrics)) {}
HealthPoller::~HealthPoller() = default;

void HealthPoller::start() {
  impl_->tasks.spawn([self = impl_] { return Impl::load(self); });
}

void HealthPoller::on_change(TenantId tenant, IntegrationId id, IntegrationManager::Change change) {
  asio::dispatch(impl_->context, [self = impl_, tenant, id, change] { self->change(tenant, id, change); });
}

Task<void> HealthPoller::stop() {
  asio::dispatch(impl_->context, [self = impl_] {
    self->stopped = true;
    self->wake.cancel();
  });
  co_await impl_->tasks.cancel_and_join();
}

}  // namespace inthub
