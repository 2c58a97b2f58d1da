#include "connector_runtime/call_secrets.h"

#include <algorithm>
#include <utility>

#include "connectors/connector.h"
#include "foundation/redact.h"

namespace inthub {

void CallSecrets::add(std::string_view value) {
  if (value.empty() || secrets_.size() >= kMostSecrets) return;
  const auto known = [value](const SecretPtr& secret) { return secret->reveal() == value; };
  if (std::ranges::any_of(secrets_, known)) return;
  secrets_.push_back(make_secret(std::string(value)));
}

void CallSecrets::remember(const SecretPtr& secret) {
  if (!secret) return;
  const std::string_view value = secret->reveal();
  add(value);
  const std::size_t colon = value.find(':');
  if (colon != std::string_view::npos && value.find('\n') == std::string_view::npos) add(value.substr(colon + 1));
}

void CallSecrets::remember_headers(const Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (!is_credential_header(name)) continue;
    add(value);
    const std::size_t blank = value.find(' ');
    if (blank != std::string::npos) add(std::string_view(value).substr(blank + 1));
  }
}

std::string CallSecrets::clean(std::string_view text) const {
  return redact(text, secrets_, kMostMessageBytes);
}

Error CallSecrets::clean(const Error& error) const {
  Error cleaned(error.code(), clean(error.message()));
  if (error.reason() != describe(error.code()).name) cleaned = std::move(cleaned).with_reason(clean(error.reason()));
  if (!error.remedy().empty()) cleaned = std::move(cleaned).with_remedy(clean(error.remedy()));
  if (!error.field().empty()) cleaned = std::move(cleaned).with_field(error.field());
  for (const auto& [name, value] : error.details()) cleaned = std::move(cleaned).with_detail(name, clean(value));
  if (!error.violations().empty()) cleaned = std::move(cleaned).with_violations(error.violations());
  if (const auto wait = error.retry_after()) cleaned = std::move(cleaned).with_retry_after(*wait);
  return cleaned;
}

void CallSecrets::clean(ConnectionTest& test) const {
  test.error_message = clean(test.error_message);
  for (auto& [name, value] : test.details) value = clean(value);
  for (TestStep& step : test.steps) {
    step.message = clean(step.message);
    step.remedy = clean(step.remedy);
  }
}

void CallSecrets::clean(HealthReport& report) const {
  report.message = clean(report.message);
  report.remedy = clean(report.remedy);
  for (auto& [name, value] : report.details) value = clean(value);
}

}  // namespace inthub
