#include "connectors/integration_type.h"

#include <fmt/format.h>

namespace inthub {

Result<void> ConnectorRegistry::add(ConnectorFactory factory) {
  std::string id = factory.type.id;
  if (const auto known = entries_.find(id); known != entries_.end()) {
    return fail(Error(ErrorCode::conflict, fmt::format("two connectors claim the integration type {}: {} and {}", id,
                                                       known->second->type.source, factory.type.source))
                    .with_reason("integration_type.duplicate")
                    .with_remedy("remove or rename one of them"));
  }
  auto entry = std::make_shared<Entry>();
  entry->type = std::move(factory.type);
  entry->authenticator = std::move(factory.authenticator);
  entry->connector = factory.make();
  entries_.emplace(std::move(id), std::move(entry));
  return {};
}

std::shared_ptr<const ConnectorRegistry::Entry> ConnectorRegistry::find(std::string_view type_id) const {
  const auto found = entries_.find(type_id);
  return found == entries_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const ConnectorRegistry::Entry>> ConnectorRegistry::all() const {
  std::vector<std::shared_ptr<const Entry>> entries;
  entries.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) entries.push_back(entry);
  return entries;
}

}  // namespace inthub
