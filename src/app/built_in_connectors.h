#pragma once

#include "connectors/integration_type.h"
#include "foundation/result.h"

namespace inthub {

/// What is in this binary: one line per vendor. Errors: conflict when two claim one type.
Result<void> add_built_in_connectors(ConnectorRegistry& registry);

}  // namespace inthub
