#include <fmt/format.h>
#include <fmt/ranges.h>

#include "foundation/encoding.h"
#include "foundation/metrics.h"
#include "persistence/store.h"
#include "server/rest/json_text.h"
#include "server/rest/preconditions.h"
#include "server/rest/resources.h"

namespace inthub {
namespace {

class SystemResource {
 public:
  explicit SystemResource(const RestDependencies& dependencies)
      : dependencies_(dependencies),
        openapi_etag_(fmt::format("\"{}\"", hex_encode(sha256(openapi_json())).substr(0, kEtagCharacters))) {}

  Task<ServerResponse> index(ServerRequest& request) const {
    std::string data;
    JsonObject out(data);
    out.text("name", "Integration Hub").text("version", INTHUB_VERSION);
    JsonObject links(out.key("links"));
    links.text("openapi", "/openapi.json")
        .text("integrationTypes", "/api/v1/integration-types")
        .text("integrations", "/api/v1/integrations")
        .text("live", "/healthz")
        .text("ready", "/readyz")
        .text("metrics", "/metrics")
        .end();
    out.text("authentication", "Authorization: Bearer <API token>").end();
    co_return success(request, 200, data);
  }

  Task<ServerResponse> live(ServerRequest& request) const {
    std::string data;
    JsonObject(data).text("status", "alive").text("version", INTHUB_VERSION).end();
    co_return success(request, 200, data);
  }

  /// Whether this hub can do its own work. What it is connected to does not count: a vendor's outage must not take the
  /// hub out of a load balancer.
  Task<ServerResponse> ready(ServerRequest& request) const {
    const std::vector<std::string> degraded =
        dependencies_.degraded_modes ? dependencies_.degraded_modes() : std::vector<std::string>();
    const Result<void> writable = co_await dependencies_.store.check_writable();
    if (!writable) {
      Error error = Error(ErrorCode::unavailable, fmt::format("not ready: {}", writable.error().message()))
                        .with_reason("hub.not_ready")
                        .with_remedy(writable.error().remedy())
                        .with_detail("store", std::string(writable.error().reason()));
      if (!degraded.empty())
        error = std::move(error).with_detail("degraded", fmt::format("{}", fmt::join(degraded, "; ")));
      co_return failure(request, error);
    }
    std::string data;
    JsonObject(data)
        .text("status", degraded.empty() ? "ready" : "degraded")
        .text("store", "writable")
        .texts("degraded", degraded)
        .end();
    co_return success(request, 200, data);
  }

  Task<ServerResponse> metrics(ServerRequest& /*request*/) const {
    ServerResponse response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = dependencies_.metrics.expose();
    co_return response;
  }

  Task<ServerResponse> openapi(ServerRequest& request) const {
    ServerResponse response;
    response.headers.emplace_back("ETag", openapi_etag_);
    if (matches_if_none_match(request, openapi_etag_)) {
      response.status = 304;
    } else {
      response.body = openapi_json();
    }
    co_return response;
  }

 private:
  static constexpr std::size_t kEtagCharacters = 16;
  RestDependencies dependencies_;
  std::string openapi_etag_;
};

}  // namespace

void add_system_routes(Router& router, const RestDependencies& dependencies) {
  const auto system = std::make_shared<const SystemResource>(dependencies);
  const auto add = [&](std::string path, Task<ServerResponse> (SystemResource::*method)(ServerRequest&) const) {
    add_route(router, "GET", std::move(path), std::nullopt, bind_handler(system, method));
  };
  add("/", &SystemResource::index);
  add("/api/v1", &SystemResource::index);
  add("/healthz", &SystemResource::live);
  add("/readyz", &SystemResource::ready);
  add("/metrics", &SystemResource::metrics);
  add("/openapi.json", &SystemResource::openapi);
}

}  // namespace inthub
