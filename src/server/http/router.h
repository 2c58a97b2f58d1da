#pragma once

#include "access/principal.h"
#include "server/http/message.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace inthub {

/// `request` lives until the returned task has ended.
using Handler = std::function<Task<ServerResponse>(ServerRequest& request)>;

struct Route {
  std::string method;
  /// "/api/v1/integrations/{id}/test"; a last segment may carry a custom verb: "/api/v1/integrations:test".
  std::string path;
  /// What the caller must be allowed to do; nullopt: the route is public (/healthz, /readyz, /metrics?, /openapi.json).
  std::optional<Permission> needs;
  Handler handler;
  /// Accepts a request body; the Content-Type must then be application/json (415 otherwise) when there is one.
  bool takes_body = false;
};

/// A trie of path segments; matching is linear in the path's length and uses no regular expression. Literal segments win over
/// placeholders. Built before serving, read-only and thread-safe afterwards.
class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;
  /// Throws std::logic_error when the same method and path are added twice: a bug found at start.
  void add(Route route);
  struct Match {
    const Route* route = nullptr;        ///< null: none for this method
    std::vector<std::string> parameters;
    std::string allow;                   ///< "GET, PUT": methods of this path, empty when the path is unknown
    bool bad_escape = false;
  };
  /// HEAD matches GET.
  Match match(std::string_view method, std::string_view path) const;
  /// Every route, for the test that holds them against api/openapi.yaml.
  std::vector<const Route*> routes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub
