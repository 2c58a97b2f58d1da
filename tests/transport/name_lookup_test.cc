// Lookups that never end cannot be had from a real name server without changing the machine, so this executable puts
// its own getaddrinfo() before libc's. It only treats names below ".hangs.test" differently.
#include <condition_variable>
#include <mutex>
#include <string_view>

#include <dlfcn.h>
#include <netdb.h>

#include "support/process.h"
#include "transport/http_client_fixture.h"

namespace {

std::mutex hang_mutex;
std::condition_variable hang_ended;
bool hanging = true;
int lookups_hanging = 0;

/// While it lives, lookups of "*.hangs.test" hang; afterwards they fail. Waits for them, so that none outlives the
/// test.
class HangingLookups {
 public:
  HangingLookups() {
    const std::scoped_lock lock(hang_mutex);
    hanging = true;
  }
  HangingLookups(const HangingLookups&) = delete;
  HangingLookups& operator=(const HangingLookups&) = delete;
  ~HangingLookups() {
    std::unique_lock lock(hang_mutex);
    hanging = false;
    hang_ended.notify_all();
    hang_ended.wait(lock, [] { return lookups_hanging == 0; });
  }
};

}  // namespace

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  if (node != nullptr && std::string_view(node).ends_with(".hangs.test")) {
    std::unique_lock lock(hang_mutex);
    ++lookups_hanging;
    hang_ended.wait(lock, [] { return !hanging; });
    --lookups_hanging;
    hang_ended.notify_all();
    return EAI_AGAIN;
  }
  using Lookup = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Lookup>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(node, service, hints, result);
}

namespace inthub {
namespace {

using testing_support::http_response;
using testing_support::PeerRequest;
using testing_support::PeerServer;
namespace scripts = testing_support::scripts;

TEST_F(HttpClientTest, ALookupThatHangsRunsIntoTheConnectTimeoutAndStopsNobodyElse) {
  const HangingLookups hang;
  const PeerServer peer(scripts::answer([](const PeerRequest&) { return http_response(200, "ok"); }));
  asio::io_context context(1);
  Outcome hung;
  asio::co_spawn(context.get_executor(),
                 client->send(get("http://a.hangs.test/"), profile({.connect_timeout = kBrief}), Deadline::max()),
                 [&](const std::exception_ptr&, Outcome outcome) { hung = std::move(outcome); });
  context.poll();
  EXPECT_THAT(send(peer.url()), answered_with(200));
  context.run();
  ASSERT_THAT(hung, failed_with("connectivity.dns_timeout", HttpStage::dns));
  EXPECT_EQ(hung.error().error.code(), ErrorCode::deadline_exceeded);
  // The timeout, too, must not wait for the lookup.
  EXPECT_THAT(send(peer.url()), answered_with(200));
}

TEST_F(HttpClientTest, TheClientCanBeDestroyedDuringALookup) {
  const HangingLookups hang;
  asio::io_context context(1);
  Outcome outcome;
  asio::co_spawn(context.get_executor(), client->send(get("http://b.hangs.test/"), profile(), Deadline::max()),
                 [&](const std::exception_ptr&, Outcome value) { outcome = std::move(value); });
  context.poll();
  client.reset();
  context.run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code(), ErrorCode::cancelled);
}

}  // namespace
}  // namespace inthub
