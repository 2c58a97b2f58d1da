#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "foundation/encoding.h"
#include "foundation/json.h"
#include "integration_manager/integration_manager.h"
#include "server/rest/answers.h"
#include "server/rest/body_reader.h"
#include "server/rest/integration_input.h"
#include "server/rest/json_text.h"
#include "server/rest/pagination.h"
#include "server/rest/preconditions.h"
#include "server/rest/query_parameters.h"
#include "server/rest/resources.h"
#include "server/rest/violations.h"

namespace inthub {
namespace {

constexpr int kCreated = 201;
constexpr int kNoContent = 204;
constexpr int kNotModified = 304;

ServerResponse show(const ServerRequest& request, int status, const IntegrationView& view) {
  ServerResponse response = success(request, status, view.json);
  response.headers.emplace_back("ETag", view.etag);
  return response;
}

/// The body's place in the idempotency record: only the hash is kept, because the body may hold a secret.
std::string fingerprint(const ServerRequest& request) {
  std::string material;
  material.reserve(request.method.size() + request.path.size() + request.body.size() + 2);
  material.append(request.method).append("\n").append(request.path).append("\n").append(request.body);
  std::string hash = sha256(material);
  wipe(material);
  return hash;
}

void append_violations(std::string& out, const std::vector<Violation>& violations) {
  append_array(out, violations, [](std::string& text, const Violation& violation) {
    JsonObject(text)
        .text("field", violation.field)
        .text("message", violation.message)
        .text("code", violation.code)
        .end();
  });
}

IntegrationFilter read_filter(QueryParameters& parameters) {
  IntegrationFilter filter;
  filter.type = parameters.text("type");
  filter.family = parameters.text("family");
  filter.health = parameters.word("health", {"unknown", "healthy", "degraded", "unhealthy"});
  filter.query = parameters.text("q");
  std::string sort = parameters.word("sort", {"name", "createdAt", "updatedAt", "-name", "-createdAt", "-updatedAt"});
  filter.descending = sort.starts_with('-');
  if (filter.descending) sort.erase(0, 1);
  if (sort == "createdAt") filter.sort = IntegrationFilter::Sort::created_at;
  if (sort == "updatedAt") filter.sort = IntegrationFilter::Sort::updated_at;
  return filter;
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return to_lower(text).find(to_lower(part)) != std::string::npos;
}

bool passes(const IntegrationFilter& filter, const Integration& integration) {
  const std::string_view type = integration.type;
  return (filter.type.empty() || filter.type == type) &&
         (filter.family.empty() || type.substr(0, type.find('.')) == filter.family) &&
         (filter.health.empty() || filter.health == integration.health) &&
         (filter.query.empty() || contains_ignoring_case(integration.name, filter.query));
}

class IntegrationResource {
 public:
  explicit IntegrationResource(const RestDependencies& dependencies) : integrations_(dependencies.integrations) {}

  Task<ServerResponse> list(ServerRequest& request) const {
    auto parameters =
        QueryParameters::read(request, {"type", "family", "health", "q", "name", "sort", "page", "pageSize", "cursor"});
    if (!parameters) co_return failure(request, parameters.error());
    const IntegrationFilter filter = read_filter(*parameters);
    const PageRequest page = read_page_request(*parameters);
    if (const auto checked = parameters->check(); !checked) co_return failure(request, checked.error());

    Result<IntegrationPage> found = IntegrationPage{};
    if (const auto name = parameters->find("name")) {
      found = co_await find_named(request.principal.tenant, std::string(*name), filter);
      if (found && page.offset() > 0) found->items.clear();
    } else {
      found = co_await integrations_.list(
          request.principal.tenant, filter,
          Page{.offset = page.offset(), .limit = static_cast<int>(page.page_size), .after = page.cursor});
    }
    if (!found) co_return failure(request, found.error());
    std::string data;
    append_array(data, found->items,
                 [](std::string& out, const Integration& integration) { out += render_integration(integration); });
    co_return success(request, 200, data, pagination_meta(page, found->total, found->next));
  }

  /// The hot path: a warm entry is spliced into the answer without suspending or parsing.
  Task<ServerResponse> get(ServerRequest& request) const {
    if (!request.query.empty()) {
      if (const auto parameters = QueryParameters::read(request, {}); !parameters)
        co_return failure(request, parameters.error());
    }
    const auto id = integration_id_of(request);
    if (!id) co_return failure(request, id.error());
    IntegrationViewPtr view = integrations_.find_cached(request.principal.tenant, *id);
    if (!view) {
      auto loaded = co_await integrations_.get(request.principal.tenant, *id);
      if (!loaded) co_return failure(request, loaded.error());
      view = std::move(*loaded);
    }
    if (matches_if_none_match(request, view->etag)) {
      ServerResponse response;
      response.status = kNotModified;
      response.headers.emplace_back("ETag", view->etag);
      co_return response;
    }
    co_return show(request, 200, *view);
  }

  Task<ServerResponse> create(ServerRequest& request) const {
    auto key = read_idempotency_key(request);
    if (!key) co_return failure(request, key.error());
    auto input = read_body(request, InputPurpose::create);
    if (!input) co_return failure(request, input.error());
    std::optional<Idempotency> idempotency = key->transform([&request](std::string& text) {
      return Idempotency{.key = std::move(text), .request_sha256 = fingerprint(request)};
    });
    auto created = co_await integrations_.create(request.principal, std::move(*input), std::move(idempotency));
    if (!created) co_return failure(request, created.error());
    ServerResponse response = show(request, kCreated, *created->view);
    response.headers.emplace_back("Location", "/api/v1/integrations/" + created->view->integration.id.to_string());
    if (created->replayed) response.headers.emplace_back("Idempotent-Replayed", "true");
    co_return response;
  }

  Task<ServerResponse> update(ServerRequest& request) const {
    if (const auto parameters = QueryParameters::read(request, {}); !parameters)
      co_return failure(request, parameters.error());
    const auto id = integration_id_of(request);
    if (!id) co_return failure(request, id.error());
    const auto condition = read_if_match(request);
    if (!condition) co_return failure(request, condition.error());
    const auto current = co_await integrations_.get(request.principal.tenant, *id);
    if (!current) co_return failure(request, current.error());

    auto body = JsonBody::parse(request);
    if (!body) co_return failure(request, body.error());
    ParsedInput parsed = read_integration_input(body->value(), InputPurpose::update);
    if (!parsed.violations.empty()) {
      if (parsed.input.type.empty()) parsed.input.type = (*current)->integration.type;
      auto rules = integrations_.validate(parsed.input);
      if (!parsed.input.credential.given()) {  // absent means "as it is", which no rule about credentials knows here
        std::erase_if(rules, [](const Violation& rule) { return rule.field.starts_with("/credentials"); });
      }
      co_return failure(request, violations_error(merge_violations(std::move(parsed.violations), std::move(rules))));
    }
    const auto expected = expected_revision(*condition, (*current)->integration);
    if (!expected) co_return failure(request, expected.error());
    const auto updated = co_await integrations_.update(request.principal, *id, std::move(parsed.input), *expected);
    if (!updated) co_return failure(request, updated.error());
    co_return show(request, 200, **updated);
  }

  Task<ServerResponse> remove(ServerRequest& request) const {
    if (const auto parameters = QueryParameters::read(request, {}); !parameters)
      co_return failure(request, parameters.error());
    const auto id = integration_id_of(request);
    if (!id) co_return failure(request, id.error());
    const auto condition = read_if_match(request);
    if (!condition) co_return failure(request, condition.error());
    std::optional<std::int64_t> expected;
    if (condition->given) {
      const auto current = co_await integrations_.get(request.principal.tenant, *id);
      if (!current) co_return failure(request, current.error());
      const auto decided = expected_revision(*condition, (*current)->integration);
      if (!decided) co_return failure(request, decided.error());
      expected = *decided;
    }
    const auto removed = co_await integrations_.remove(request.principal, *id, expected);
    if (!removed) co_return failure(request, removed.error());
    ServerResponse response;
    response.status = kNoContent;
    co_return response;
  }

  Task<ServerResponse> test_draft(ServerRequest& request) const {
    auto input = read_body(request, InputPurpose::test);
    if (!input) co_return failure(request, input.error());
    CallOptions options{.deadline = request.deadline, .fresh = true, .trace_id = std::string(request.trace_id)};
    const auto tested = co_await integrations_.test_draft(request.principal, std::move(*input), std::move(options));
    if (!tested) co_return failure(request, tested.error());
    std::string data;
    append_connection_test(data, *tested);
    co_return success(request, 200, data);
  }

  /// Whether a document would be accepted is the question here, so a "no" is a successful answer.
  Task<ServerResponse> validate(ServerRequest& request) const {
    if (const auto parameters = QueryParameters::read(request, {}); !parameters)
      co_return failure(request, parameters.error());
    auto body = JsonBody::parse(request);
    if (!body) co_return failure(request, body.error());
    ParsedInput parsed = read_integration_input(body->value(), InputPurpose::create);
    const auto violations = merge_violations(std::move(parsed.violations), integrations_.validate(parsed.input));
    std::string data;
    JsonObject out(data);
    out.boolean("valid", violations.empty());
    append_violations(out.key("validationErrors"), violations);
    out.end();
    co_return success(request, 200, data);
  }

 private:
  Result<IntegrationInput> read_body(const ServerRequest& request, InputPurpose purpose) const {
    if (const auto parameters = QueryParameters::read(request, {}); !parameters) return fail(parameters.error());
    auto body = JsonBody::parse(request);
    if (!body) return fail(std::move(body).error());
    ParsedInput parsed = read_integration_input(body->value(), purpose);
    if (parsed.violations.empty()) return std::move(parsed.input);
    return fail(violations_error(merge_violations(std::move(parsed.violations), integrations_.validate(parsed.input))));
  }

  /// The one revision that the change must find. The manager holds a single one against the stored integration; for a
  /// list, this picks the current one.
  static Result<std::optional<std::int64_t>> expected_revision(const RevisionCondition& condition,
                                                               const Integration& current) {
    if (!condition.given) return std::nullopt;
    if (condition.revisions.size() == 1) return condition.revisions.front();
    if (std::ranges::find(condition.revisions, current.revision) != condition.revisions.end()) return current.revision;
    return fail(Error(ErrorCode::stale_revision,
                      fmt::format("the integration is at revision {}, which If-Match does not name", current.revision))
                    .with_field("If-Match")
                    .with_remedy("read it again, merge your change, and send the new ETag in If-Match"));
  }

  Task<Result<IntegrationPage>> find_named(TenantId tenant, std::string name, IntegrationFilter filter) const {
    IntegrationPage page;
    const auto view = co_await integrations_.get(tenant, name);
    if (!view && view.error().code() != ErrorCode::not_found) co_return fail(view.error());
    if (view && (*view)->integration.name == name && passes(filter, (*view)->integration)) {
      page.items.push_back((*view)->integration);
      page.total = 1;
    }
    co_return page;
  }

  IntegrationManager& integrations_;
};

}  // namespace

void add_integration_routes(Router& router, const RestDependencies& dependencies) {
  const auto integrations = std::make_shared<const IntegrationResource>(dependencies);
  const auto add = [&](std::string method, std::string path, Permission needs,
                       Task<ServerResponse> (IntegrationResource::*handler)(ServerRequest&) const) {
    const bool takes_body = method == "POST" || method == "PUT";
    add_route(router, std::move(method), std::move(path), needs, bind_handler(integrations, handler), takes_body);
  };
  add("GET", "/api/v1/integrations", Permission::read, &IntegrationResource::list);
  add("POST", "/api/v1/integrations", Permission::manage, &IntegrationResource::create);
  add("POST", "/api/v1/integrations:test", Permission::manage, &IntegrationResource::test_draft);
  add("POST", "/api/v1/integrations:validate", Permission::read, &IntegrationResource::validate);
  add("GET", "/api/v1/integrations/{id}", Permission::read, &IntegrationResource::get);
  add("PUT", "/api/v1/integrations/{id}", Permission::manage, &IntegrationResource::update);
  add("DELETE", "/api/v1/integrations/{id}", Permission::manage, &IntegrationResource::remove);
}

}  // namespace inthub
