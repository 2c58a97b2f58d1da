#pragma once

#include <string>
#include <string_view>

#include "foundation/clock.h"
#include "foundation/ids.h"
#include "persistence/records.h"

namespace inthub {

class RandomSource;

/// A CloudEvents 1.0 document (structured mode, JSON) for the outbox: specversion "1.0", id, source "/inthub", type,
/// subject, time, datacontenttype "application/json", tenantid (extension), data. `data` never holds a secret.
Event make_event(TenantId tenant, std::string type, std::string subject, Json data, const Clock& clock,
                 RandomSource& random);

}  // namespace inthub
