#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace inthub::http {

/// Writes answers as HTTP/1.1 text. Keeps the fields that are the same in every answer, with the Date, formatted for a
/// second. Not thread-safe: one per worker.
class ResponseWriter {
 public:
  enum class Persistence : std::uint8_t {
    keep,           ///< HTTP/1.1's default needs no field
    announce_keep,  ///< to an HTTP/1.0 client that asked for it
    close,
  };
  struct Form {
    std::string_view request_id;
    Persistence persistence = Persistence::keep;
    bool omit_body = false;  ///< the answer to HEAD: Content-Length of a body that is not sent
  };
  /// Appends the whole answer to `out`. A field that a handler sets with the name of a standard one (Cache-Control)
  /// replaces it; line ends and NUL in a field's value become blanks, so a value cannot start a field of its own.
  void append(std::string& out, const ServerResponse& response, const Form& form,
              std::chrono::steady_clock::time_point now);

 private:
  void refresh(std::chrono::steady_clock::time_point now);

  std::string date_field_;
  std::chrono::steady_clock::time_point date_expires_;
};

/// RFC 9110's phrase for a status.
std::string_view reason_phrase(int status);

}  // namespace inthub::http
