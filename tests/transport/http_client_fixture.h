#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "foundation/metrics.h"
#include "support/peer_server.h"
#include "support/run_task.h"
#include "support/temporary_directory.h"
#include "support/test_ca.h"
#include "transport/address_policy.h"
#include "transport/http_client.h"

namespace inthub {

/// A client that may connect to this machine, and trusts `system_ca` as if it were one of the system's authorities.
class HttpClientTest : public testing::Test {
 protected:
  using Outcome = std::expected<HttpResponse, HttpFailure>;
  static constexpr std::chrono::seconds kPlenty{20};       ///< for what ends by itself
  static constexpr std::chrono::milliseconds kBrief{400};  ///< for what must run into its time limit

  HttpClientTest() { make_client({"loopback"}); }

  void make_client(const std::vector<std::string>& allowed, HttpClient::Options options = {}) {
    client.reset();
    policy = std::make_unique<AddressPolicy>(AddressPolicy::make(allowed).value());
    options.system_ca_file = system_ca.write_to(directory.path(), "system").string();
    options.user_agent = "inthub-test";
    client = std::make_unique<HttpClient>(std::move(options), *policy, metrics);
  }

  static HttpRequest get(const std::string& url) {
    HttpRequest request;
    request.url = HttpUrl::parse(url).value();
    return request;
  }
  static TransportProfilePtr profile(TransportProfile value = {}) {
    return std::make_shared<const TransportProfile>(std::move(value));
  }
  static TransportProfilePtr trusting(const std::string& bundle) { return profile({.ca_bundle_pem = bundle}); }

  Outcome send(HttpRequest request, TransportProfilePtr with = profile(), std::chrono::milliseconds limit = kPlenty) {
    return testing_support::run_task(
        client->send(std::move(request), std::move(with), std::chrono::steady_clock::now() + limit));
  }
  Outcome send(const std::string& url, TransportProfilePtr with = profile(),
               std::chrono::milliseconds limit = kPlenty) {
    return send(get(url), std::move(with), limit);
  }

  testing_support::TemporaryDirectory directory;
  testing_support::TestCa system_ca{"System Root"};
  testing_support::TestCa ca{"Company Root"};
  Metrics metrics;
  std::unique_ptr<AddressPolicy> policy;
  std::unique_ptr<HttpClient> client;
};

/// What a test prints of an outcome.
// NOLINTNEXTLINE(readability-identifier-naming): the name is GoogleTest's
inline void PrintTo(const std::expected<HttpResponse, HttpFailure>& outcome, std::ostream* out) {
  if (outcome) {
    *out << "an answer with status " << outcome->status;
  } else {
    *out << "the failure " << outcome.error().error.reason();
  }
}

/// A failure's reason and stage: `EXPECT_THAT(send(url), failed_with("connectivity.refused", HttpStage::tcp));`
MATCHER_P2(failed_with, reason, stage, std::string("fails with ") + reason) {
  if (arg) {
    *result_listener << "status " << arg->status;
    return false;
  }
  const HttpFailure& failure = arg.error();
  *result_listener << failure.error.reason() << " at " << name_of(failure.stage) << ": " << failure.error.message();
  return failure.error.reason() == reason && failure.stage == stage;
}
MATCHER_P(answered_with, status, "answers") {
  if (!arg) {
    *result_listener << arg.error().error.reason() << ": " << arg.error().error.message();
    return false;
  }
  *result_listener << "status " << arg->status;
  return arg->status == status;
}

}  // namespace inthub
