#include "app/built_in_connectors.h"

#include "connectors/oci/oci_connector.h"

namespace inthub {

Result<void> add_built_in_connectors(ConnectorRegistry& registry) {
  for (ConnectorFactory& factory : std::vector<ConnectorFactory>{oci::factory()}) {
    if (auto added = registry.add(std::move(factory)); !added) return added;
  }
  return {};
}

}  // namespace inthub
