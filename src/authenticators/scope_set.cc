#include "authenticators/scope_set.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace inthub {
namespace {

std::string text_of(const std::string& resource, const std::set<std::string>& actions) {
  return actions.empty() ? resource : fmt::format("{}:{}", resource, fmt::join(actions, ","));
}

}  // namespace

ScopeSet::ScopeSet(const std::vector<std::string>& scopes) {
  for (const std::string& scope : scopes) add(scope);
}

ScopeSet ScopeSet::from_challenge(std::string_view text) {
  ScopeSet set;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    set.add(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return set;
}

void ScopeSet::add(std::string_view scope) {
  if (scope.empty()) return;
  const std::size_t first = scope.find(':');
  const std::size_t last = scope.rfind(':');
  // Not of the three-part form: kept whole, for services with scopes of their own.
  const bool has_actions = first != std::string_view::npos && last > first;
  const std::string resource(has_actions ? scope.substr(0, last) : scope);
  if (!actions_.contains(resource) && actions_.size() == kMaxScopes) return;
  std::set<std::string>& known = actions_[resource];
  std::string_view actions = has_actions ? scope.substr(last + 1) : std::string_view{};
  while (!actions.empty()) {
    const std::size_t end = std::min(actions.find(','), actions.size());
    if (end > 0) known.emplace(actions.substr(0, end));
    actions.remove_prefix(std::min(end + 1, actions.size()));
  }
}

void ScopeSet::add(const ScopeSet& other) {
  for (const std::string& scope : other.texts()) add(scope);
}

bool ScopeSet::covers(const ScopeSet& wanted) const {
  return std::ranges::all_of(wanted.actions_, [this](const auto& entry) {
    const auto own = actions_.find(entry.first);
    if (own == actions_.end()) return false;
    return own->second.contains("*") || std::ranges::includes(own->second, entry.second);
  });
}

std::vector<std::string> ScopeSet::texts() const {
  std::vector<std::string> out;
  out.reserve(actions_.size());
  for (const auto& [resource, actions] : actions_) out.push_back(text_of(resource, actions));
  return out;
}

std::vector<std::string> ScopeSet::texts_beginning_with(const ScopeSet& first) const {
  std::vector<std::string> out;
  out.reserve(actions_.size());
  for (const bool leading : {true, false}) {
    for (const auto& [resource, actions] : actions_) {
      if (first.actions_.contains(resource) == leading) out.push_back(text_of(resource, actions));
    }
  }
  return out;
}

std::string ScopeSet::to_string() const {
  return fmt::format("{}", fmt::join(texts(), " "));
}

}  // namespace inthub
