#include "events/cloud_event.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace inthub {

Event make_event(TenantId tenant, std::string type, std::string subject, Json data, const Clock& clock,
                 RandomSource& random) {
  const EventId id(Uuid::make(clock, random));
  const Timestamp now = clock.now();
  Json document{{"specversion", "1.0"},
                {"id", id.to_string()},
                {"source", "/inthub"},
                {"type", type},
                {"subject", subject},
                {"time", to_rfc3339(now)},
                {"datacontenttype", "application/json"},
                {"tenantid", tenant.to_string()}};
  document["data"] = std::move(data);
  return {.sequence = 0,
          .id = id,
          .tenant = tenant,
          .type = std::move(type),
          .subject = std::move(subject),
          .document = share(std::move(document)),
          .occurred_at = now};
}

}  // namespace inthub
