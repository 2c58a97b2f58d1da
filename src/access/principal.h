#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "foundation/ids.h"

namespace inthub {

/// What a caller may do; each includes the ones before it.
enum class Permission : std::uint8_t {
  read,    ///< see integrations, health, resources
  use,     ///< test, resolve, verify
  manage,  ///< create, change, delete
  admin,   ///< tokens, tenants
};
std::string_view name_of(Permission permission);
/// The permission of that exact name, or nothing.
std::optional<Permission> permission_from_name(std::string_view name);

/// The authenticated caller. The tenant of every query comes from here, never from the request.
struct Principal {
  TenantId tenant;
  UserId user;
  TokenId token;
  Permission permission = Permission::read;
};

}  // namespace inthub
