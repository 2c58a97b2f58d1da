#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/connector.h"
#include "foundation/json.h"
#include "foundation/result.h"

namespace inthub {

/// One kind of resource that `GET …/resources?type=` lists.
struct ResourceType {
  std::string name;         ///< "repos", "tags"
  std::string parent_type;  ///< what `parent` must name; empty: top level
  std::string description;
};

/// What can be connected. Filled from built-ins and, later, plugins. A value type.
struct IntegrationType {
  std::string id;      ///< "registry.oci"
  std::string family;  ///< "registry"
  std::string display_name;
  std::string description;
  std::string icon_url;
  std::string source;     ///< "built-in" or the plugin's name
  JsonPtr config_schema;  ///< JSON Schema draft-07; properties that hold a secret are not allowed
  std::vector<std::string> capabilities;
  std::vector<ResourceType> resource_types;
  std::vector<std::string> operations;  ///< "resolve", "manifest", "verify", … besides test, health and resources
  std::vector<std::string> auth_modes;  ///< of token, oauth, mtls, iam
  bool credential_required = true;      ///< false: authref://none is sensible
  /// The rules that `config_schema` cannot say (one member that needs another, an endpoint's scheme). Called with a
  /// config that the schema accepts; pointers are relative to the config ("/endpoint"). Empty when every rule holds.
  /// Pure and thread-safe. A null function: there are no such rules.
  std::function<std::vector<Violation>(const Json& config, bool has_credential)> check_rules;
};

/// What a built-in vendor folder offers to the composition root.
struct ConnectorFactory {
  IntegrationType type;
  std::string authenticator;  ///< by name: "registry"
  std::function<std::unique_ptr<Connector>()> make;
};

/// The catalogue of types in this process and the connector behind each. Filled at start; reading is thread-safe.
class ConnectorRegistry {
 public:
  struct Entry {
    IntegrationType type;
    std::string authenticator;
    std::shared_ptr<Connector> connector;
  };
  /// Errors: conflict when two factories claim one type id.
  Result<void> add(ConnectorFactory factory);
  /// Null when there is no such type.
  std::shared_ptr<const Entry> find(std::string_view type_id) const;
  /// Sorted by id.
  std::vector<std::shared_ptr<const Entry>> all() const;

 private:
  std::map<std::string, std::shared_ptr<const Entry>, std::less<>> entries_;
};

}  // namespace inthub
