#pragma once

#include <functional>
#include <string>

#include "server/http/router.h"

namespace inthub {

class ConnectorRegistry;
class IntegrationManager;
class Metrics;
class Store;

struct RestDependencies {
  IntegrationManager& integrations;
  const ConnectorRegistry& connectors;
  Store& store;
  const Clock& clock;
  Metrics& metrics;
  /// Warnings that /readyz and the log must show ("outbound loopback addresses are allowed").
  std::function<std::vector<std::string>()> degraded_modes;
};

/// Every route of the hub. One file per resource adds its own: integration_types.cc, integrations.cc, operations.cc,
/// system.cc.
Router make_rest_router(const RestDependencies& dependencies);

/// api/openapi.yaml as JSON, embedded at build time.
std::string_view openapi_json();

}  // namespace inthub
