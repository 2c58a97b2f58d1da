#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "connectors/integration_type.h"
#include "foundation/headers.h"
#include "foundation/json.h"
#include "integration_manager/integration_manager.h"
#include "server/rest/answers.h"
#include "server/rest/body_reader.h"
#include "server/rest/json_text.h"
#include "server/rest/pagination.h"
#include "server/rest/query_parameters.h"
#include "server/rest/resources.h"
#include "server/rest/violations.h"

namespace inthub {
namespace {

/// What a registry must accept at least (OCI distribution specification, "Pushing Manifests").
constexpr std::size_t kMaxManifestBytes = std::size_t{4} << 20;
constexpr std::string_view kOctetStream = "application/octet-stream";

CallOptions options_for(const ServerRequest& request, bool fresh) {
  return {.deadline = request.deadline, .fresh = fresh, .trace_id = std::string(request.trace_id)};
}

/// A manifest's type comes from the vendor: as a Content-Type of this origin only what cannot be a page or a script
/// will do.
std::string_view safe_content_type(std::string_view media_type) {
  constexpr std::string_view kPrefix = "application/vnd.";
  const bool safe = media_type.starts_with(kPrefix) && std::ranges::all_of(media_type, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                             std::string_view("/.+-_").find(c) != std::string_view::npos;
                    });
  return safe ? media_type : kOctetStream;
}

/// Whether an Accept header names this type itself; "*/*" and "application/*" ask for the API's own JSON.
bool accepts_exactly(const ServerRequest& request, std::string_view media_type) {
  const auto accept = request.header("Accept");
  if (!accept || media_type.empty()) return false;
  std::string_view rest = *accept;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view range = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    range = range.substr(0, range.find(';'));
    while (range.starts_with(' ')) range.remove_prefix(1);
    while (range.ends_with(' ')) range.remove_suffix(1);
    if (equals_ignore_case(range, media_type)) return true;
  }
  return false;
}

class OperationResource {
 public:
  explicit OperationResource(const RestDependencies& dependencies)
      : integrations_(dependencies.integrations), connectors_(dependencies.connectors) {}

  Task<ServerResponse> test(ServerRequest& request) const {
    const auto call = read_plain_call(request);
    if (!call) co_return failure(request, call.error());
    const auto answer =
        co_await integrations_.test(request.principal.tenant, call->id, options_for(request, call->fresh));
    if (!answer) co_return failure(request, answer.error());
    std::string data;
    append_connection_test(data, *answer);
    co_return success(request, 200, data);
  }

  Task<ServerResponse> health(ServerRequest& request) const {
    const auto call = read_plain_call(request);
    if (!call) co_return failure(request, call.error());
    const auto answer =
        co_await integrations_.health(request.principal.tenant, call->id, options_for(request, call->fresh));
    if (!answer) co_return failure(request, answer.error());
    std::string data;
    append_health(data, *answer);
    co_return success(request, 200, data);
  }

  Task<ServerResponse> resources(ServerRequest& request) const {
    auto parameters = QueryParameters::read(request, {"type", "parent", "q", "page", "pageSize", "fresh"});
    if (!parameters) co_return failure(request, parameters.error());
    const auto id = integration_id_of(request);
    if (!id) co_return failure(request, id.error());
    const PageRequest page = read_page_request(*parameters);
    const bool fresh = parameters->flag("fresh");
    DiscoverRequest question{.resource_type = parameters->text("type"),
                             .parent_id = parameters->text("parent"),
                             .query = parameters->text("q")};
    if (question.resource_type.empty()) {
      const auto view = co_await integrations_.get(request.principal.tenant, *id);
      if (!view) co_return failure(request, view.error());
      parameters->violate("type", fmt::format("is required; {}", offered_resource_types((*view)->integration.type)),
                          "required");
    }
    if (const auto checked = parameters->check(); !checked) co_return failure(request, checked.error());
    const auto answer = co_await integrations_.discover(request.principal.tenant, *id, std::move(question),
                                                        options_for(request, fresh));
    if (!answer) co_return failure(request, answer.error());

    const std::vector<Resource>& all = answer->value->resources;
    const auto begin = std::min(all.size(), static_cast<std::size_t>(page.offset()));
    const auto count = std::min(all.size() - begin, static_cast<std::size_t>(page.page_size));
    std::string data;
    JsonObject out(data);
    append_array(out.key("resources"), std::span(all).subspan(begin, count), append_resource);
    out.boolean("truncated", answer->value->truncated)
        .texts("warnings", answer->value->warnings)
        .boolean("cached", answer->cached)
        .number("ageSeconds", answer->age.count())
        .end();
    co_return success(request, 200, data, pagination_meta(page, static_cast<std::int64_t>(all.size()), {}));
  }

  Task<ServerResponse> resolve(ServerRequest& request) const {
    const auto call = read_plain_call(request);
    if (!call) co_return failure(request, call.error());
    auto body = JsonBody::parse(request);
    if (!body) co_return failure(request, body.error());
    std::vector<Violation> violations;
    ResolveRequest question;
    ObjectReader reader(body->value(), "", violations);
    if (std::string* image_ref = reader.required_text("imageRef")) question.image_ref = std::move(*image_ref);
    if (std::string* platform = reader.optional_text("platform")) question.platform = std::move(*platform);
    question.strict = reader.optional_flag("strict").value_or(false);
    const bool fresh = reader.optional_flag("fresh").value_or(false) || call->fresh;
    reader.refuse_unknown_members();
    if (!violations.empty()) co_return failure(request, violations_error(std::move(violations)));
    const auto answer = co_await integrations_.resolve(request.principal.tenant, call->id, std::move(question),
                                                       options_for(request, fresh));
    if (!answer) co_return failure(request, answer.error());
    std::string data;
    append_resolution(data, *answer);
    co_return success(request, 200, data);
  }

  Task<ServerResponse> manifest(ServerRequest& request) const {
    auto parameters = QueryParameters::read(request, {"ref", "platform", "raw", "fresh"});
    if (!parameters) co_return failure(request, parameters.error());
    const auto id = integration_id_of(request);
    if (!id) co_return failure(request, id.error());
    const bool raw = parameters->flag("raw");
    const bool fresh = parameters->flag("fresh");
    ManifestRequest question{.image_ref = parameters->text("ref"), .platform = parameters->text("platform")};
    if (question.image_ref.empty())
      parameters->violate("ref", "is required: an image reference such as app:v1", "required");
    if (const auto checked = parameters->check(); !checked) co_return failure(request, checked.error());
    const auto answer = co_await integrations_.manifest(request.principal.tenant, *id, std::move(question),
                                                        options_for(request, fresh));
    if (!answer) co_return failure(request, answer.error());
    const Manifest& manifest = *answer->value;
    if (raw || accepts_exactly(request, manifest.media_type)) co_return exact_bytes(manifest);

    const JsonLimits limits{.max_bytes = kMaxManifestBytes};
    if (const auto parsed = parse_json(manifest.bytes, limits); !parsed) {
      co_return failure(request,
                        Error(ErrorCode::vendor_failure,
                              fmt::format("the manifest cannot be shown as JSON: {}", parsed.error().message()))
                            .with_reason("registry.manifest_not_json")
                            .with_remedy("?raw=true answers its bytes as they are"));
    }
    std::string data;
    append_manifest(data, *answer);
    co_return success(request, 200, data);
  }

  Task<ServerResponse> verify(ServerRequest& request) const {
    const auto call = read_plain_call(request);
    if (!call) co_return failure(request, call.error());
    auto body = JsonBody::parse(request);
    if (!body) co_return failure(request, body.error());
    std::vector<Violation> violations;
    VerifyRequest question;
    ObjectReader reader(body->value(), "", violations);
    if (std::string* image_ref = reader.required_text("imageRef")) question.image_ref = std::move(*image_ref);
    if (std::string* digest = reader.required_text("digest")) question.digest = std::move(*digest);
    const bool fresh = reader.optional_flag("fresh").value_or(false) || call->fresh;
    reader.refuse_unknown_members();
    if (!violations.empty()) co_return failure(request, violations_error(std::move(violations)));
    const auto answer = co_await integrations_.verify(request.principal.tenant, call->id, std::move(question),
                                                      options_for(request, fresh));
    if (!answer) co_return failure(request, answer.error());
    std::string data;
    append_verification(data, *answer);
    co_return success(request, 200, data);
  }

 private:
  struct PlainCall {
    IntegrationId id;
    bool fresh = false;
  };
  /// The id, and ?fresh= as the only parameter.
  static Result<PlainCall> read_plain_call(const ServerRequest& request) {
    auto parameters = QueryParameters::read(request, {"fresh"});
    if (!parameters) return fail(std::move(parameters).error());
    auto id = integration_id_of(request);
    if (!id) return fail(std::move(id).error());
    const bool fresh = parameters->flag("fresh");
    if (auto checked = parameters->check(); !checked) return fail(std::move(checked).error());
    return PlainCall{.id = *id, .fresh = fresh};
  }

  static ServerResponse exact_bytes(const Manifest& manifest) {
    ServerResponse response;
    response.content_type = safe_content_type(manifest.media_type);
    response.headers.emplace_back("Docker-Content-Digest", manifest.digest);
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    response.body = manifest.bytes;
    return response;
  }

  std::string offered_resource_types(const std::string& type_id) const {
    const auto entry = connectors_.find(type_id);
    if (!entry || entry->type.resource_types.empty()) return fmt::format("{} lists no resources", type_id);
    std::vector<std::string_view> names;
    for (const ResourceType& type : entry->type.resource_types) names.push_back(type.name);
    return fmt::format("{} offers: {}", type_id, fmt::join(names, ", "));
  }

  IntegrationManager& integrations_;
  const ConnectorRegistry& connectors_;
};

}  // namespace

void add_operation_routes(Router& router, const RestDependencies& dependencies) {
  const auto operations = std::make_shared<const OperationResource>(dependencies);
  const auto add = [&](std::string method, std::string_view last_segment, Permission needs, bool takes_body,
                       Task<ServerResponse> (OperationResource::*handler)(ServerRequest&) const) {
    add_route(router, std::move(method), fmt::format("/api/v1/integrations/{{id}}/{}", last_segment), needs,
              bind_handler(operations, handler), takes_body);
  };
  add("POST", "test", Permission::use, false, &OperationResource::test);
  add("GET", "health", Permission::read, false, &OperationResource::health);
  add("GET", "resources", Permission::use, false, &OperationResource::resources);
  add("POST", "resolve", Permission::use, true, &OperationResource::resolve);
  add("GET", "manifest", Permission::use, false, &OperationResource::manifest);
  add("POST", "verify", Permission::use, true, &OperationResource::verify);
}

}  // namespace inthub
