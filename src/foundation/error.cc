#include "foundation/error.h"

#include <array>

namespace inthub {
namespace {

// gRPC statuses: google/rpc/code.proto. Exit codes are documented in docs/cli.md; 2 is usage, as CLI11 and getopt have
// it.
constexpr std::array kRows{
    ErrorCodeRow{ErrorCode::invalid_argument, "invalid_argument", 400, 3, 2},
    ErrorCodeRow{ErrorCode::unauthenticated, "unauthenticated", 401, 16, 3},
    ErrorCodeRow{ErrorCode::permission_denied, "permission_denied", 403, 7, 3},
    ErrorCodeRow{ErrorCode::not_found, "not_found", 404, 5, 4},
    ErrorCodeRow{ErrorCode::conflict, "conflict", 409, 6, 5},
    ErrorCodeRow{ErrorCode::stale_revision, "stale_revision", 412, 9, 5},
    ErrorCodeRow{ErrorCode::payload_too_large, "payload_too_large", 413, 11, 6},
    ErrorCodeRow{ErrorCode::unsupported_media_type, "unsupported_media_type", 415, 3, 6},
    ErrorCodeRow{ErrorCode::validation_failed, "validation_failed", 422, 3, 6},
    ErrorCodeRow{ErrorCode::rate_limited, "rate_limited", 429, 8, 8},
    ErrorCodeRow{ErrorCode::unsupported, "unsupported", 501, 12, 6},
    ErrorCodeRow{ErrorCode::vendor_failure, "vendor_failure", 502, 9, 7},
    ErrorCodeRow{ErrorCode::unavailable, "unavailable", 503, 14, 8},
    ErrorCodeRow{ErrorCode::deadline_exceeded, "deadline_exceeded", 504, 4, 8},
    ErrorCodeRow{ErrorCode::cancelled, "cancelled", 499, 1, 130},
    ErrorCodeRow{ErrorCode::internal, "internal", 500, 13, 1},
};

}  // namespace

const ErrorCodeRow& describe(ErrorCode code) {
  for (const ErrorCodeRow& row : kRows) {
    if (row.code == code) return row;
  }
  return kRows.back();
}

ErrorCode error_code_from_http_status(int status) {
  for (const ErrorCodeRow& row : kRows) {
    if (row.http_status == status) return row.code;
  }
  return ErrorCode::internal;
}

struct Error::Body {
  ErrorCode code;
  std::string message;
  std::string reason;
  std::string remedy;
  std::string field;
  std::map<std::string, std::string> details;
  std::vector<Violation> violations;
  std::optional<std::chrono::seconds> retry_after;
};

Error::Error(ErrorCode code, std::string message)
    : body_(std::make_unique<Body>(Body{.code = code,
                                        .message = std::move(message),
                                        .reason = {},
                                        .remedy = {},
                                        .field = {},
                                        .details = {},
                                        .violations = {},
                                        .retry_after = {}})) {}
Error::Error(const Error& other) : body_(std::make_unique<Body>(*other.body_)) {}
Error::Error(Error&&) noexcept = default;
Error& Error::operator=(const Error& other) {
  if (this != &other) body_ = std::make_unique<Body>(*other.body_);
  return *this;
}
Error& Error::operator=(Error&&) noexcept = default;
Error::~Error() = default;

ErrorCode Error::code() const {
  return body_->code;
}
std::string_view Error::reason() const {
  return body_->reason.empty() ? describe(body_->code).name : body_->reason;
}
const std::string& Error::message() const {
  return body_->message;
}
const std::string& Error::remedy() const {
  return body_->remedy;
}
const std::string& Error::field() const {
  return body_->field;
}
const std::map<std::string, std::string>& Error::details() const {
  return body_->details;
}
const std::vector<Violation>& Error::violations() const {
  return body_->violations;
}
std::optional<std::chrono::seconds> Error::retry_after() const {
  return body_->retry_after;
}

Error&& Error::with_reason(std::string reason) && {
  body_->reason = std::move(reason);
  return std::move(*this);
}
Error&& Error::with_remedy(std::string remedy) && {
  body_->remedy = std::move(remedy);
  return std::move(*this);
}
Error&& Error::with_field(std::string json_pointer) && {
  body_->field = std::move(json_pointer);
  return std::move(*this);
}
Error&& Error::with_detail(std::string name, std::string value) && {
  body_->details.insert_or_assign(std::move(name), std::move(value));
  return std::move(*this);
}
Error&& Error::with_violations(std::vector<Violation> violations) && {
  body_->violations = std::move(violations);
  return std::move(*this);
}
Error&& Error::with_retry_after(std::chrono::seconds wait) && {
  body_->retry_after = wait;
  return std::move(*this);
}
Error&& Error::with_context(std::string_view what) && {
  body_->message.insert(0, ": ").insert(0, what);
  return std::move(*this);
}
Error Error::with_context(std::string_view what) const& {
  return Error(*this).with_context(what);
}

}  // namespace inthub
