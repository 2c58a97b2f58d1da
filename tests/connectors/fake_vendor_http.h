#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "connectors/connector.h"
#include "connectors/vendor_http.h"
#include "foundation/json.h"
#include "support/fake_clock.h"

namespace inthub::testing_support {

/// Answers a connector's requests from a script and remembers them. A request that the script does not know fails the
/// test.
class FakeVendorHttp final : public VendorHttp {
 public:
  explicit FakeVendorHttp(std::string endpoint) : endpoint_(std::move(endpoint)) {}

  /// The last answer given for a request repeats; several are taken in turn.
  void on(const std::string& method, const std::string& target, int status, std::string body = {},
          std::vector<Headers::Field> headers = {}) {
    VendorResponse response;
    response.status = status;
    response.body = std::move(body);
    for (auto& [name, value] : headers) response.headers.add(std::move(name), std::move(value));
    response.url = HttpUrl::parse(endpoint_ + target).value();
    response.timings.total = std::chrono::milliseconds(20);
    response.timings.dns = std::chrono::milliseconds(1);
    response.timings.tcp = std::chrono::milliseconds(3);
    response.timings.tls = std::chrono::milliseconds(10);
    response.peer = {
        .address = "192.0.2.1:443", .tls_version = "TLSv1.3", .reused_connection = false, .via_proxy = false};
    response.authenticated = authenticated;
    script_[method + " " + target].emplace_back(std::move(response));
  }
  void fails(const std::string& method, const std::string& target, Error error,
             std::optional<HttpFailure> failure = std::nullopt) {
    script_[method + " " + target].emplace_back(std::unexpected<Error>(std::move(error)));
    if (failure) failure_ = std::move(failure);
  }
  /// The answer that on() scripted last for this request, to change it.
  VendorResponse& last_answer(const std::string& method, const std::string& target) {
    return script_[method + " " + target].back().value();
  }

  Task<Result<VendorResponse>> send(VendorRequest request) override {
    const std::string asked = request.method + " " + request.target;
    requests.push_back(std::move(request));
    auto& answers = script_[asked];
    if (answers.empty()) {
      ADD_FAILURE() << "unexpected request: " << asked;
      co_return fail(ErrorCode::internal, "unexpected request");
    }
    auto answer = answers.front();
    if (answers.size() > 1) answers.pop_front();
    co_return answer;
  }
  const HttpFailure* last_failure() const override { return failure_ ? &*failure_ : nullptr; }

  std::vector<VendorRequest> requests;
  bool authenticated = true;

 private:
  std::string endpoint_;
  std::map<std::string, std::deque<Result<VendorResponse>>> script_;
  std::optional<HttpFailure> failure_;
};

}  // namespace inthub::testing_support
