#include <istream>
#include <ostream>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/integration_input.h"
#include "cli/views.h"
#include "foundation/encoding.h"

namespace inthub {
namespace {

constexpr const char* kCollection = "/api/v1/integrations";
constexpr std::size_t kDefaultLimit = 1000;
constexpr std::size_t kLargestLimit = 100'000;
constexpr const char* kIntegrationHelp = "The integration's name or id";

std::string path_of(std::string_view id, std::string_view operation = {}) {
  return operation.empty() ? fmt::format("{}/{}", kCollection, percent_encode(id))
                           : fmt::format("{}/{}/{}", kCollection, percent_encode(id), operation);
}

Json request_body(const std::string& type, const std::string& name, Json config, const Json& credentials) {
  Json body{{"type", type}, {"name", name}, {"config", std::move(config)}};
  if (!credentials.is_null()) body["credentials"] = credentials;
  return body;
}

void warn_of_more(CommandContext& context, std::size_t limit) {
  context.output.warning(fmt::format("only the first {} are shown; --limit shows more", limit));
}

/// Tests a draft before it is saved, when that is wanted. False when it must not be saved; that has been shown already.
Result<bool> test_before_saving(CommandContext& context, const IntegrationFlags& flags, const JsonPtr& body) {
  if (!flags.test) return true;
  const std::string name = text_at(*body, "name");
  context.output.progress(fmt::format("testing {} …", name));
  Result<ApiAnswer> answer =
      context.call({.method = "POST", .path = "/api/v1/integrations:test", .query = {}, .body = body, .headers = {}});
  if (!answer) return fail(std::move(answer).error());
  context.output.done();
  const bool success = member_at(*answer->data, "success") == Json(true);
  const bool refused = !success && !flags.force;
  if (context.output.for_people()) {
    show_connection_test(context.output, name, *answer->data, Tested::draft);
    context.output.line();
  } else if (refused) {
    context.output.document(*answer->data);
  }
  if (success) return true;
  if (flags.force) {
    context.output.warning("saved although the connection test failed (--force)");
    return true;
  }
  context.output.error(
      Error(ErrorCode::vendor_failure, fmt::format("{} was not saved, because its connection test failed", name))
          .with_reason("cli.test_failed")
          .with_remedy("mend what the test shows, or save it all the same with --force"),
      option_for_pointer);
  return false;
}

Result<int> show_saved(CommandContext& context, std::string_view what, const Json& integration) {
  if (!context.output.for_people()) {
    context.output.document(integration);
    return kExitOk;
  }
  const std::string name = printable(text_at(integration, "name"));
  context.output.line(
      fmt::format("{} {} {}", context.output.paint("✓", Tone::good), what, context.output.paint(name, Tone::strong)));
  show_integration(context.output, integration);
  return kExitOk;
}

Result<int> create(CommandContext& context, const IntegrationFlags& flags) {
  Result<Json> credentials = read_credentials(flags, context.environment);
  if (!credentials) return fail(std::move(credentials).error());
  Result<Json> config = apply_flags(Json::object(), flags, context.environment);
  if (!config) return fail(std::move(config).error());
  const JsonPtr body = share(request_body(flags.type, flags.name, std::move(*config), *credentials));
  const Result<bool> may_be_saved = test_before_saving(context, flags, body);
  if (!may_be_saved) return fail(may_be_saved.error());
  if (!*may_be_saved) return exit_code_of_bad_finding();
  ApiRequest request{.method = "POST", .path = kCollection, .query = {}, .body = body, .headers = {}};
  if (!flags.idempotency_key.empty()) request.headers.set("Idempotency-Key", flags.idempotency_key);
  Result<ApiAnswer> answer = context.call(std::move(request));
  if (!answer) return fail(std::move(answer).error());
  const bool replayed = answer->headers.find("Idempotent-Replayed").has_value();
  return show_saved(context, replayed ? "had already created" : "created", *answer->data);
}

Result<int> update(CommandContext& context, const std::string& integration, const IntegrationFlags& flags) {
  Result<Json> credentials = read_credentials(flags, context.environment);
  if (!credentials) return fail(std::move(credentials).error());
  Result<ApiAnswer> current = context.find_integration(integration);
  if (!current) return fail(std::move(current).error());
  const Json& before = *current->data;
  Result<Json> config = apply_flags(member_at(before, "config"), flags, context.environment);
  if (!config) return fail(std::move(config).error());
  const std::string name = flags.name.empty() ? text_at(before, "name") : flags.name;
  if (flags.test) {
    // A draft has no stored credential to fall back to, so it names the one in use.
    const Json tested = credentials->is_null() ? Json{{"ref", text_at(before, "credentialRef")}} : *credentials;
    const Result<bool> may_be_saved =
        test_before_saving(context, flags, share(request_body(text_at(before, "type"), name, *config, tested)));
    if (!may_be_saved) return fail(may_be_saved.error());
    if (!*may_be_saved) return exit_code_of_bad_finding();
  }
  ApiRequest request{.method = "PUT",
                     .path = path_of(text_at(before, "id")),
                     .query = {},
                     .body = share(request_body(text_at(before, "type"), name, std::move(*config), *credentials)),
                     .headers = {}};
  if (const auto etag = current->headers.find("ETag")) request.headers.set("If-Match", std::string(*etag));
  Result<ApiAnswer> answer = context.call(std::move(request));
  if (!answer) return fail(std::move(answer).error());
  return show_saved(context, "updated", *answer->data);
}

Result<int> set_credential(CommandContext& context, const std::string& integration, const IntegrationFlags& flags) {
  if (flags.credential_ref.empty() && flags.secret_file.empty() && !flags.secret_stdin && !flags.secret_prompt) {
    return fail(
        Error(ErrorCode::invalid_argument, "which credential? none was given")
            .with_reason("cli.usage")
            .with_remedy("give one of --secret-stdin, --secret-file FILE, --secret-prompt, --credential-ref REF"));
  }
  return update(context, integration, flags);
}

struct ListFlags {
  std::string type;
  std::string family;
  std::string health;
  std::string query;
  std::string sort;
  std::size_t limit = kDefaultLimit;
};

Result<int> list(CommandContext& context, const ListFlags& flags) {
  auto listing = context.list(kCollection,
                              {{"type", flags.type},
                               {"family", flags.family},
                               {"health", flags.health},
                               {"q", flags.query},
                               {"sort", flags.sort}},
                              "", flags.limit);
  if (!listing) return fail(std::move(listing).error());
  if (listing->more) warn_of_more(context, flags.limit);
  if (!context.output.for_people()) {
    context.output.document(*listing->entries);
  } else if (listing->entries->empty()) {
    context.output.line("no integrations");
  } else {
    show_integrations(context.output, *listing->entries);
  }
  return kExitOk;
}

Result<int> get(CommandContext& context, const std::string& integration) {
  Result<ApiAnswer> answer = context.find_integration(integration);
  if (!answer) return fail(std::move(answer).error());
  if (context.output.for_people()) {
    show_integration(context.output, *answer->data);
  } else {
    context.output.document(*answer->data);
  }
  return kExitOk;
}

bool confirmed(CommandContext& context, const std::string& integration) {
  CliEnvironment& environment = context.environment;
  if (!environment.in_is_terminal || !environment.err_is_terminal) return true;
  environment.err << fmt::format("delete {} and its sealed credential? [y/N] ", printable(integration)) << std::flush;
  std::string answer;
  std::getline(environment.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<int> remove(CommandContext& context, const std::string& integration, bool yes) {
  Result<std::string> id = context.find_integration_id(integration);
  if (!id) return fail(std::move(id).error());
  if (!yes && !confirmed(context, integration)) {
    return fail(Error(ErrorCode::cancelled, "nothing was deleted").with_reason("cli.not_confirmed"));
  }
  Result<ApiAnswer> answer =
      context.call({.method = "DELETE", .path = path_of(*id), .query = {}, .body = nullptr, .headers = {}});
  if (!answer) return fail(std::move(answer).error());
  if (context.output.for_people()) {
    context.output.line(fmt::format("{} deleted {}", context.output.paint("✓", Tone::good), printable(integration)));
  } else {
    context.output.document(Json{{"id", *id}, {"deleted", true}});
  }
  return kExitOk;
}

Result<int> test(CommandContext& context, const std::string& integration, bool cached) {
  Result<std::string> id = context.find_integration_id(integration);
  if (!id) return fail(std::move(id).error());
  context.output.progress(fmt::format("testing {} …", integration));
  Result<ApiAnswer> answer = context.call({.method = "POST",
                                           .path = path_of(*id, "test"),
                                           .query = {{"fresh", cached ? "" : "true"}},
                                           .body = nullptr,
                                           .headers = {}});
  if (!answer) return fail(std::move(answer).error());
  context.output.done();
  if (context.output.for_people()) {
    show_connection_test(context.output, integration, *answer->data, Tested::stored);
  } else {
    context.output.document(*answer->data);
  }
  return member_at(*answer->data, "success") == Json(true) ? kExitOk : exit_code_of_bad_finding();
}

Result<int> health(CommandContext& context, const std::string& integration, bool fresh) {
  Result<std::string> id = context.find_integration_id(integration);
  if (!id) return fail(std::move(id).error());
  context.output.progress(fmt::format("asking for the health of {} …", integration));
  Result<ApiAnswer> answer = context.call({.method = "GET",
                                           .path = path_of(*id, "health"),
                                           .query = {{"fresh", fresh ? "true" : ""}},
                                           .body = nullptr,
                                           .headers = {}});
  if (!answer) return fail(std::move(answer).error());
  context.output.done();
  if (context.output.for_people()) {
    show_health(context.output, integration, *answer->data);
  } else {
    context.output.document(*answer->data);
  }
  return text_at(*answer->data, "status") == "unhealthy" ? exit_code_of_bad_finding() : kExitOk;
}

struct ResourceFlags {
  std::string type;
  std::string parent;
  std::string query;
  bool fresh = false;
  std::size_t limit = kDefaultLimit;
};

Result<int> resources(CommandContext& context, const std::string& integration, const ResourceFlags& flags) {
  Result<std::string> id = context.find_integration_id(integration);
  if (!id) return fail(std::move(id).error());
  context.output.progress(
      fmt::format("listing {} of {} …", flags.type.empty() ? "resources" : flags.type, integration));
  auto listing = context.list(
      path_of(*id, "resources"),
      {{"type", flags.type}, {"parent", flags.parent}, {"q", flags.query}, {"fresh", flags.fresh ? "true" : ""}},
      "resources", flags.limit);
  if (!listing) return fail(std::move(listing).error());
  context.output.done();
  const Json& first = *listing->first_data;
  if (const Json& warnings = member_at(first, "warnings"); warnings.is_array()) {
    for (const Json& warning : warnings) {
      if (warning.is_string()) context.output.warning(warning.get<std::string>());
    }
  }
  if (listing->more) {
    warn_of_more(context, flags.limit);
  } else if (member_at(first, "truncated") == Json(true)) {
    context.output.warning("the remote system has more than the hub lists; narrow the list with --query or --parent");
  }
  if (!context.output.for_people()) {
    Json document = first;
    document["resources"] = *listing->entries;
    context.output.document(document);
  } else if (listing->entries->empty()) {
    context.output.line("nothing found");
  } else {
    show_resources(context.output, *listing->entries);
  }
  return kExitOk;
}

void add_config_options(CLI::App& command, IntegrationFlags& flags) {
  takes_file(command.add_option("--config", flags.config_file,
                                "Members of the config as JSON or YAML; - reads standard input"));
  command.add_option("--endpoint", flags.endpoint, "Base URL of the remote system")->type_name("URL");
  command.add_option("--username", flags.username, "User that the secret belongs to")->type_name("NAME");
  one_of(command.add_option("--auth-mode", flags.auth_mode, "How the credential authorises a request"),
         {"token", "oauth", "mtls", "iam"});
  takes_file(command.add_option("--ca-bundle", flags.ca_bundle_file,
                                "PEM certificates to trust besides the system's authorities"));
  takes_file(command.add_option("--client-certificate", flags.client_certificate_file,
                                "PEM certificate chain for mutual TLS; its private key is the secret"));
  command.add_flag("--insecure", flags.insecure, "Allow an http:// endpoint where the type refuses one otherwise");
  command.add_option("--proxy", flags.proxy, "Proxy to go through, such as http://proxy.example:3128")
      ->type_name("URL");
  command.add_option("--timeout", flags.timeout, "Longest wait for one answer of the remote system")
      ->type_name("SECONDS");
  command
      .add_option("--header", flags.headers, "Header to send with every request; never one that carries a credential")
      ->type_name("'NAME: VALUE'")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--set", flags.sets, "Any other member of the config, its value as JSON or plain text")
      ->type_name("MEMBER=VALUE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_credential_options(CLI::App& command, IntegrationFlags& flags) {
  command.add_flag("--secret-stdin", flags.secret_stdin, "Read the secret from standard input");
  takes_file(command.add_option("--secret-file", flags.secret_file, "Read the secret from a file"));
  command.add_flag("--secret-prompt", flags.secret_prompt, "Ask for the secret on the terminal, without echo");
  command
      .add_option("--credential-ref", flags.credential_ref,
                  "Where the secret is, such as authref://env/NAME, or authref://none")
      ->type_name("REF");
}

void add_test_options(CLI::App& command, IntegrationFlags& flags) {
  command.add_flag("--test", flags.test, "Test the connection first, and do not save when the test fails");
  command.add_flag("--force", flags.force, "With --test: save all the same");
}

CLI::Option* add_limit(CLI::App& command, std::size_t& limit) {
  return command.add_option("--limit", limit, fmt::format("Show at most this many; default {}", kDefaultLimit))
      ->type_name("COUNT")
      ->check(CLI::Validator(CLI::Range(std::size_t{1}, kLargestLimit)).description(""));
}

void add_changing_commands(CLI::App& group, ChosenCommand& chosen) {
  const auto created = std::make_shared<IntegrationFlags>();
  CLI::App* command =
      add_command(group, "create", "Register an external system",
                  R"(inthub integration create harbor --type registry.oci --endpoint https://registry.example \
    --username robot --secret-prompt --test
printf %s "$REGISTRY_PASSWORD" | inthub integration create harbor --type registry.oci \
    --endpoint https://registry.example:5000 --ca-bundle ca.pem --username robot --secret-stdin
inthub integration create public --type registry.oci --endpoint https://registry.example \
    --credential-ref authref://none
inthub integration create harbor --type registry.oci --config harbor.yaml --secret-file password.txt)");
  command->add_option("NAME", created->name, "What people will call it; unique")->required();
  command->add_option("--type", created->type, "Integration type; `inthub type list` shows them")
      ->type_name("TYPE")
      ->required();
  add_config_options(*command, *created);
  add_credential_options(*command, *created);
  add_test_options(*command, *created);
  command
      ->add_option("--idempotency-key", created->idempotency_key,
                   "Makes it safe to run the same command again after a lost answer")
      ->type_name("KEY");
  command->callback(
      [created, &chosen] { chosen.run = [created](CommandContext& context) { return create(context, *created); }; });

  const auto updated = std::make_shared<IntegrationFlags>();
  const auto updated_name = std::make_shared<std::string>();
  command = add_command(group, "update", "Change an integration; what is not named stays as it is",
                        R"(inthub integration update harbor --endpoint https://new.example --test
inthub integration update harbor --name harbor-production
inthub integration update harbor --unset proxy --set 'noProxy=["internal.example"]')");
  command->add_option("INTEGRATION", *updated_name, kIntegrationHelp)->required();
  command->add_option("--name", updated->name, "New name")->type_name("NAME");
  add_config_options(*command, *updated);
  command->add_option("--unset", updated->unsets, "Remove a member of the config")
      ->type_name("MEMBER")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_credential_options(*command, *updated);
  add_test_options(*command, *updated);
  command->callback([updated, updated_name, &chosen] {
    chosen.run = [updated, updated_name](CommandContext& context) { return update(context, *updated_name, *updated); };
  });

  const auto credential = std::make_shared<IntegrationFlags>();
  const auto credential_name = std::make_shared<std::string>();
  command = add_command(group, "set-credential", "Give an integration another secret or another credential ref",
                        R"(inthub integration set-credential harbor --secret-prompt
printf %s "$NEW_PASSWORD" | inthub integration set-credential harbor --secret-stdin --test
inthub integration set-credential harbor --credential-ref authref://env/HARBOR_PASSWORD)");
  command->add_option("INTEGRATION", *credential_name, kIntegrationHelp)->required();
  add_credential_options(*command, *credential);
  command->add_option("--username", credential->username, "User that the new secret belongs to")->type_name("NAME");
  add_test_options(*command, *credential);
  command->callback([credential, credential_name, &chosen] {
    chosen.run = [credential, credential_name](CommandContext& context) {
      return set_credential(context, *credential_name, *credential);
    };
  });

  const auto deleted_name = std::make_shared<std::string>();
  const auto yes = std::make_shared<bool>(false);
  command = add_command(group, "delete", "Remove an integration and its sealed credential",
                        R"(inthub integration delete harbor
inthub integration delete harbor --yes)");
  command->add_option("INTEGRATION", *deleted_name, kIntegrationHelp)->required();
  command->add_flag("--yes,-y", *yes, "Do not ask, even on a terminal");
  command->callback([deleted_name, yes, &chosen] {
    chosen.run = [deleted_name, yes](CommandContext& context) { return remove(context, *deleted_name, *yes); };
  });
}

void add_reading_commands(CLI::App& group, ChosenCommand& chosen) {
  const auto filter = std::make_shared<ListFlags>();
  CLI::App* command = add_command(group, "list", "Show the integrations", R"(inthub integration list
inthub integration list --health unhealthy
inthub integration list --family registry --output json | jq -r '.[].name')");
  command->add_option("--type", filter->type, "Only this type, such as registry.oci")->type_name("TYPE");
  command->add_option("--family", filter->family, "Only types of this family, such as registry")->type_name("FAMILY");
  one_of(command->add_option("--health", filter->health, "Only this state of health"),
         {"unknown", "healthy", "degraded", "unhealthy"});
  command->add_option("--query,-q", filter->query, "Only names that contain this")->type_name("TEXT");
  one_of(command->add_option("--sort", filter->sort, "Order; a leading - reverses it"),
         {"name", "createdAt", "updatedAt", "-name", "-createdAt", "-updatedAt"});
  add_limit(*command, filter->limit);
  command->callback(
      [filter, &chosen] { chosen.run = [filter](CommandContext& context) { return list(context, *filter); }; });

  const auto shown = std::make_shared<std::string>();
  command = add_command(group, "get", "Show one integration", R"(inthub integration get harbor
inthub integration get harbor --output yaml)");
  command->add_option("INTEGRATION", *shown, kIntegrationHelp)->required();
  command->callback(
      [shown, &chosen] { chosen.run = [shown](CommandContext& context) { return get(context, *shown); }; });

  const auto tested = std::make_shared<std::string>();
  const auto cached = std::make_shared<bool>(false);
  command = add_command(group, "test", "Test the connection step by step; exit code 7 when it fails",
                        R"(inthub integration test harbor
inthub integration test harbor --output json | jq '.steps[] | select(.status == "fail")')");
  command->add_option("INTEGRATION", *tested, kIntegrationHelp)->required();
  command->add_flag("--cached", *cached, "A result of the last two minutes will do");
  command->callback([tested, cached, &chosen] {
    chosen.run = [tested, cached](CommandContext& context) { return test(context, *tested, *cached); };
  });

  const auto checked = std::make_shared<std::string>();
  const auto fresh = std::make_shared<bool>(false);
  command = add_command(group, "health", "Show the health of the remote system; exit code 7 when it is unhealthy",
                        R"(inthub integration health harbor
inthub integration health harbor --fresh)");
  command->add_option("INTEGRATION", *checked, kIntegrationHelp)->required();
  command->add_flag("--fresh", *fresh, "Ask the remote system now");
  command->callback([checked, fresh, &chosen] {
    chosen.run = [checked, fresh](CommandContext& context) { return health(context, *checked, *fresh); };
  });

  const auto owner = std::make_shared<std::string>();
  const auto wanted = std::make_shared<ResourceFlags>();
  command =
      add_command(group, "resources", "List what is in the remote system", R"(inthub integration resources harbor repos
inthub integration resources harbor repos --query team/
inthub integration resources harbor tags --parent team/app --fresh)");
  command->add_option("INTEGRATION", *owner, kIntegrationHelp)->required();
  command->add_option("TYPE", wanted->type,
                      "Resource type, such as repos or tags; `inthub type get` shows what a type offers");
  command->add_option("--parent", wanted->parent, "What they are below: the repository of tags")->type_name("ID");
  command->add_option("--query,-q", wanted->query, "Only names that contain this")->type_name("TEXT");
  command->add_flag("--fresh", wanted->fresh, "Ask the remote system now");
  add_limit(*command, wanted->limit);
  command->callback([owner, wanted, &chosen] {
    chosen.run = [owner, wanted](CommandContext& context) { return resources(context, *owner, *wanted); };
  });
}

}  // namespace

void add_integration_commands(const CommandTree& tree) {
  CLI::App* group = add_command(
      tree.root, "integration", "Register, change, test and look into external systems",
      R"(inthub integration create harbor --type registry.oci --endpoint https://registry.example --secret-prompt
inthub integration test harbor
inthub integration resources harbor repos)");
  group->require_subcommand(1);
  add_changing_commands(*group, tree.chosen);
  add_reading_commands(*group, tree.chosen);
}

}  // namespace inthub
