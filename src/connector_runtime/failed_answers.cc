#include "connector_runtime/failed_answers.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace inthub {
namespace {

TestStep failed_step(std::string_view name, const Error& error) {
  TestStep step;
  step.name = name;
  step.status = StepStatus::fail;
  step.code = error.reason();
  step.message = error.message();
  step.field = error.field();
  step.remedy = error.remedy();
  return step;
}

TestStep step_not_reached(std::string_view name) {
  TestStep step;
  step.name = name;
  step.code = "skipped";
  step.message = "not reached";
  return step;
}

}  // namespace

bool is_finding(const Error& error) {
  switch (error.code()) {
    case ErrorCode::unsupported:
    case ErrorCode::cancelled:
    case ErrorCode::internal:
      return false;
    default:
      return true;
  }
}

ConnectionTest failed_test(const Error& error, const CallTrail& trail) {
  static constexpr std::array<std::string_view, 4> kTransportSteps{"dns", "tcp", "tls", "http"};
  ConnectionTest test;
  test.details = error.details();
  const bool in_authentication = trail.in_authentication || error.reason().starts_with("authentication.");
  if (trail.failure != nullptr && !in_authentication) {
    test.steps = transport_steps(*trail.failure, trail.tls);
  } else {
    if (trail.timings) {
      test.steps = transport_steps(*trail.timings, trail.tls);
    } else {
      for (const std::string_view name : kTransportSteps) test.steps.push_back(step_not_reached(name));
    }
    if (in_authentication) {
      test.steps.push_back(failed_step("authentication", error));
    } else {
      const std::size_t failed = error.reason().starts_with("tls.") ? 2 : 3;
      test.steps.at(failed) = failed_step(kTransportSteps.at(failed), error);
      for (std::size_t i = failed + 1; i < kTransportSteps.size(); ++i)
        test.steps.at(i) = step_not_reached(kTransportSteps.at(i));
    }
  }
  conclude(test);
  return test;
}

HealthReport unhealthy_report(const Error& error) {
  HealthReport report;
  report.status = HealthStatus::unhealthy;
  report.code = error.reason();
  report.message = error.message();
  report.remedy = error.remedy();
  report.details = error.details();
  if (!error.field().empty()) report.details.emplace("field", error.field());
  return report;
}

}  // namespace inthub
