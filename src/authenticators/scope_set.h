#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace inthub {

/// More scopes than this in one request are not asked for: a challenge is the remote system's word.
inline constexpr std::size_t kMaxScopes = 32;

/// What a registry token allows: actions per resource. "repository:host:5000/app:pull,push" is type and name up to the
/// last colon (a name may hold one, a type not), then the actions. A value type.
class ScopeSet {
 public:
  ScopeSet() = default;
  explicit ScopeSet(const std::vector<std::string>& scopes);
  /// Splits a challenge's blank-separated scopes.
  static ScopeSet from_challenge(std::string_view text);

  void add(std::string_view scope);
  void add(const ScopeSet& other);
  /// Whether every action of `wanted` is among these; "*" is all of a resource's.
  bool covers(const ScopeSet& wanted) const;
  bool empty() const { return actions_.empty(); }
  /// One scope per resource in stable order, actions sorted: equal sets give equal texts.
  std::vector<std::string> texts() const;
  /// The same with the resources of `first` before the others: some token services honour only the first scope.
  std::vector<std::string> texts_beginning_with(const ScopeSet& first) const;
  /// texts(), blank-separated: a key.
  std::string to_string() const;

  bool operator==(const ScopeSet&) const = default;

 private:
  std::map<std::string, std::set<std::string>> actions_;  ///< by "type:name"
};

}  // namespace inthub
