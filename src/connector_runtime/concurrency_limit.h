#pragma once

#include <cstddef>
#include <memory>

#include "foundation/ids.h"
#include "foundation/result.h"
#include "foundation/task.h"

namespace inthub {

/// How many calls one integration may have running and waiting. Waiting calls go first come, first served. An
/// integration takes room only while it has calls, so the table is as small as the traffic. Thread-safe.
class ConcurrencyLimit {
 public:
  struct Options {
    std::size_t at_once = 16;
    std::size_t waiting = 256;
  };
  /// The drafts of a tenant, which have a nil id, share one limit.
  struct Key {
    TenantId tenant;
    IntegrationId integration;
    bool operator==(const Key&) const = default;
  };

 private:
  struct Table;

 public:
  /// The right to run; its end lets the next one in. Movable.
  class Permit {
   public:
    Permit() = default;
    Permit(Permit&& other) noexcept = default;
    Permit& operator=(Permit&& other) noexcept;
    ~Permit();

   private:
    friend class ConcurrencyLimit;
    Permit(std::shared_ptr<Table> table, Key key) : table_(std::move(table)), key_(key) {}
    void release();
    std::shared_ptr<Table> table_;
    Key key_;
  };

  ConcurrencyLimit() : ConcurrencyLimit(Options{}) {}
  explicit ConcurrencyLimit(Options options);

  /// Errors: unavailable, reason "runtime.too_many_calls", with retry_after, when the queue is full; deadline_exceeded,
  /// reason "runtime.no_free_slot". Cancelling the waiting coroutine gives its place up.
  Task<Result<Permit>> acquire(Key key, Deadline deadline);
  /// Integrations with calls now.
  std::size_t size() const;
  /// Calls of one integration that wait now.
  std::size_t waiting(Key key) const;

 private:
  std::shared_ptr<Table> table_;
};

}  // namespace inthub
