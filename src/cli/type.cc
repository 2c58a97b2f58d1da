#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/views.h"
#include "foundation/encoding.h"

namespace inthub {
namespace {

/// More types than any hub has.
constexpr std::size_t kLargestList = 10'000;

Result<int> list(CommandContext& context, const std::string& family) {
  auto listing = context.list("/api/v1/integration-types", {{"family", family}}, "", kLargestList);
  if (!listing) return fail(std::move(listing).error());
  if (context.output.for_people()) {
    show_types(context.output, *listing->entries);
  } else {
    context.output.document(*listing->entries);
  }
  return kExitOk;
}

Result<int> get(CommandContext& context, const std::string& type) {
  Result<ApiAnswer> answer = context.call({.method = "GET",
                                           .path = fmt::format("/api/v1/integration-types/{}", percent_encode(type)),
                                           .query = {},
                                           .body = nullptr,
                                           .headers = {}});
  if (!answer) return fail(std::move(answer).error());
  if (context.output.for_people()) {
    show_type(context.output, *answer->data);
  } else {
    context.output.document(*answer->data);
  }
  return kExitOk;
}

}  // namespace

void add_type_commands(const CommandTree& tree) {
  CLI::App* group =
      add_command(tree.root, "type", "See what kinds of external systems can be connected", R"(inthub type list
inthub type get registry.oci)");
  group->require_subcommand(1);
  ChosenCommand& chosen = tree.chosen;

  const auto family = std::make_shared<std::string>();
  CLI::App* command = add_command(*group, "list", "Show the integration types that this hub knows", R"(inthub type list
inthub type list --family registry)");
  command->add_option("--family", *family, "Only this family, such as registry")->type_name("FAMILY");
  command->callback(
      [family, &chosen] { chosen.run = [family](CommandContext& context) { return list(context, *family); }; });

  const auto type = std::make_shared<std::string>();
  command = add_command(*group, "get", "Show one type: its config, its capabilities and its resources",
                        R"(inthub type get registry.oci
inthub type get registry.oci --output json | jq .configSchema)");
  command->add_option("TYPE", *type, "The type, such as registry.oci")->required();
  command->callback([type, &chosen] { chosen.run = [type](CommandContext& context) { return get(context, *type); }; });
}

}  // namespace inthub
