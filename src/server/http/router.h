#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/principal.h"
#include "server/http/message.h"

namespace inthub {

/// `request` lives until the returned task has ended.
using Handler = std::function<Task<ServerResponse>(ServerRequest& request)>;

struct Route {
  std::string method;
  /// "/api/v1/integrations/{id}/test"; a last segment may carry a custom verb: "/api/v1/integrations:test",
  /// "/api/v1/integrations/{id}:test". A path may not hold "%".
  std::string path;
  /// What the caller must be allowed to do; nullopt: the route is public (/healthz, /readyz, /metrics?, /openapi.json).
  std::optional<Permission> needs;
  Handler handler;
  /// Accepts a request body; the Content-Type must then be application/json (415 otherwise) when there is one.
  bool takes_body = false;
  /// Set by Router::add(): the position among routes().
  std::size_t number = 0;
};

/// A trie of path segments; matching uses no regular expression and visits each node at most once. Literal segments win
/// over placeholders, also when written with escapes; where the literal branch has no route for the method, the
/// placeholder is tried. A placeholder takes one segment that is not empty. Built before serving, read-only and
/// thread-safe afterwards.
class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;
  /// Throws std::logic_error when the same method and path are added twice, or the path is not one: a bug found at
  /// start.
  void add(Route route);
  struct Match {
    const Route* route = nullptr;  ///< null: none for this method
    std::vector<std::string> parameters;
    std::string allow;        ///< "GET, HEAD, PUT": methods of this path, sorted; empty when the path is unknown
    bool bad_escape = false;  ///< a placeholder's value has a bad escape, control characters or is not UTF-8
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
