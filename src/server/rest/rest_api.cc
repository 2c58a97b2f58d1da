#include "server/rest/rest_api.h"

#include <fmt/format.h>

#include "foundation/redact.h"
#include "server/rest/resources.h"

namespace inthub {
namespace {

constexpr std::size_t kShownIdBytes = 64;

}  // namespace

Router make_rest_router(const RestDependencies& dependencies) {
  Router router;
  add_system_routes(router, dependencies);
  add_integration_type_routes(router, dependencies);
  add_integration_routes(router, dependencies);
  add_operation_routes(router, dependencies);
  return router;
}

void add_route(Router& router, std::string method, std::string path, std::optional<Permission> needs, Handler handler,
               bool takes_body) {
  Route route;
  route.method = std::move(method);
  route.path = std::move(path);
  route.needs = needs;
  route.handler = std::move(handler);
  route.takes_body = takes_body;
  router.add(std::move(route));
}

Result<IntegrationId> integration_id_of(const ServerRequest& request) {
  const std::string& text = request.parameters.front();
  if (const auto id = IntegrationId::parse(text)) return *id;
  return fail(Error(ErrorCode::not_found,
                    fmt::format("there is no integration {}: an id is a UUID", redact(text, {}, kShownIdBytes)))
                  .with_reason("integration.not_found")
                  .with_remedy("GET /api/v1/integrations?name=… finds an integration by its name"));
}

}  // namespace inthub
