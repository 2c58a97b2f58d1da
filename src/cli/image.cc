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

struct ImageFlags {
  std::string integration;
  std::string image;
  std::string platform;
  std::string digest;
  bool strict = false;
  bool fresh = false;
  bool quiet = false;
  bool raw = false;
};

std::string path_of(const std::string& id, std::string_view operation) {
  return fmt::format("/api/v1/integrations/{}/{}", percent_encode(id), operation);
}

Result<int> resolve(CommandContext& context, const ImageFlags& flags) {
  Result<std::string> id = context.find_integration_id(flags.integration);
  if (!id) return fail(std::move(id).error());
  Json body{{"imageRef", flags.image}};
  if (!flags.platform.empty()) body["platform"] = flags.platform;
  if (flags.strict) body["strict"] = true;
  if (flags.fresh) body["fresh"] = true;
  context.output.progress(fmt::format("resolving {} …", flags.image));
  Result<ApiAnswer> answer = context.call(
      {.method = "POST", .path = path_of(*id, "resolve"), .query = {}, .body = share(std::move(body)), .headers = {}});
  if (!answer) return fail(std::move(answer).error());
  context.output.done();
  if (flags.quiet) {
    context.output.line(printable(text_at(*answer->data, "digest")));
  } else if (context.output.for_people()) {
    show_resolution(context.output, *answer->data);
  } else {
    context.output.document(*answer->data);
  }
  return kExitOk;
}

Result<int> manifest(CommandContext& context, const ImageFlags& flags) {
  Result<std::string> id = context.find_integration_id(flags.integration);
  if (!id) return fail(std::move(id).error());
  context.output.progress(fmt::format("fetching the manifest of {} …", flags.image));
  Result<ApiAnswer> answer = context.call({.method = "GET",
                                           .path = path_of(*id, "manifest"),
                                           .query = {{"ref", flags.image},
                                                     {"platform", flags.platform},
                                                     {"raw", flags.raw ? "true" : ""},
                                                     {"fresh", flags.fresh ? "true" : ""}},
                                           .body = nullptr,
                                           .headers = {},
                                           .needs_token = true,
                                           .raw_answer = flags.raw});
  if (!answer) return fail(std::move(answer).error());
  context.output.done();
  if (flags.raw) {
    context.output.raw(answer->body);
  } else if (context.output.for_people()) {
    show_manifest(context.output, *answer->data);
  } else {
    context.output.document(*answer->data);
  }
  return kExitOk;
}

Result<int> verify(CommandContext& context, const ImageFlags& flags) {
  Result<std::string> id = context.find_integration_id(flags.integration);
  if (!id) return fail(std::move(id).error());
  context.output.progress(fmt::format("verifying {} …", flags.image));
  Result<ApiAnswer> answer = context.call({.method = "POST",
                                           .path = path_of(*id, "verify"),
                                           .query = {},
                                           .body = share(Json{{"imageRef", flags.image}, {"digest", flags.digest}}),
                                           .headers = {}});
  if (!answer) return fail(std::move(answer).error());
  context.output.done();
  if (context.output.for_people()) {
    show_verification(context.output, *answer->data);
  } else {
    context.output.document(*answer->data);
  }
  return member_at(*answer->data, "verified") == Json(true) ? kExitOk : exit_code_of_bad_finding();
}

std::shared_ptr<ImageFlags> add_arguments(CLI::App& command) {
  auto flags = std::make_shared<ImageFlags>();
  command.add_option("INTEGRATION", flags->integration, "The registry: an integration's name or id")->required();
  command.add_option("IMAGE", flags->image, "The image, such as team/app:v1 or team/app@sha256:…")->required();
  return flags;
}

void add_platform(CLI::App& command, ImageFlags& flags) {
  command.add_option("--platform", flags.platform, "Choose this platform out of a multi-platform image")
      ->type_name("OS/ARCH[/VARIANT]");
}

}  // namespace

void add_image_commands(const CommandTree& tree) {
  ChosenCommand& chosen = tree.chosen;
  CLI::App* command = add_command(tree.root, "resolve", "Tell which digest an image's tag stands for",
                                  R"(inthub resolve harbor team/app:v1
inthub resolve harbor team/app:v1 --platform linux/arm64
digest=$(inthub resolve harbor team/app:v1 --quiet))");
  const auto resolved = add_arguments(*command);
  add_platform(*command, *resolved);
  command->add_flag("--strict", resolved->strict,
                    "Compute the digest from the manifest's bytes instead of believing the registry");
  command->add_flag("--fresh", resolved->fresh, "Ask the registry now");
  command->add_flag("--quiet", resolved->quiet, "Print the digest and nothing else");
  command->callback([resolved, &chosen] {
    chosen.run = [resolved](CommandContext& context) { return resolve(context, *resolved); };
  });

  command =
      add_command(tree.root, "manifest", "Fetch an image's manifest or index", R"(inthub manifest harbor team/app:v1
inthub manifest harbor team/app:v1 --output json | jq .manifest
inthub manifest harbor team/app:v1 --raw | sha256sum)");
  const auto fetched = add_arguments(*command);
  add_platform(*command, *fetched);
  command->add_flag("--raw", fetched->raw, "Write the manifest's bytes exactly as the registry keeps them");
  command->add_flag("--fresh", fetched->fresh, "Ask the registry now");
  command->callback(
      [fetched, &chosen] { chosen.run = [fetched](CommandContext& context) { return manifest(context, *fetched); }; });

  command = add_command(
      tree.root, "verify", "Check that an image has the digest it should have; exit code 7 when it has not",
      R"(inthub verify harbor team/app:v1 sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08)");
  const auto verified = add_arguments(*command);
  command->add_option("DIGEST", verified->digest, "The digest that is expected, such as sha256:…")->required();
  command->callback(
      [verified, &chosen] { chosen.run = [verified](CommandContext& context) { return verify(context, *verified); }; });
}

}  // namespace inthub
