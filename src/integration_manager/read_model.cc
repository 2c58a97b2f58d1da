#include "integration_manager/read_model.h"

namespace inthub {

IntegrationViewPtr ReadModel::find(TenantId tenant, IntegrationId id) const {
  const Shard& at = shard(id);
  const std::scoped_lock lock(at.mutex);
  const auto found = at.entries.find(id);
  if (found == at.entries.end() || found->second.view->integration.tenant != tenant) return nullptr;
  return found->second.view;
}

ReadModel::Ticket ReadModel::begin_load(IntegrationId id) const {
  const Shard& at = shard(id);
  const std::scoped_lock lock(at.mutex);
  return Ticket{at.generation};
}

void ReadModel::finish_load(Ticket ticket, IntegrationViewPtr view) {
  const IntegrationId id = view->integration.id;
  Shard& at = shard(id);
  const std::scoped_lock lock(at.mutex);
  if (at.generation != ticket.generation) return;
  if (const auto found = at.entries.find(id); found != at.entries.end()) {
    found->second.view = std::move(view);
    at.order.splice(at.order.end(), at.order, found->second.position);
    return;
  }
  if (at.entries.size() >= kMaxEntries / kShards) {
    at.entries.erase(at.order.front());
    at.order.pop_front();
  }
  at.order.push_back(id);
  at.entries.emplace(id, Entry{.view = std::move(view), .position = std::prev(at.order.end())});
}

void ReadModel::changed(IntegrationId id) {
  Shard& at = shard(id);
  const std::scoped_lock lock(at.mutex);
  ++at.generation;
  if (const auto found = at.entries.find(id); found != at.entries.end()) {
    at.order.erase(found->second.position);
    at.entries.erase(found);
  }
}

std::size_t ReadModel::size() const {
  std::size_t total = 0;
  for (const Shard& at : shards_) {
    const std::scoped_lock lock(at.mutex);
    total += at.entries.size();
  }
  return total;
}

}  // namespace inthub
