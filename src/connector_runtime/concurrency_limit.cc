#include "connector_runtime/concurrency_limit.h"

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace inthub {
namespace {

struct KeyHash {
  std::size_t operator()(const ConcurrencyLimit::Key& key) const noexcept {
    return std::hash<TenantId>{}(key.tenant) * 31 + std::hash<IntegrationId>{}(key.integration);
  }
};

}  // namespace

struct ConcurrencyLimit::Table : std::enable_shared_from_this<Table> {
  struct Waiter {
    std::uint64_t number = 0;
    OneShot<Permit> turn;
  };
  struct Entry {
    std::size_t running = 0;
    std::list<Waiter> queue;
  };

  explicit Table(Options given) : options(given) {}

  void release(const Key& key) {
    std::optional<OneShot<Permit>> next;
    {
      const std::scoped_lock lock(mutex);
      const auto found = entries.find(key);
      if (found == entries.end()) return;
      Entry& entry = found->second;
      if (!entry.queue.empty()) {  // the place goes over to the first in line; `running` stays
        next = std::move(entry.queue.front().turn);
        entry.queue.pop_front();
      } else if (--entry.running == 0) {
        entries.erase(found);
      }
    }
    // If the waiter is gone by now, the permit dies with the OneShot and comes back here.
    if (next) next->set(Permit(shared_from_this(), key));
  }

  void leave(const Key& key, std::uint64_t number) {
    const std::scoped_lock lock(mutex);
    const auto found = entries.find(key);
    if (found == entries.end()) return;
    std::erase_if(found->second.queue, [number](const Waiter& waiter) { return waiter.number == number; });
  }

  const Options options;
  mutable std::mutex mutex;
  std::uint64_t next_number = 0;
  std::unordered_map<Key, Entry, KeyHash> entries;
};

ConcurrencyLimit::Permit& ConcurrencyLimit::Permit::operator=(Permit&& other) noexcept {
  if (this != &other) {
    release();
    table_ = std::move(other.table_);
    key_ = other.key_;
  }
  return *this;
}

ConcurrencyLimit::Permit::~Permit() {
  release();
}

void ConcurrencyLimit::Permit::release() {
  if (const auto table = std::exchange(table_, nullptr)) table->release(key_);
}

ConcurrencyLimit::ConcurrencyLimit(Options options) : table_(std::make_shared<Table>(options)) {}

Task<Result<ConcurrencyLimit::Permit>> ConcurrencyLimit::acquire(Key key, Deadline deadline) {
  const auto table = table_;
  OneShot<Permit> turn;
  std::uint64_t number = 0;
  {
    const std::scoped_lock lock(table->mutex);
    Table::Entry& entry = table->entries[key];
    if (entry.running < table->options.at_once) {
      ++entry.running;
      co_return Permit(table, key);
    }
    if (entry.queue.size() >= table->options.waiting) {
      co_return fail(Error(ErrorCode::unavailable,
                           fmt::format("{} calls of this integration are running and {} are waiting; no more are taken",
                                       entry.running, entry.queue.size()))
                         .with_reason("runtime.too_many_calls")
                         .with_remedy("ask less often, or let callers share answers instead of asking for fresh ones")
                         .with_retry_after(std::chrono::seconds(1)));
    }
    number = table->next_number++;
    entry.queue.push_back(Table::Waiter{number, turn});
  }
  struct Leave {
    const std::shared_ptr<Table>& table;
    const Key& key;
    std::uint64_t number;
    ~Leave() { table->leave(key, number); }
  };
  const Leave leave{table, key, number};
  std::optional<Permit> permit = co_await turn.wait(deadline);
  if (!permit) {
    co_return fail(
        Error(ErrorCode::deadline_exceeded,
              fmt::format("the deadline passed while waiting for one of the {} calls that an integration may "
                          "have running at once",
                          table->options.at_once))
            .with_reason("runtime.no_free_slot")
            .with_remedy("the vendor answers slowly or is asked too often: test the connection, ask less often"));
  }
  co_return std::move(*permit);
}

std::size_t ConcurrencyLimit::size() const {
  const std::scoped_lock lock(table_->mutex);
  return table_->entries.size();
}

std::size_t ConcurrencyLimit::waiting(Key key) const {
  const std::scoped_lock lock(table_->mutex);
  const auto found = table_->entries.find(key);
  return found == table_->entries.end() ? 0 : found->second.queue.size();
}

}  // namespace inthub
