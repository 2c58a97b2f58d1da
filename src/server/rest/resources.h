#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/rest/rest_api.h"

namespace inthub {

// Each file of this folder adds the routes of its resource.

void add_system_routes(Router& router, const RestDependencies& dependencies);
void add_integration_type_routes(Router& router, const RestDependencies& dependencies);
void add_integration_routes(Router& router, const RestDependencies& dependencies);
void add_operation_routes(Router& router, const RestDependencies& dependencies);

/// A member coroutine as a handler: `resource` lives as long as the handler, and the handler as long as the router.
template <class Resource>
Handler bind_handler(std::shared_ptr<const Resource> resource,
                     Task<ServerResponse> (Resource::*method)(ServerRequest&) const) {
  return [resource = std::move(resource), method](ServerRequest& request) { return ((*resource).*method)(request); };
}

/// As Route's members, in its order.
void add_route(Router& router, std::string method, std::string path, std::optional<Permission> needs, Handler handler,
               bool takes_body = false);

/// The first {placeholder} as an integration's id. Errors: not_found, as for an id that is unknown.
Result<IntegrationId> integration_id_of(const ServerRequest& request);

}  // namespace inthub
