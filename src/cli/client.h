#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "foundation/headers.h"
#include "foundation/json.h"
#include "foundation/result.h"
#include "foundation/secret.h"

namespace inthub {

struct CliEnvironment;

inline constexpr std::string_view kDefaultServer = "http://127.0.0.1:8080";
/// Where a hub that was started here with `serve --data-dir ./data` left its first token.
inline constexpr std::string_view kDefaultTokenFile = "./data/admin.token";
/// Longer than the 120 s that the hub itself gives one call to a vendor, so that its answer arrives.
inline constexpr std::chrono::seconds kDefaultCallTime{150};

/// How to reach the hub. Empty members are looked up in the environment, then replaced by the defaults above.
struct ConnectionOptions {
  std::string server;          ///< --server, INTHUB_SERVER
  std::string token_file;      ///< --token-file, INTHUB_TOKEN_FILE; then INTHUB_TOKEN, which holds the token itself
  std::string server_ca_file;  ///< --server-ca, INTHUB_SERVER_CA: PEM, trusted besides the system's authorities
  std::chrono::seconds max_time = kDefaultCallTime;
};

struct ApiRequest {
  std::string method = "GET";
  std::string path;                                        ///< percent-encoded: "/api/v1/integrations"
  std::vector<std::pair<std::string, std::string>> query;  ///< not encoded; empty values are left out
  JsonPtr body;                                            ///< null: none
  Headers headers;
  bool needs_token = true;
  bool raw_answer = false;  ///< a success is wanted as bytes, in ApiAnswer::body
};
struct ApiAnswer {
  int status = 0;
  Headers headers;
  JsonPtr data;      ///< never null
  JsonPtr meta;      ///< never null
  std::string body;  ///< of a request with raw_answer; empty otherwise
};

/// The detail of an Error under which the hub's request id travels.
inline constexpr std::string_view kRequestIdDetail = "requestId";

/// Speaks to one hub, blocking, from the calling thread. Not thread-safe.
class HubClient {
 public:
  /// Errors: invalid_argument for a bad URL, file or token.
  static Result<std::unique_ptr<HubClient>> make(const ConnectionOptions& options, const CliEnvironment& environment);
  ~HubClient();
  HubClient(const HubClient&) = delete;
  HubClient& operator=(const HubClient&) = delete;

  /// One exchange. A failure that the hub reports keeps its class, reason, remedy and violations. Errors of its own:
  /// unauthenticated (reason "cli.no_token") before anything is sent; unavailable when no hub answers.
  Result<ApiAnswer> call(ApiRequest request);
  /// "http://127.0.0.1:8080", without the token.
  const std::string& server() const;

 private:
  HubClient();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub
