#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace inthub {
namespace {

ApiRequest open_request(std::string path) {
  return {.method = "GET", .path = std::move(path), .query = {}, .body = nullptr, .headers = {}, .needs_token = false};
}

/// One word for the token: whether this client could do more than ask for the status.
Result<std::string> token_state(CommandContext& context) {
  const Result<ApiAnswer> answer = context.call(
      {.method = "GET", .path = "/api/v1/integrations", .query = {{"pageSize", "1"}}, .body = nullptr, .headers = {}});
  if (answer) return std::string("accepted");
  if (answer.error().reason() == "cli.no_token") return std::string("none");
  if (answer.error().code() == ErrorCode::unauthenticated) return std::string("refused");
  if (answer.error().code() == ErrorCode::permission_denied) return std::string("accepted");
  return fail(answer.error());
}

Result<int> status(CommandContext& context) {
  Result<ApiAnswer> ready = context.call(open_request("/readyz"));
  if (!ready) return fail(std::move(ready).error());
  Result<ApiAnswer> index = context.call(open_request("/api/v1"));
  if (!index) return fail(std::move(index).error());
  Result<std::string> token = token_state(context);
  if (!token) return fail(std::move(token).error());
  Result<std::string> server = context.server();
  if (!server) return fail(std::move(server).error());

  const Json& degraded = member_at(*ready->data, "degraded");
  const std::string state = text_at(*ready->data, "status");
  if (!context.output.for_people()) {
    context.output.document(Json{{"server", *server},
                                 {"status", state},
                                 {"degraded", degraded.is_array() ? degraded : Json::array()},
                                 {"version", text_at(*index->data, "version")},
                                 {"clientVersion", INTHUB_VERSION},
                                 {"token", *token}});
    return kExitOk;
  }
  std::vector<std::pair<std::string, Cell>> fields;
  fields.emplace_back("hub", Cell(*server, Tone::strong));
  fields.emplace_back("status", Cell(state, state == "ready" ? Tone::good : Tone::warning));
  if (degraded.is_array()) {
    for (const Json& mode : degraded) {
      if (mode.is_string()) fields.emplace_back("  because", Cell(mode.get<std::string>()));
    }
  }
  fields.emplace_back("version", text_at(*index->data, "version"));
  fields.emplace_back("client", INTHUB_VERSION);
  fields.emplace_back("token", Cell(*token, *token == "accepted" ? Tone::good : Tone::warning));
  context.output.fields(fields);
  return kExitOk;
}

Result<int> version(CommandContext& context) {
  if (context.output.for_people()) {
    context.output.line("inthub " INTHUB_VERSION);
  } else {
    context.output.document(Json{{"name", "inthub"}, {"version", INTHUB_VERSION}});
  }
  return kExitOk;
}

}  // namespace

void add_system_commands(const CommandTree& tree) {
  ChosenCommand& chosen = tree.chosen;
  add_command(tree.root, "status", "Show whether the hub is ready, and whether it accepts the token", R"(inthub status
inthub status --server https://hub.example --output json)")
      ->callback([&chosen] { chosen.run = status; });
  add_command(tree.root, "version", "Show the version of this program", "inthub version")->callback([&chosen] {
    chosen.run = version;
  });
}

}  // namespace inthub
