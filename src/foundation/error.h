#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace inthub {

/// The closed list of failure classes. One table (describe()) maps each to HTTP, gRPC and exit codes; anything finer is
/// a stable `reason` such as "tls.expired".
enum class ErrorCode : std::uint8_t {
  invalid_argument,        ///< the request cannot be understood
  unauthenticated,         ///< no or unknown credential of the *caller*
  permission_denied,       ///< the caller may not do this
  not_found,               ///< also what another tenant's id answers
  conflict,                ///< already exists, in use, or a concurrent change
  stale_revision,          ///< If-Match names an older revision
  payload_too_large,       ///< a stated bound on input was exceeded
  unsupported_media_type,  ///< Content-Type is not one the endpoint takes
  validation_failed,       ///< well-formed, but breaks a schema or a rule; see violations()
  rate_limited,            ///< the caller must slow down; see retry_after()
  unsupported,             ///< the capability is not offered by this integration type
  vendor_failure,          ///< the remote system refused or answered nonsense
  unavailable,             ///< a dependency cannot be reached now, or this hub is overloaded
  deadline_exceeded,       ///< the remote system or a dependency was too slow
  cancelled,               ///< the caller went away
  internal,                ///< a bug or an environment fault of the hub itself
};

struct ErrorCodeRow {
  ErrorCode code;
  std::string_view name;
  int http_status;
  int grpc_status;  ///< google.rpc.Code
  int exit_code;    ///< of the command line
};
/// The row of `code`. Pure.
const ErrorCodeRow& describe(ErrorCode code);
/// The code whose row has this HTTP status; `internal` when none has. Pure.
ErrorCode error_code_from_http_status(int status);

/// One broken rule of an input document.
struct Violation {
  std::string field;    ///< RFC 6901 JSON pointer into the document, "" for the whole
  std::string message;  ///< the rule, in a sentence, with the remedy where there is one
  std::string code;     ///< stable: "required", "type", "format", "unknown_field", …

  bool operator==(const Violation&) const = default;
};

/// A failure as a value: a class for programs, a reason (stable, dotted, lower case) for support articles, a message
/// and a remedy for people. Never holds a secret: whoever builds one from vendor text redacts first. Cheap to move;
/// copying is a deep copy. Not thread-safe for concurrent writes.
class Error {
 public:
  Error(ErrorCode code, std::string message);
  Error(const Error& other);
  Error(Error&&) noexcept;
  Error& operator=(const Error& other);
  Error& operator=(Error&&) noexcept;
  ~Error();

  ErrorCode code() const;
  /// The stable machine-readable word: the reason if one was set, else the code's name.
  std::string_view reason() const;
  const std::string& message() const;
  /// What to do next, possibly empty.
  const std::string& remedy() const;
  /// JSON pointer of the input or config field that caused it, possibly empty.
  const std::string& field() const;
  const std::map<std::string, std::string>& details() const;
  const std::vector<Violation>& violations() const;
  std::optional<std::chrono::seconds> retry_after() const;

  Error&& with_reason(std::string reason) &&;
  Error&& with_remedy(std::string remedy) &&;
  Error&& with_field(std::string json_pointer) &&;
  Error&& with_detail(std::string name, std::string value) &&;
  Error&& with_violations(std::vector<Violation> violations) &&;
  Error&& with_retry_after(std::chrono::seconds wait) &&;
  /// Puts "<what>: " before the message: what the caller was doing.
  Error&& with_context(std::string_view what) &&;
  Error with_context(std::string_view what) const&;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace inthub
