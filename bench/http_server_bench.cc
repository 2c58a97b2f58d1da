// How close does the hub's HTTP server, a coroutine handler included, come to nginx serving a file of the same size?
// This is the server's side; bench/http_server_bench.sh starts nginx beside it and drives both with wrk.
//
//   http_server_bench [workers]
//
// Prints "<base URL>" on one line and serves GET /bench until standard input ends.

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include <unistd.h>

#include "foundation/metrics.h"
#include "server/http/http_server.h"

namespace inthub {
namespace {

constexpr std::size_t kDataBytes = 680;  // with the envelope about 800 bytes, a usual answer of the hub

Task<ServerResponse> answer(ServerRequest& request) {
  static const std::string data = "{\"name\":\"" + std::string(kDataBytes - 11, 'x') + "\"}";
  co_return success(request, 200, data);
}

int serve(unsigned workers) {
  Metrics metrics;
  Router router;
  router.add({.method = "GET", .path = "/bench", .needs = std::nullopt, .handler = &answer});
  HttpServer::Options options;
  options.workers = workers;
  auto server = HttpServer::listen(
      options, std::move(router), [](std::string_view) -> Result<Principal> { return Principal{}; }, metrics);
  if (!server) {
    (void)std::fprintf(stderr, "%s\n", server.error().message().c_str());
    return 1;
  }
  (*server)->start();
  (void)std::printf("%s\n", (*server)->address().c_str());
  (void)std::fflush(stdout);
  char ignored = 0;
  while (::read(STDIN_FILENO, &ignored, 1) > 0) {
  }
  (*server)->stop(std::chrono::milliseconds(100));
  return 0;
}

}  // namespace
}  // namespace inthub

int main(int count, char** arguments) {
  unsigned workers = 1;
  if (count > 1) std::from_chars(arguments[1], arguments[1] + std::strlen(arguments[1]), workers);
  return inthub::serve(workers);
}
