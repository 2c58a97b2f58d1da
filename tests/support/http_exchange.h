#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace inthub::testing_support {

/// An answer as it came over the wire.
struct HttpAnswer {
  int status = 0;                              ///< 0: the server closed without an answer
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  /// "" when absent.
  std::string header(const std::string& lower_case_name) const;
};

/// One blocking HTTP/1.1 request on a connection of its own ("Connection: close") to 127.0.0.1:`port`; reads until the
/// server closes. Host and Content-Length are added. Throws std::runtime_error when it cannot connect.
HttpAnswer http_exchange(std::uint16_t port, std::string_view method, std::string_view target,
                         const std::vector<std::pair<std::string, std::string>>& headers = {},
                         std::string_view body = {});

}  // namespace inthub::testing_support
