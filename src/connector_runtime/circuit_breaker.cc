#include "connector_runtime/circuit_breaker.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace inthub {

std::size_t CircuitBreaker::KeyHash::operator()(const Key& key) const noexcept {
  return std::hash<IntegrationId>{}(key.integration) * 31 + std::hash<std::string>{}(key.origin);
}

struct CircuitBreaker::Table {
  using Instant = std::chrono::steady_clock::time_point;
  struct Entry {
    int failures = 0;  // in a row
    bool open = false;
    bool probing = false;
    Instant open_until;
    std::chrono::seconds pause{0};
    Instant changed;
    std::string cause;
  };

  Table(const Clock& used, Options given) : clock(used), options(given) {}

  void open(Entry& entry, Instant now) {
    entry.pause = entry.open ? std::min(entry.pause * 2, options.longest_pause) : options.first_pause;
    entry.open = true;
    entry.open_until = now + entry.pause;
  }

  Entry& entry_for(const Key& key) {
    const auto found = entries.find(key);
    if (found != entries.end()) return found->second;
    if (entries.size() >= options.max_entries) {
      entries.erase(std::ranges::min_element(entries, {}, [](const auto& item) { return item.second.changed; }));
    }
    return entries[key];
  }

  const Clock& clock;
  const Options options;
  mutable std::mutex mutex;
  std::unordered_map<Key, Entry, KeyHash> entries;
};

CircuitBreaker::Passage::Passage(std::shared_ptr<Table> table, Key key, bool probe)
    : table_(std::move(table)), key_(std::move(key)), probe_(probe) {}

CircuitBreaker::Passage& CircuitBreaker::Passage::operator=(Passage&& other) noexcept {
  if (this != &other) {
    release();
    table_ = std::move(other.table_);
    key_ = std::move(other.key_);
    probe_ = other.probe_;
  }
  return *this;
}

CircuitBreaker::Passage::~Passage() {
  release();
}

void CircuitBreaker::Passage::release() {
  const auto table = std::exchange(table_, nullptr);
  if (!table || !probe_) return;
  const std::scoped_lock lock(table->mutex);
  if (const auto found = table->entries.find(key_); found != table->entries.end()) found->second.probing = false;
}

void CircuitBreaker::Passage::succeeded() {
  const auto table = std::exchange(table_, nullptr);
  if (!table) return;
  const std::scoped_lock lock(table->mutex);
  table->entries.erase(key_);
}

bool CircuitBreaker::Passage::failed(const std::string& cause) {
  const auto table = std::exchange(table_, nullptr);
  if (!table) return false;
  const auto now = table->clock.steady_now();
  const std::scoped_lock lock(table->mutex);
  Table::Entry& entry = table->entry_for(key_);
  entry.cause = cause;
  entry.changed = now;
  ++entry.failures;
  if (probe_) entry.probing = false;
  if (entry.open) {
    // A straggler that began before the breaker opened says nothing new; after the pause, any failure is a failed
    // probe.
    if (now < entry.open_until) return false;
    table->open(entry, now);
    return true;
  }
  if (entry.failures < table->options.failures_to_open) return false;
  table->open(entry, now);
  return true;
}

CircuitBreaker::CircuitBreaker(const Clock& clock, Options options) : table_(std::make_shared<Table>(clock, options)) {}

Result<CircuitBreaker::Passage> CircuitBreaker::admit(IntegrationId integration, std::string origin) {
  Key key{integration, std::move(origin)};
  const auto now = table_->clock.steady_now();
  const std::scoped_lock lock(table_->mutex);
  const auto found = table_->entries.find(key);
  if (found == table_->entries.end() || !found->second.open) return Passage(table_, std::move(key), false);
  Table::Entry& entry = found->second;
  if (now >= entry.open_until && !entry.probing) {
    entry.probing = true;
    return Passage(table_, std::move(key), true);
  }
  const auto wait = std::max(std::chrono::ceil<std::chrono::seconds>(entry.open_until - now), std::chrono::seconds(1));
  return fail(
      Error(ErrorCode::unavailable,
            fmt::format("{} failed {} times in a row and is left alone for {} s; the last failure: {}", key.origin,
                        entry.failures, wait.count(), entry.cause))
          .with_reason("breaker.open")
          .with_remedy(
              "wait, or run a connection test, which always asks the vendor and ends the pause when it succeeds")
          .with_retry_after(wait));
}

CircuitBreaker::Passage CircuitBreaker::observe(IntegrationId integration, std::string origin) {
  return {table_, Key{integration, std::move(origin)}, false};
}

CircuitBreaker::State CircuitBreaker::state(IntegrationId integration, const std::string& origin) const {
  const auto now = table_->clock.steady_now();
  const std::scoped_lock lock(table_->mutex);
  const auto found = table_->entries.find(Key{integration, origin});
  if (found == table_->entries.end() || !found->second.open) return State::closed;
  return now < found->second.open_until ? State::open : State::half_open;
}

void CircuitBreaker::forget(IntegrationId integration) {
  const std::scoped_lock lock(table_->mutex);
  std::erase_if(table_->entries, [integration](const auto& item) { return item.first.integration == integration; });
}

std::size_t CircuitBreaker::size() const {
  const std::scoped_lock lock(table_->mutex);
  return table_->entries.size();
}

}  // namespace inthub
