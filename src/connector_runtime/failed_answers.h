#pragma once

#include <optional>

#include "connectors/connector.h"
#include "foundation/error.h"
#include "transport/http_client.h"

namespace inthub {

/// What is known about how far a call came when its connector answered an Error.
struct CallTrail {
  const HttpFailure* failure = nullptr;  ///< of the last exchange with the integration's own endpoint
  std::optional<HttpTimings> timings;    ///< of the last such exchange that was answered
  bool in_authentication = false;        ///< the credential could not be had, exchanged or applied
  bool tls = false;                      ///< the endpoint is https
};

/// Whether an operation's error says something about the remote system or the integration's settings, so that a test or
/// a health check tells it as its result. False for what says something about the hub or the caller: unsupported,
/// cancelled, internal.
bool is_finding(const Error& error);

/// A failed test that shows the steps up to the failure. Pure.
ConnectionTest failed_test(const Error& error, const CallTrail& trail);
/// An unhealthy report with the error's reason, message and remedy. Pure.
HealthReport unhealthy_report(const Error& error);

}  // namespace inthub
