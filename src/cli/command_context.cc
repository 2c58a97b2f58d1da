#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "foundation/encoding.h"
#include "foundation/ids.h"

namespace inthub {
namespace {

constexpr std::size_t kPageSize = 200;  // the API's largest

OutputFormat format_of(std::string_view word) {
  if (word == "json") return OutputFormat::json;
  if (word == "yaml") return OutputFormat::yaml;
  return OutputFormat::table;
}

std::string integration_path(std::string_view id) {
  return fmt::format("/api/v1/integrations/{}", percent_encode(id));
}

}  // namespace

int exit_code_of_bad_finding() {
  return describe(ErrorCode::vendor_failure).exit_code;
}

CommandContext::CommandContext(CliEnvironment& process, const GlobalOptions& global)
    : environment(process), options(global), output(process, format_of(global.output)) {}

Result<std::string> CommandContext::server() {
  if (!client_) {
    ConnectionOptions connection = options.connection;
    connection.max_time = std::chrono::seconds(options.max_seconds);
    Result<std::unique_ptr<HubClient>> made = HubClient::make(connection, environment);
    if (!made) return fail(std::move(made).error());
    client_ = std::move(*made);
  }
  return client_->server();
}

Result<ApiAnswer> CommandContext::call(ApiRequest request) {
  if (const Result<std::string> connected = server(); !connected) return fail(connected.error());
  return client_->call(std::move(request));
}

Result<CommandContext::Listing> CommandContext::list(const std::string& path,
                                                     const std::vector<std::pair<std::string, std::string>>& query,
                                                     std::string_view member, std::size_t limit) {
  Listing listing;
  Json all = Json::array();
  const std::size_t page_size = std::clamp<std::size_t>(limit, 1, kPageSize);
  for (std::size_t page = 1;; ++page) {
    ApiRequest part{.method = "GET", .path = path, .query = query, .body = nullptr, .headers = {}};
    part.query.emplace_back("page", fmt::format("{}", page));
    part.query.emplace_back("pageSize", fmt::format("{}", page_size));
    Result<ApiAnswer> answer = call(std::move(part));
    if (!answer) return fail(std::move(answer).error());
    const Json& entries = member.empty() ? *answer->data : member_at(*answer->data, member);
    if (!entries.is_array())
      return fail(ErrorCode::internal, fmt::format("{} was to answer a list, but did not", path));
    if (page == 1) listing.first_data = answer->data;
    for (const Json& entry : entries) {
      if (all.size() < limit) all.push_back(entry);
    }
    const bool has_next = member_at(member_at(*answer->meta, "pagination"), "hasNext") == Json(true);
    if (!has_next || entries.empty() || all.size() == limit) {
      listing.more = has_next || page * page_size - (page_size - entries.size()) > limit;
      listing.entries = share(std::move(all));
      output.done();
      return listing;
    }
    output.progress(fmt::format("read {} entries …", all.size()));
  }
}

Result<ApiAnswer> CommandContext::find_integration(const std::string& id_or_name) {
  Result<std::string> id = find_integration_id(id_or_name);
  if (!id) return fail(std::move(id).error());
  return call({.method = "GET", .path = integration_path(*id), .query = {}, .body = nullptr, .headers = {}});
}

Result<std::string> CommandContext::find_integration_id(const std::string& id_or_name) {
  if (Uuid::parse(id_or_name)) return id_or_name;
  if (id_or_name.empty()) return fail(ErrorCode::invalid_argument, "INTEGRATION is empty: give a name or an id");
  Result<ApiAnswer> answer = call({.method = "GET",
                                   .path = "/api/v1/integrations",
                                   .query = {{"name", id_or_name}},
                                   .body = nullptr,
                                   .headers = {}});
  if (!answer) return fail(std::move(answer).error());
  if (answer->data->is_array()) {
    for (const Json& entry : *answer->data) {
      if (text_at(entry, "name") == id_or_name) return text_at(entry, "id");
    }
  }
  return fail(Error(ErrorCode::not_found, fmt::format("there is no integration named \"{}\"", id_or_name))
                  .with_reason("integration.not_found")
                  .with_remedy("`inthub integration list` shows the names"));
}

std::string text_at(const Json& object, std::string_view name) {
  const Json& member = member_at(object, name);
  if (member.is_null()) return {};
  return member.is_string() ? member.get<std::string>() : to_text(member);
}

const Json& member_at(const Json& object, std::string_view name) {
  static const Json absent;
  if (!object.is_object()) return absent;
  const auto found = object.find(name);
  return found == object.end() ? absent : *found;
}

}  // namespace inthub
