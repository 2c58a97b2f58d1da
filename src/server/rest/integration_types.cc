#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "connectors/integration_type.h"
#include "foundation/json.h"
#include "foundation/redact.h"
#include "server/rest/json_text.h"
#include "server/rest/pagination.h"
#include "server/rest/query_parameters.h"
#include "server/rest/resources.h"

namespace inthub {
namespace {

constexpr std::size_t kShownTypeBytes = 64;

using EntryPtr = std::shared_ptr<const ConnectorRegistry::Entry>;

void append_type(std::string& out, const IntegrationType& type) {
  JsonObject object(out);
  object.text("id", type.id)
      .text("family", type.family)
      .text("displayName", type.display_name)
      .text("description", type.description)
      .text_or_null("iconUrl", type.icon_url)
      .text("source", type.source)
      .raw("configSchema", to_text(*type.config_schema))
      .texts("capabilities", type.capabilities);
  append_array(object.key("resourceTypes"), type.resource_types,
               [](std::string& text, const ResourceType& resource_type) {
                 JsonObject(text)
                     .text("name", resource_type.name)
                     .text_or_null("parentType", resource_type.parent_type)
                     .text("description", resource_type.description)
                     .end();
               });
  object.texts("operations", type.operations)
      .texts("authModes", type.auth_modes)
      .boolean("credentialRequired", type.credential_required)
      .end();
}

class IntegrationTypeResource {
 public:
  explicit IntegrationTypeResource(const RestDependencies& dependencies) : connectors_(dependencies.connectors) {}

  Task<ServerResponse> list(ServerRequest& request) const {
    auto parameters = QueryParameters::read(request, {"family", "page", "pageSize"});
    if (!parameters) co_return failure(request, parameters.error());
    const PageRequest page = read_page_request(*parameters);
    if (const auto checked = parameters->check(); !checked) co_return failure(request, checked.error());
    const auto family = parameters->find("family");
    std::vector<EntryPtr> entries = connectors_.all();
    std::erase_if(entries, [&](const EntryPtr& entry) { return family && entry->type.family != *family; });

    const auto begin = std::min(entries.size(), static_cast<std::size_t>(page.offset()));
    const auto count = std::min(entries.size() - begin, static_cast<std::size_t>(page.page_size));
    std::string data;
    append_array(data, std::span(entries).subspan(begin, count),
                 [](std::string& out, const EntryPtr& entry) { append_type(out, entry->type); });
    co_return success(request, 200, data, pagination_meta(page, static_cast<std::int64_t>(entries.size()), {}));
  }

  Task<ServerResponse> get(ServerRequest& request) const {
    if (const auto parameters = QueryParameters::read(request, {}); !parameters)
      co_return failure(request, parameters.error());
    const std::string& id = request.parameters.front();
    const EntryPtr entry = connectors_.find(id);
    if (!entry) {
      co_return failure(request, Error(ErrorCode::not_found,
                                       fmt::format("there is no integration type {}", redact(id, {}, kShownTypeBytes)))
                                     .with_reason("integration_type.not_found")
                                     .with_remedy("GET /api/v1/integration-types lists the types that this hub knows"));
    }
    std::string data;
    append_type(data, entry->type);
    co_return success(request, 200, data);
  }

 private:
  const ConnectorRegistry& connectors_;
};

}  // namespace

void add_integration_type_routes(Router& router, const RestDependencies& dependencies) {
  const auto types = std::make_shared<const IntegrationTypeResource>(dependencies);
  add_route(router, "GET", "/api/v1/integration-types", Permission::read,
            bind_handler(types, &IntegrationTypeResource::list));
  add_route(router, "GET", "/api/v1/integration-types/{type}", Permission::read,
            bind_handler(types, &IntegrationTypeResource::get));
}

}  // namespace inthub
