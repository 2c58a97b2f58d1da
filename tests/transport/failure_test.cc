#include "transport/failure.h"

#include <cerrno>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inthub::transport {
namespace {

using testing::HasSubstr;
using testing::Not;

/// An https exchange that got as far as sending its request on a new connection.
FailedExchange reset_after_request(TlsWatch watch) {
  FailedExchange failed;
  failed.code = CURLE_SEND_ERROR;
  failed.os_error = EPIPE;
  failed.url = HttpUrl::parse("https://vault.example/v1").value();
  failed.progress = {.looked_up = true, .connected = true, .request_sent = true, .sends = 1};
  failed.connections_opened = 1;
  failed.tls = std::make_shared<const TlsWatch>(std::move(watch));
  return failed;
}

TEST(Diagnosis, AResetAfterACertificateRequestIsARefusedCertificate) {
  FailedExchange failed = reset_after_request({.version = "TLSv1.3", .client_certificate_requested = true});
  EXPECT_EQ(diagnose(failed).error.reason(), "tls.client_certificate_refused");
  EXPECT_EQ(diagnose(failed).stage, HttpStage::tls);
  EXPECT_THAT(diagnose(failed).error.message(), HasSubstr("none is configured"));
  failed.has_client_certificate = true;
  EXPECT_THAT(diagnose(failed).error.message(), HasSubstr("asked for one and reset the connection"));
}

TEST(Diagnosis, AResetWithoutACertificateRequestIsAReset) {
  EXPECT_EQ(diagnose(reset_after_request({.version = "TLSv1.3"})).error.reason(), "connectivity.reset");
}

TEST(Diagnosis, AResetOfAReusedConnectionIsAReset) {
  FailedExchange failed = reset_after_request({.version = "TLSv1.3", .client_certificate_requested = true});
  failed.connections_opened = 0;
  EXPECT_EQ(diagnose(failed).error.reason(), "connectivity.reset");
}

TEST(Diagnosis, ADeniedAddressWinsOverARefusedOne) {
  FailedExchange failed;
  failed.code = CURLE_COULDNT_CONNECT;
  failed.os_error = ECONNREFUSED;
  failed.url = HttpUrl::parse("http://both.example/").value();
  failed.progress.looked_up = true;
  failed.denied_address = Error(ErrorCode::unavailable, "denied").with_reason("connectivity.address_denied");
  EXPECT_EQ(diagnose(failed).error.reason(), "connectivity.address_denied");
}

TEST(Diagnosis, WhatThePeerSaidIsRedacted) {
  FailedExchange failed;
  failed.code = CURLE_WEIRD_SERVER_REPLY;
  failed.curl_message = "Header without colon: Authorization: Bearer abcdefghijklmnop\x1b[2J";
  failed.url = HttpUrl::parse("http://a.example/").value();
  failed.progress = {.looked_up = true, .connected = true, .request_sent = true, .sends = 1};
  const Diagnosis diagnosis = diagnose(failed);
  EXPECT_EQ(diagnosis.error.reason(), "http.malformed");
  EXPECT_THAT(diagnosis.error.message(), Not(HasSubstr("abcdefghijklmnop")));
  EXPECT_THAT(diagnosis.error.message(), Not(HasSubstr("\x1b")));
}

TEST(Diagnosis, NamesInACertificateCannotSmuggleControlCharacters) {
  CertificateRefusal refusal{.fault = CertificateFault::unknown_authority};
  refusal.culprit.issuer = "Evil\x1b[31m\nCA";
  FailedExchange failed = reset_after_request({.refusal = refusal});
  failed.code = CURLE_PEER_FAILED_VERIFICATION;
  failed.progress.request_sent = false;
  const Diagnosis diagnosis = diagnose(failed);
  EXPECT_EQ(diagnosis.error.reason(), "tls.unknown_authority");
  EXPECT_THAT(diagnosis.error.message(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(diagnosis.error.message(), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace inthub::transport
