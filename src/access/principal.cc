#include "access/principal.h"

namespace inthub {

std::string_view name_of(Permission permission) {
  switch (permission) {
    case Permission::read:
      return "read";
    case Permission::use:
      return "use";
    case Permission::manage:
      return "manage";
    case Permission::admin:
      return "admin";
  }
  return "";
}

std::optional<Permission> permission_from_name(std::string_view name) {
  for (const Permission permission : {Permission::read, Permission::use, Permission::manage, Permission::admin}) {
    if (name == name_of(permission)) return permission;
  }
  return std::nullopt;
}

}  // namespace inthub
