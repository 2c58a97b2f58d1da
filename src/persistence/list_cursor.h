#pragma once

#include <string>
#include <string_view>

#include "foundation/result.h"
#include "persistence/store.h"

namespace inthub {

/// Where a page of integrations ended: the sort key and the id of its last entry.
struct ListCursor {
  std::string key;  ///< the name, or the time in milliseconds, as the filter sorts
  IntegrationId last;
};

/// The opaque text of IntegrationPage::next: base64url, bound to the tenant, the filter and the order. Pure.
std::string encode_cursor(TenantId tenant, const IntegrationFilter& filter, const ListCursor& cursor);
/// Errors: invalid_argument, reason "cursor.invalid", for any text that encode_cursor() did not make for the same
/// tenant and filter.
Result<ListCursor> decode_cursor(TenantId tenant, const IntegrationFilter& filter, std::string_view text);

}  // namespace inthub
