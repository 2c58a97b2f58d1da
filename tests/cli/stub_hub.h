#pragma once

#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "support/peer_server.h"

namespace inthub::testing_support {

inline constexpr const char* kStubToken = "stub-token-0123456789";
inline constexpr const char* kHarborId = "0198c0de-0000-7000-8000-000000000001";

/// Answers as the hub's REST API does, from a table of "METHOD /path" (without the query). Unknown paths are 404, and
/// everything but /readyz and /api/v1 wants the stub's token.
///   StubHub hub({{"GET /api/v1/integrations", {200, nlohmann::json::array()}}});
class StubHub {
 public:
  struct Answer {
    int status = 200;
    nlohmann::json data = nullptr;        ///< of a success; the "error" object otherwise
    nlohmann::json pagination = nullptr;  ///< null: none
    std::string extra_headers = "";
  };
  using Routes = std::map<std::string, Answer>;

  explicit StubHub(Routes routes)
      : routes_(std::move(routes)),
        server_(scripts::answer([this](const PeerRequest& request) { return answer(request); })) {}

  std::string url() const {
    std::string url = server_.url();
    url.pop_back();  // the "/" of the path
    return url;
  }
  /// The environment of a client of this hub.
  std::map<std::string, std::string> variables() const {
    return {{"INTHUB_SERVER", url()}, {"INTHUB_TOKEN", kStubToken}};
  }
  std::vector<PeerRequest> requests() const { return server_.requests(); }
  PeerRequest last_request() const {
    const auto all = server_.requests();
    return all.empty() ? PeerRequest{} : all.back();
  }

 private:
  std::string answer(const PeerRequest& request) const {
    const std::string path = request.target.substr(0, request.target.find('?'));
    const bool is_open = path == "/readyz" || path == "/api/v1";
    if (!is_open && request.header("Authorization") != fmt::format("Bearer {}", kStubToken)) {
      return failure(401, {{"code", "unauthenticated"}, {"message", "the token is unknown"}}, {});
    }
    const auto found = routes_.find(request.method + " " + path);
    if (found == routes_.end()) {
      return failure(404, {{"code", "not_found"}, {"reason", "stub.no_route"}, {"message", "nothing here"}}, {});
    }
    const Answer& row = found->second;
    if (row.status >= 400) return failure(row.status, row.data, row.extra_headers);
    if (row.status == 204) return http_response(204, "", row.extra_headers);
    nlohmann::json meta{{"requestId", "stub-request"}, {"timestamp", "2026-01-13T18:53:39.000Z"}};
    if (!row.pagination.is_null()) meta["pagination"] = row.pagination;
    return http_response(row.status, nlohmann::json{{"success", true}, {"data", row.data}, {"meta", meta}}.dump(),
                         "Content-Type: application/json\r\n" + row.extra_headers);
  }
  static std::string failure(int status, const nlohmann::json& error, const std::string& extra_headers) {
    const nlohmann::json document{{"success", false}, {"error", error}, {"meta", {{"requestId", "stub-request"}}}};
    return http_response(status, document.dump(), "Content-Type: application/json\r\n" + extra_headers);
  }

  Routes routes_;
  PeerServer server_;
};

/// An integration as the API renders it.
inline nlohmann::json harbor() {
  return {{"id", kHarborId},
          {"tenantId", "0198c0de-0000-7000-8000-00000000000a"},
          {"type", "registry.oci"},
          {"name", "harbor"},
          {"config", {{"endpoint", "https://registry.example"}, {"username", "robot"}, {"timeout", 30}}},
          {"credentialId", "0198c0de-0000-7000-8000-00000000000c"},
          {"credentialRef", "authref://local/0198c0de-0000-7000-8000-00000000000c"},
          {"healthStatus", "healthy"},
          {"health", {{"code", "ok"}, {"message", "the registry answers"}, {"latencyMs", 4}}},
          {"lastHealthCheck", "2026-01-13T18:53:39.000Z"},
          {"createdAt", "2026-01-13T18:00:00.000Z"},
          {"updatedAt", "2026-01-13T18:00:00.000Z"},
          {"createdBy", "0198c0de-0000-7000-8000-00000000000b"},
          {"revision", 3}};
}

/// A failed connection test as the API renders it.
inline nlohmann::json failed_test() {
  return {{"success", false},
          {"errorMessage", "the registry refuses the credential"},
          {"details", nlohmann::json::object()},
          {"latencyMs", 12},
          {"steps",
           {{{"name", "dns"},
             {"status", "pass"},
             {"code", "ok"},
             {"message", "registry.example is 192.0.2.1"},
             {"durationMs", 1.5}},
            {{"name", "tls"},
             {"status", "warn"},
             {"code", "tls.expires_soon"},
             {"message", "the certificate ends in 3 days"},
             {"durationMs", 6.25},
             {"remedy", "renew the certificate"}},
            {{"name", "authentication"},
             {"status", "fail"},
             {"code", "authentication.rejected"},
             {"message", "the registry refuses the credential"},
             {"durationMs", 3},
             {"field", "/credentialRef"},
             {"remedy", "give the password of robot again"}},
            {{"name", "capability"},
             {"status", "skip"},
             {"code", "skipped"},
             {"message", "not reached"},
             {"durationMs", 0}}}},
          {"testedAt", "2026-01-13T18:53:39.000Z"},
          {"cached", false},
          {"ageSeconds", 0}};
}

}  // namespace inthub::testing_support
