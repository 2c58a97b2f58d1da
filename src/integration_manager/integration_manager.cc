#include "integration_manager/integration_manager.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "credentials/credential_ref.h"
#include "credentials/secret_sealer.h"
#include "events/cloud_event.h"
#include "foundation/log.h"
#include "foundation/metrics.h"
#include "integration_manager/health_window.h"
#include "integration_manager/integration_rules.h"
#include "integration_manager/read_model.h"

namespace inthub {
namespace {

/// Without If-Match the last writer wins; this many times a concurrent writer may get in between.
constexpr int kUnconditionalUpdateTries = 8;

IntegrationViewPtr view_of(Integration integration) {
  std::string json = render_integration(integration);
  std::string etag = fmt::format("\"{}\"", integration.revision);
  return std::make_shared<const IntegrationView>(
      IntegrationView{.integration = std::move(integration), .json = std::move(json), .etag = std::move(etag)});
}

CallTarget target_of(const Integration& integration) {
  return CallTarget{.tenant = integration.tenant,
                    .id = integration.id,
                    .revision = integration.revision,
                    .type = integration.type,
                    .config = integration.config,
                    .credential_ref = integration.credential_ref,
                    .draft_secret = nullptr};
}

Json event_data(const Integration& integration) {
  return Json{{"integrationId", integration.id.to_string()},
              {"name", integration.name},
              {"type", integration.type},
              {"revision", integration.revision}};
}

Error broken(std::vector<Violation> violations) {
  const std::string summary =
      violations.size() == 1 ? "1 rule is broken" : fmt::format("{} rules are broken", violations.size());
  return Error(ErrorCode::validation_failed, fmt::format("the integration cannot be stored: {}", summary))
      .with_violations(std::move(violations));
}

}  // namespace

struct IntegrationManager::Impl {
  Dependencies use;
  IntegrationRules rules;
  ReadModel read_model;
  HealthWindow health_window;
  ChangeListener listener;
  Counter& health_changes;

  Impl(Dependencies dependencies, IntegrationRules made)
      : use(dependencies),
        rules(std::move(made)),
        health_changes(use.metrics.counter("inthub_integration_health_changes_total",
                                           "Changes of an integration's health status")) {}

  struct Checked {
    std::vector<Violation> violations;
    CredentialRef ref = CredentialRef::none();
  };
  Checked check(const IntegrationInput& input, bool keeps_credential) const;
  /// The credential row for what the caller gave; the secret is sealed for the new row's id.
  Credential make_credential(const Principal& principal, const CredentialInput& given, const CredentialRef& ref) const;
  Event event(const Integration& integration, std::string type, Json data) const {
    return make_event(integration.tenant, std::move(type), integration.id.to_string(), std::move(data), use.clock,
                      use.random);
  }
  void announce(TenantId tenant, IntegrationId id, Change change) {
    read_model.changed(id);
    if (change != Change::created) use.runtime.forget(id);
    if (change == Change::removed) health_window.forget(id);
    if (listener) listener(tenant, id, change);
  }
  Task<Result<std::optional<Created>>> replay(TenantId tenant, const Idempotency& idempotency);
};

IntegrationManager::Impl::Checked IntegrationManager::Impl::check(const IntegrationInput& input,
                                                                  bool keeps_credential) const {
  Checked checked;
  auto& violations = checked.violations;
  const auto entry = use.connectors.find(input.type);
  if (input.type.empty()) {
    violations.push_back(
        {.field = "/type", .message = "is required, for example \"registry.oci\"", .code = "required"});
  } else if (!entry) {
    std::string known;
    for (const auto& one : use.connectors.all()) known += (known.empty() ? "" : ", ") + one->type.id;
    violations.push_back(
        {.field = "/type", .message = fmt::format("is not a known type; known are: {}", known), .code = "enum"});
  }
  std::ranges::move(IntegrationRules::check_name(input.name), std::back_inserter(violations));

  bool has_credential = keeps_credential;
  if (!input.credential.ref.empty() && input.credential.secret) {
    violations.push_back(
        {.field = "/credentials", .message = "give either \"ref\" or \"secret\", not both", .code = "schema"});
  } else if (input.credential.secret) {
    has_credential = true;
    if (input.credential.secret->empty()) {
      violations.push_back(
          {.field = "/credentials/secret",
           .message = "must not be empty; for an endpoint without credentials leave \"credentials\" out",
           .code = "min_length"});
    }
  } else if (!input.credential.ref.empty()) {
    if (auto ref = CredentialRef::parse(input.credential.ref)) {
      has_credential = ref->kind() != CredentialRef::Kind::none;
      if (ref->kind() == CredentialRef::Kind::local) {
        violations.push_back(
            {.field = "/credentials/ref",
             .message = "a local credential belongs to the integration it was given with; give the secret again",
             .code = "reserved"});
      }
      checked.ref = *std::move(ref);
    } else {
      violations.push_back({.field = "/credentials/ref", .message = ref.error().message(), .code = "format"});
    }
  }
  if (entry) {
    std::ranges::move(rules.check_config(entry->type, *input.config, has_credential), std::back_inserter(violations));
  }
  return checked;
}

Credential IntegrationManager::Impl::make_credential(const Principal& principal, const CredentialInput& given,
                                                     const CredentialRef& ref) const {
  Credential credential{.id = CredentialId(Uuid::make(use.clock, use.random)),
                        .tenant = principal.tenant,
                        .ref = ref.text(),
                        .sealed = {},
                        .key_id = {},
                        .created_at = use.clock.now(),
                        .rotated_at = {}};
  if (given.secret) {
    credential.ref = CredentialRef::local(credential.id).text();
    credential.sealed = use.sealer.seal(principal.tenant, credential.id, *given.secret);
    credential.key_id = use.sealer.key_id();
  }
  return credential;
}

Result<std::unique_ptr<IntegrationManager>> IntegrationManager::make(Dependencies dependencies) {
  auto rules = IntegrationRules::make(dependencies.connectors);
  if (!rules) return fail(std::move(rules).error());
  return std::unique_ptr<IntegrationManager>(
      new IntegrationManager(std::make_unique<Impl>(dependencies, *std::move(rules))));
}
IntegrationManager::IntegrationManager(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IntegrationManager::~IntegrationManager() = default;

void IntegrationManager::set_change_listener(ChangeListener listener) {
  impl_->listener = std::move(listener);
}

std::vector<Violation> IntegrationManager::validate(const IntegrationInput& input) const {
  return impl_->check(input, false).violations;
}

IntegrationViewPtr IntegrationManager::find_cached(TenantId tenant, IntegrationId id) const {
  return impl_->read_model.find(tenant, id);
}

Task<Result<IntegrationViewPtr>> IntegrationManager::get(TenantId tenant, IntegrationId id) {
  if (auto cached = impl_->read_model.find(tenant, id)) co_return cached;
  const auto ticket = impl_->read_model.begin_load(id);
  auto stored = co_await impl_->use.store.integrations().find(tenant, id);
  if (!stored) co_return fail(std::move(stored).error());
  auto view = view_of(*std::move(stored));
  impl_->read_model.finish_load(ticket, view);
  co_return view;
}

Task<Result<IntegrationViewPtr>> IntegrationManager::get(TenantId tenant, std::string id_or_name) {
  if (const auto id = IntegrationId::parse(id_or_name)) co_return co_await get(tenant, *id);
  auto stored = co_await impl_->use.store.integrations().find_by_name(tenant, std::move(id_or_name));
  if (!stored) co_return fail(std::move(stored).error());
  co_return view_of(*std::move(stored));
}

Task<Result<IntegrationPage>> IntegrationManager::list(TenantId tenant, IntegrationFilter filter, Page page) {
  co_return co_await impl_->use.store.integrations().list(tenant, std::move(filter), std::move(page));
}

Task<Result<std::optional<IntegrationManager::Created>>> IntegrationManager::Impl::replay(
    TenantId tenant, const Idempotency& idempotency) {
  auto record = co_await use.store.idempotency().find(tenant, idempotency.key);
  if (!record) co_return fail(std::move(record).error());
  if (!*record) co_return std::nullopt;
  const IdempotencyRecord& used = **record;
  if (used.request_sha256 != idempotency.request_sha256) {
    co_return fail(Error(ErrorCode::conflict, "this Idempotency-Key was used for another request")
                       .with_reason("idempotency.key_reused")
                       .with_remedy("use a fresh key for each new request"));
  }
  // What was answered then is answered again, even if the integration has changed or gone since.
  IntegrationView answered;
  answered.json = used.body;
  answered.etag = "\"1\"";
  answered.integration.tenant = tenant;
  answered.integration.id = IntegrationId::parse(used.location).value_or(IntegrationId());
  co_return Created{.view = std::make_shared<const IntegrationView>(std::move(answered)), .replayed = true};
}

Task<Result<IntegrationManager::Created>> IntegrationManager::create(Principal principal, IntegrationInput input,
                                                                     std::optional<Idempotency> idempotency) {
  Impl& self = *impl_;
  if (idempotency) {
    auto earlier = co_await self.replay(principal.tenant, *idempotency);
    if (!earlier) co_return fail(std::move(earlier).error());
    if (*earlier) co_return **std::move(earlier);
  }
  auto checked = self.check(input, false);
  if (!checked.violations.empty()) co_return fail(broken(std::move(checked.violations)));

  const Credential credential = self.make_credential(principal, input.credential, checked.ref);
  const Timestamp now = self.use.clock.now();
  Integration integration{.id = IntegrationId(Uuid::make(self.use.clock, self.use.random)),
                          .tenant = principal.tenant,
                          .type = std::move(input.type),
                          .name = std::move(input.name),
                          .config = std::move(input.config),
                          .credential_id = credential.id,
                          .credential_ref = credential.ref,
                          .revision = 1,
                          .health = std::string(name_of(HealthStatus::unknown)),
                          .health_detail = share(Json::object()),
                          .last_health_check = {},
                          .created_at = now,
                          .updated_at = now,
                          .created_by = principal.user};
  auto view = view_of(integration);
  Transaction transaction;
  transaction.add(InsertCredential{credential})
      .add(InsertIntegration{integration})
      .add(AppendEvent{self.event(integration, "integration.created", event_data(integration))});
  if (idempotency) {
    transaction.add(InsertIdempotency{IdempotencyRecord{.tenant = principal.tenant,
                                                        .key = idempotency->key,
                                                        .request_sha256 = idempotency->request_sha256,
                                                        .status = 201,
                                                        .body = view->json,
                                                        .location = integration.id.to_string(),
                                                        .created_at = now}});
  }
  auto committed = co_await self.use.store.commit(std::move(transaction));
  if (!committed) {
    if (committed.error().code() == ErrorCode::conflict && idempotency) {
      // The same request may have been sent twice at once: then the other one has just been committed.
      auto earlier = co_await self.replay(principal.tenant, *idempotency);
      if (!earlier) co_return fail(std::move(earlier).error());
      if (*earlier) co_return **std::move(earlier);
    }
    if (committed.error().code() == ErrorCode::conflict) {
      co_return fail(
          Error(ErrorCode::conflict, fmt::format("an integration named \"{}\" exists already", integration.name))
              .with_reason("integration.name_taken")
              .with_field("/name")
              .with_remedy("choose another name, or update the existing integration"));
    }
    co_return fail(std::move(committed).error());
  }
  self.announce(principal.tenant, integration.id, Change::created);
  co_return Created{.view = std::move(view), .replayed = false};
}

Task<Result<IntegrationViewPtr>> IntegrationManager::update(Principal principal, IntegrationId id,
                                                            IntegrationInput input,
                                                            std::optional<std::int64_t> expected) {
  Impl& self = *impl_;
  for (int attempt = 1;; ++attempt) {
    auto current = co_await self.use.store.integrations().find(principal.tenant, id);
    if (!current) co_return fail(std::move(current).error());
    if (expected && *expected != current->revision) {
      co_return fail(Error(ErrorCode::stale_revision,
                           fmt::format("the integration is at revision {}, not {}", current->revision, *expected))
                         .with_remedy("read it again, merge your change, and send the new ETag in If-Match"));
    }
    if (input.type.empty()) input.type = current->type;
    const bool keeps_credential = !input.credential.given();
    auto checked = self.check(input, keeps_credential && current->credential_ref != CredentialRef::none().text());
    if (input.type != current->type) {
      checked.violations.push_back(
          {.field = "/type",
           .message = fmt::format("cannot change from \"{}\"; create a new integration", current->type),
           .code = "immutable"});
    }
    if (!checked.violations.empty()) co_return fail(broken(std::move(checked.violations)));

    Integration next = *current;
    next.name = input.name;
    next.config = input.config;
    next.updated_at = self.use.clock.now();
    next.revision = current->revision + 1;
    Transaction transaction;
    if (!keeps_credential) {
      Credential credential = self.make_credential(principal, input.credential, checked.ref);
      credential.rotated_at = credential.created_at;
      next.credential_id = credential.id;
      next.credential_ref = credential.ref;
      transaction.add(InsertCredential{std::move(credential)});
    }
    transaction.add(UpdateIntegration{.integration = next, .expected = current->revision});
    if (!keeps_credential) transaction.add(DeleteCredential{.tenant = principal.tenant, .id = current->credential_id});
    transaction.add(AppendEvent{self.event(next, "integration.updated", event_data(next))});

    auto committed = co_await self.use.store.commit(std::move(transaction));
    if (committed) {
      self.announce(principal.tenant, id, Change::updated);
      co_return view_of(std::move(next));
    }
    const bool lost_race = committed.error().code() == ErrorCode::stale_revision;
    if (lost_race && !expected && attempt < kUnconditionalUpdateTries) continue;
    if (committed.error().code() == ErrorCode::conflict) {
      co_return fail(Error(ErrorCode::conflict, fmt::format("an integration named \"{}\" exists already", next.name))
                         .with_reason("integration.name_taken")
                         .with_field("/name")
                         .with_remedy("choose another name"));
    }
    co_return fail(std::move(committed).error());
  }
}

Task<Result<void>> IntegrationManager::remove(Principal principal, IntegrationId id,
                                              std::optional<std::int64_t> expected) {
  Impl& self = *impl_;
  auto current = co_await self.use.store.integrations().find(principal.tenant, id);
  if (!current) co_return fail(std::move(current).error());
  Transaction transaction;
  transaction.add(DeleteIntegration{.tenant = principal.tenant, .id = id, .expected = expected})
      .add(DeleteCredential{.tenant = principal.tenant, .id = current->credential_id})
      .add(AppendEvent{self.event(*current, "integration.deleted", event_data(*current))});
  auto committed = co_await self.use.store.commit(std::move(transaction));
  if (!committed) co_return fail(std::move(committed).error());
  self.announce(principal.tenant, id, Change::removed);
  co_return Result<void>();
}

Task<Result<Answer<ConnectionTest>>> IntegrationManager::test(TenantId tenant, IntegrationId id, CallOptions options) {
  auto view = co_await get(tenant, id);
  if (!view) co_return fail(std::move(view).error());
  co_return co_await impl_->use.runtime.test_connection(target_of((*view)->integration), std::move(options));
}

Task<Result<Answer<ConnectionTest>>> IntegrationManager::test_draft(Principal principal, IntegrationInput input,
                                                                    CallOptions options) {
  // A draft need not have a name yet.
  if (input.name.empty()) input.name = "draft";
  auto checked = impl_->check(input, false);
  if (!checked.violations.empty()) co_return fail(broken(std::move(checked.violations)));
  CallTarget target{.tenant = principal.tenant,
                    .id = {},
                    .revision = 0,
                    .type = std::move(input.type),
                    .config = std::move(input.config),
                    .credential_ref = checked.ref.text(),
                    .draft_secret = std::move(input.credential.secret)};
  co_return co_await impl_->use.runtime.test_connection(std::move(target), std::move(options));
}

Task<Result<Answer<HealthReport>>> IntegrationManager::health(TenantId tenant, IntegrationId id, CallOptions options) {
  auto view = co_await get(tenant, id);
  if (!view) co_return fail(std::move(view).error());
  auto answer = co_await impl_->use.runtime.get_health(target_of((*view)->integration), std::move(options));
  if (!answer || answer->cached) co_return answer;
  auto recorded = co_await record_health((*view)->integration, answer->value);
  // The caller asked how the vendor is; that the hub could not write it down is the operator's concern.
  if (!recorded) log::warning("a health report was not stored", {{"reason", recorded.error().reason()}});
  co_return answer;
}

Task<Result<std::shared_ptr<const HealthReport>>> IntegrationManager::poll(TenantId tenant, IntegrationId id,
                                                                           CallOptions options) {
  auto stored = co_await impl_->use.store.integrations().find(tenant, id);
  if (!stored) co_return fail(std::move(stored).error());
  options.fresh = true;
  auto answer = co_await impl_->use.runtime.get_health(target_of(*stored), std::move(options));
  if (!answer) co_return fail(std::move(answer).error());
  auto recorded = co_await record_health(*std::move(stored), answer->value);
  if (!recorded) co_return fail(std::move(recorded).error());
  co_return answer->value;
}

Task<Result<void>> IntegrationManager::record_health(Integration integration,
                                                     std::shared_ptr<const HealthReport> report) {
  Impl& self = *impl_;
  const HealthStatus shown = parse_health_status(integration.health).value_or(HealthStatus::unknown);
  const HealthStatus next = self.health_window.observe(integration.id, shown, report->status);
  Transaction transaction;
  transaction.add(RecordHealth{.tenant = integration.tenant,
                               .id = integration.id,
                               .revision = integration.revision,
                               .health = std::string(name_of(next)),
                               .detail = share(Json{{"status", name_of(report->status)},
                                                    {"code", report->code},
                                                    {"message", report->message},
                                                    {"remedy", report->remedy},
                                                    {"latencyMs", report->latency.count()}}),
                               .checked_at = report->checked_at});
  if (next != shown) {
    Json data = event_data(integration);
    data["from"] = name_of(shown);
    data["to"] = name_of(next);
    data["code"] = report->code;
    data["message"] = report->message;
    transaction.add(AppendEvent{self.event(integration, "integration.health_changed", std::move(data))});
  }
  auto committed = co_await self.use.store.commit(std::move(transaction));
  if (committed) {
    self.read_model.changed(integration.id);
    if (next != shown) self.health_changes.add();
  }
  co_return committed;
}

Task<Result<Answer<ResourceList>>> IntegrationManager::discover(TenantId tenant, IntegrationId id,
                                                                DiscoverRequest request, CallOptions options) {
  auto view = co_await get(tenant, id);
  if (!view) co_return fail(std::move(view).error());
  co_return co_await impl_->use.runtime.discover_resources(target_of((*view)->integration), std::move(request),
                                                           std::move(options));
}

Task<Result<Answer<ResolvedDigest>>> IntegrationManager::resolve(TenantId tenant, IntegrationId id,
                                                                 ResolveRequest request, CallOptions options) {
  auto view = impl_->read_model.find(tenant, id);
  if (!view) {
    auto loaded = co_await get(tenant, id);
    if (!loaded) co_return fail(std::move(loaded).error());
    view = *std::move(loaded);
  }
  if (!options.fresh) {
    std::chrono::seconds age{};
    if (auto hit = impl_->use.runtime.cached_resolution(id, view->integration.revision, request, age)) {
      co_return Answer<ResolvedDigest>{.value = std::move(hit), .cached = true, .age = age};
    }
  }
  co_return co_await impl_->use.runtime.resolve_tag_to_digest(target_of(view->integration), std::move(request),
                                                              std::move(options));
}

Task<Result<Answer<Manifest>>> IntegrationManager::manifest(TenantId tenant, IntegrationId id, ManifestRequest request,
                                                            CallOptions options) {
  auto view = co_await get(tenant, id);
  if (!view) co_return fail(std::move(view).error());
  co_return co_await impl_->use.runtime.fetch_manifest(target_of((*view)->integration), std::move(request),
                                                       std::move(options));
}

Task<Result<Answer<Verification>>> IntegrationManager::verify(TenantId tenant, IntegrationId id, VerifyRequest request,
                                                              CallOptions options) {
  auto view = co_await get(tenant, id);
  if (!view) co_return fail(std::move(view).error());
  co_return co_await impl_->use.runtime.verify_digest(target_of((*view)->integration), std::move(request),
                                                      std::move(options));
}

}  // namespace inthub
