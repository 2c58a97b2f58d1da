#include "server/http/router.h"

#include <algorithm>
#include <deque>
#include <map>
#include <stdexcept>

#include <fmt/format.h>

#include "foundation/json.h"

namespace inthub {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Control characters and broken UTF-8 are refused like a bad escape: no resource has such a name, and the value goes
/// into messages, logs and vendor URLs.
bool decode_segment(std::string_view segment, std::string& out) {
  out.clear();
  out.reserve(segment.size());
  for (std::size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '%') {
      if (i + 2 >= segment.size()) return false;
      const int high = hex_value(segment[i + 1]);
      const int low = hex_value(segment[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return false;
    out += c;
  }
  return is_utf8(out);
}

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  path.remove_prefix(1);
  for (;;) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

bool is_placeholder(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

}  // namespace

struct Router::Impl {
  struct Node {
    std::map<std::string, Node, std::less<>> literals;
    std::unique_ptr<Node> placeholder;
    std::map<std::string, Node, std::less<>> verbs;  ///< "{id}:verb", by verb
    std::vector<const Route*> routes;
  };
  struct Search {
    std::string_view method;
    std::vector<std::string> parameters;
    std::vector<std::string_view> allowed;
    const Route* found = nullptr;
    bool bad_escape = false;
  };

  Node root;
  std::deque<Route> routes;  ///< a deque, because the trie points into it

  static bool finish(const Node& node, Search& search) {
    const Route* get = nullptr;
    for (const Route* route : node.routes) {
      if (route->method == search.method) {
        search.found = route;
        return true;
      }
      if (route->method == "GET") get = route;
    }
    if (get && search.method == "HEAD") {
      search.found = get;
      return true;
    }
    for (const Route* route : node.routes) search.allowed.push_back(route->method);
    return false;
  }

  static bool through_placeholder(const Node& child, std::string_view value, std::string_view rest, bool last,
                                  Search& search) {
    if (value.empty()) return false;
    std::string decoded;
    if (!decode_segment(value, decoded)) {
      search.bad_escape = true;
      return false;
    }
    search.parameters.push_back(std::move(decoded));
    if (last ? finish(child, search) : walk(child, rest, search)) return true;
    search.parameters.pop_back();
    return false;
  }

  /// `path` is what follows a slash. Recursion is as deep as the longest route has segments.
  static bool walk(const Node& node, std::string_view path, Search& search) {
    const std::size_t slash = path.find('/');
    const bool last = slash == std::string_view::npos;
    const std::string_view segment = path.substr(0, slash);
    const std::string_view rest = last ? std::string_view() : path.substr(slash + 1);

    auto literal = node.literals.find(segment);
    if (literal == node.literals.end() && segment.contains('%')) {
      std::string decoded;
      if (decode_segment(segment, decoded)) {
        literal = node.literals.find(decoded);
      } else {
        search.bad_escape = true;
      }
    }
    if (literal != node.literals.end()) {
      if (last ? finish(literal->second, search) : walk(literal->second, rest, search)) return true;
    }
    if (last && !node.verbs.empty()) {
      if (const std::size_t colon = segment.rfind(':'); colon != std::string_view::npos) {
        const auto verb = node.verbs.find(segment.substr(colon + 1));
        if (verb != node.verbs.end() && through_placeholder(verb->second, segment.substr(0, colon), {}, true, search)) {
          return true;
        }
      }
    }
    return node.placeholder && through_placeholder(*node.placeholder, segment, rest, last, search);
  }
};

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(Route route) {
  if (!route.path.starts_with('/') || route.method.empty() || !route.handler) {
    throw std::logic_error(
        fmt::format("route {} {}: needs a method, a path that begins with / and a handler", route.method, route.path));
  }
  Impl::Node* node = &impl_->root;
  const auto segments = split_path(route.path);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string_view segment = segments[i];
    const std::size_t colon = segment.rfind(':');
    if (is_placeholder(segment)) {
      if (!node->placeholder) node->placeholder = std::make_unique<Impl::Node>();
      node = node->placeholder.get();
    } else if (i + 1 == segments.size() && colon != std::string_view::npos &&
               is_placeholder(segment.substr(0, colon))) {
      node = &node->verbs[std::string(segment.substr(colon + 1))];
    } else if (segment.find_first_of("{}%") != std::string_view::npos) {
      throw std::logic_error(fmt::format("route {} {}: \"{}\" is neither a literal nor a {{placeholder}}", route.method,
                                         route.path, segment));
    } else {
      node = &node->literals[std::string(segment)];
    }
  }
  for (const Route* known : node->routes) {
    if (known->method == route.method) {
      throw std::logic_error(fmt::format("route {} {} is added twice (as {})", route.method, route.path, known->path));
    }
  }
  route.number = impl_->routes.size();
  impl_->routes.push_back(std::move(route));
  node->routes.push_back(&impl_->routes.back());
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  if (!path.starts_with('/')) return match;
  Impl::Search search{.method = method, .parameters = {}, .allowed = {}, .found = nullptr, .bad_escape = false};
  if (Impl::walk(impl_->root, path.substr(1), search)) {
    match.route = search.found;
    match.parameters = std::move(search.parameters);
    return match;
  }
  match.bad_escape = search.bad_escape;
  auto& allowed = search.allowed;
  if (std::ranges::find(allowed, "GET") != allowed.end()) allowed.emplace_back("HEAD");
  std::ranges::sort(allowed);
  const auto repeated = std::ranges::unique(allowed);
  allowed.erase(repeated.begin(), repeated.end());
  for (const std::string_view one : allowed) {
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += one;
  }
  return match;
}

std::vector<const Route*> Router::routes() const {
  std::vector<const Route*> all;
  all.reserve(impl_->routes.size());
  for (const Route& route : impl_->routes) all.push_back(&route);
  return all;
}

}  // namespace inthub
