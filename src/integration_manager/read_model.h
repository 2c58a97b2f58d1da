#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <unordered_map>

#include "foundation/ids.h"
#include "integration_manager/integration_manager.h"

namespace inthub {

/// Rendered integrations in front of the database: a read through the database costs more than the rest of a request.
/// Filled on demand; at most 20,000 entries, the least recently loaded go first. Thread-safe.
///
/// A load that began before a change must not put back what the change made stale, so a load holds a ticket, and a
/// ticket taken before a change() of the same shard stores nothing.
class ReadModel {
 public:
  struct Ticket {
    std::uint64_t generation = 0;
  };
  IntegrationViewPtr find(TenantId tenant, IntegrationId id) const;
  Ticket begin_load(IntegrationId id) const;
  void finish_load(Ticket ticket, IntegrationViewPtr view);
  /// The stored integration changed, or is gone. Call after the commit.
  void changed(IntegrationId id);
  std::size_t size() const;

 private:
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kMaxEntries = 20'000;
  struct Entry {
    IntegrationViewPtr view;
    std::list<IntegrationId>::iterator position;
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<IntegrationId, Entry> entries;
    std::list<IntegrationId> order;  // oldest load first
    std::uint64_t generation = 0;
  };
  Shard& shard(IntegrationId id) { return shards_[std::hash<IntegrationId>{}(id) % kShards]; }
  const Shard& shard(IntegrationId id) const { return shards_[std::hash<IntegrationId>{}(id) % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace inthub
