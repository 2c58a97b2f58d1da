#include "server/http/request_parser.h"

#include <gtest/gtest.h>

namespace inthub::http {
namespace {

using Step = RequestParser::Step;
constexpr RequestParser::Limits kLimits{.max_header_bytes = 1024, .max_body_bytes = 64};

/// Feeds `text` in pieces of `piece` bytes; the status of the refusal, 0 when the request is accepted, -1 when more is
/// needed.
int parse(std::string_view text, std::size_t piece, RequestParser& parser, std::size_t& used) {
  parser.reset();
  used = 0;
  bool head_done = false;
  for (std::size_t received = 0; received < text.size();) {
    received = std::min(received + piece, text.size());
    for (;;) {
      std::size_t consumed = 0;
      const std::string_view unread = text.substr(used, received - used);
      const Step step = head_done ? parser.parse_body(unread, consumed) : parser.parse_head(unread, consumed);
      used += consumed;
      if (step == Step::refused) return parser.refusal().status;
      if (step == Step::need_more) break;
      if (head_done || !parser.head().has_body) return 0;
      head_done = true;
    }
  }
  return -1;
}

struct Vector {
  std::string name;
  std::string text;
  int status;  ///< 0: accepted, -1: more is needed
};

class RequestParserVector : public testing::TestWithParam<Vector> {};

TEST_P(RequestParserVector, MeansTheSameHoweverItIsCutIntoPieces) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{100000}}) {
    RequestParser parser(kLimits);
    std::size_t used = 0;
    EXPECT_EQ(parse(GetParam().text, piece, parser, used), GetParam().status) << "in pieces of " << piece;
  }
}

std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
std::string post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

INSTANTIATE_TEST_SUITE_P(
    Accepted, RequestParserVector,
    testing::Values(Vector{"Plain", get(""), 0}, Vector{"Http10WithoutHost", "GET / HTTP/1.0\r\n\r\n", 0},
                    Vector{"AbsoluteForm", "GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n", 0},
                    Vector{"Asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
                    Vector{"Body", post("Content-Length: 3\r\n", "abc"), 0},
                    Vector{"EmptyBody", post("Content-Length: 0\r\n", ""), 0},
                    Vector{"Chunked", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), 0},
                    Vector{"ChunkedUpperCase",
                           post("Transfer-Encoding: Chunked\r\n", "A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n"), 0},
                    Vector{"Trailer", post("Transfer-Encoding: chunked\r\n", "0\r\nX-Sum: 1\r\n\r\n"), 0},
                    Vector{"LatinValue", get("X-A: \xE9\r\n"), 0}, Vector{"EmptyValue", get("X-A:\r\n"), 0},
                    Vector{"UnfinishedHead", "GET / HTTP/1.1\r\nHost: a\r\n", -1},
                    Vector{"UnfinishedBody", post("Content-Length: 3\r\n", "ab"), -1},
                    Vector{"UnfinishedChunk", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n"), -1}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Smuggling, RequestParserVector,
    testing::Values(
        Vector{"LengthAndCoding", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        Vector{"CodingAndLength", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400},
        Vector{"LengthAndUnknownCoding", post("Content-Length: 3\r\nTransfer-Encoding: x\r\n", "abc"), 400},
        Vector{"TwoLengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400},
        Vector{"TheSameLengthTwice", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400},
        Vector{"LengthList", post("Content-Length: 3, 3\r\n", "abc"), 400},
        Vector{"SignedLength", post("Content-Length: +3\r\n", "abc"), 400},
        Vector{"NegativeLength", post("Content-Length: -3\r\n", "abc"), 400},
        Vector{"HexadecimalLength", post("Content-Length: 0x3\r\n", "abc"), 400},
        Vector{"EmptyLength", post("Content-Length:\r\n", "abc"), 400},
        Vector{"HugeLength", post("Content-Length: 99999999999999999999999999\r\n", ""), 400},
        Vector{"UnknownCoding", post("Transfer-Encoding: gzip\r\n", ""), 501},
        Vector{"TwoCodings", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
        Vector{"Identity", post("Transfer-Encoding: identity\r\n", ""), 501},
        Vector{"DisguisedCoding", post("Transfer-Encoding: xchunked\r\n", ""), 501},
        Vector{"RepeatedCoding", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
               400},
        Vector{"CodingInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        Vector{"BlankBeforeColon", get("Transfer-Encoding : chunked\r\n"), 400},
        Vector{"FoldedField", get("X-A: b\r\n c\r\n"), 400}, Vector{"FoldedWithTab", get("X-A: b\r\n\tc\r\n"), 400},
        Vector{"BareLineFeed", "GET / HTTP/1.1\nHost: a\n\n", 400},
        Vector{"BareLineFeedInAField", "GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n", 400},
        Vector{"BareCarriageReturn", get("X-A: b\rX-C: d\r\n"), 400},
        Vector{"Nul", get(std::string_view("X-A: \0\r\n", 8)), 400},
        Vector{"ControlCharacter", get("X-A: \x01\r\n"), 400}, Vector{"DeleteCharacter", get("X-A: \x7F\r\n"), 400},
        Vector{"NoColon", get("X-A\r\n"), 400}, Vector{"EmptyName", get(": a\r\n"), 400},
        Vector{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400}, Vector{"TwoHosts", get("Host: b\r\n"), 400},
        Vector{"TwoAuthorizations", get("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), 400},
        Vector{"ChunkSizeIsNotHexadecimal", post("Transfer-Encoding: chunked\r\n", "z\r\n"), 400},
        Vector{"ChunkSizeOverflows", post("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n"), 413},
        Vector{"ChunkWithoutLineEnd", post("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n0\r\n\r\n"), 400},
        Vector{"EmptyChunkSize", post("Transfer-Encoding: chunked\r\n", "\r\n"), 400},
        Vector{"PrefixedChunkSize", post("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"), 400},
        Vector{"BlankInChunkSize", post("Transfer-Encoding: chunked\r\n", "3 \r\nabc\r\n0\r\n\r\n"), 400},
        Vector{"LineFeedAfterChunkSize", post("Transfer-Encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n"), 400},
        Vector{"LineFeedInAnExtension", post("Transfer-Encoding: chunked\r\n", "3;a\nabc\r\n0\r\n\r\n"), 400},
        Vector{"FoldedTrailer", post("Transfer-Encoding: chunked\r\n", "0\r\n a\r\n\r\n"), 400},
        Vector{"LengthInTheTrailerIsIgnored", post("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 3\r\n\r\n"),
               0}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Malformed, RequestParserVector,
    testing::Values(
        Vector{"NotHttp", "\x16\x03\x01\r\n\r\n", 400}, Vector{"NoVersion", "GET /\r\n\r\n", 400},
        Vector{"TwoBlanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"Http2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        Vector{"Http12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
        Vector{"OddVersion", "GET / HTTP/x.1\r\nHost: a\r\n\r\n", 400},
        Vector{"LowerCaseVersion", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"EmptyTarget", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"RelativeTarget", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"Fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"OtherScheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"AbsoluteFormWithoutHost", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"Connect", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"AsteriskWithGet", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"RawUtf8Target", "GET /\xC3\xA9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"MethodIsNotAToken", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"UnknownExpectation", get("Expect: tea\r\n"), 417},
        Vector{"LongHead", get("X-A: " + std::string(2000, 'a') + "\r\n"), 431},
        Vector{"EndlessHead", std::string(2000, 'a'), 431}, Vector{"LongBody", post("Content-Length: 65\r\n", ""), 413},
        Vector{"LongChunk", post("Transfer-Encoding: chunked\r\n", "41\r\n"), 413},
        Vector{"LongExtension", post("Transfer-Encoding: chunked\r\n", "1;" + std::string(2000, 'a') + "\r\n"), 431},
        Vector{"LongTrailer", post("Transfer-Encoding: chunked\r\n", "0\r\n" + std::string(2000, 'a')), 431},
        Vector{"LongZero", post("Transfer-Encoding: chunked\r\n", std::string(2000, '0')), 431},
        Vector{"ManyChunks", post("Transfer-Encoding: chunked\r\n", "20\r\n" + std::string(32, 'a') + "\r\n21\r\n"),
               413}),
    [](const auto& test) { return test.param.name; });

TEST(RequestParser, TheHeadIsSplitIntoItsParts) {
  RequestParser parser(kLimits);
  std::size_t used = 0;
  const std::string text =
      "POST /a/b%20c?d=e%26 HTTP/1.1\r\nHost: hub\r\nauthorization: Bearer  x\r\nX-REQUEST-ID: r1\r\nContent-Type: "
      "application/json\r\n"
      "traceparent: t\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1";
  ASSERT_EQ(parse(text, text.size(), parser, used), 0);
  const RequestHead& head = parser.head();
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a/b%20c");
  EXPECT_EQ(head.query, "d=e%26");
  EXPECT_EQ(head.authorization, "Bearer  x");
  EXPECT_EQ(head.request_id, "r1");
  EXPECT_EQ(head.content_type, "application/json");
  EXPECT_EQ(head.traceparent, "t");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(parser.body(), "{}");
  EXPECT_EQ(text.substr(used), "GET / HTTP/1.1") << "the next request was eaten";
}

TEST(RequestParser, AnAbsoluteTargetIsReducedToItsPath) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"http://hub:80/a?b", "/a", "b"}, {"https://hub", "/", ""}, {"HTTP://hub?x=/y", "/", "x=/y"}};
  for (const auto& [target, path, query] : cases) {
    RequestParser parser(kLimits);
    std::size_t used = 0;
    const std::string text = "GET " + target + " HTTP/1.1\r\nHost: hub\r\n\r\n";
    ASSERT_EQ(parse(text, text.size(), parser, used), 0) << target;
    EXPECT_EQ(parser.head().path, path) << target;
    EXPECT_EQ(parser.head().query, query) << target;
  }
}

TEST(RequestParser, ChunksAreJoined) {
  RequestParser parser(kLimits);
  std::size_t used = 0;
  const std::string text =
      post("Transfer-Encoding: chunked\r\n", "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, text.size()}) {
    ASSERT_EQ(parse(text, piece, parser, used), 0);
    EXPECT_EQ(parser.body(), "abcde");
    EXPECT_EQ(used, text.size());
  }
}

TEST(RequestParser, MoreThanAHundredFieldsAreRefused) {
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "A: b\r\n";
  RequestParser parser(kLimits);
  std::size_t used = 0;
  EXPECT_EQ(parse(get(fields), 100000, parser, used), 0);
  EXPECT_EQ(parse(get(fields + "A: b\r\n"), 100000, parser, used), 431);
}

}  // namespace
}  // namespace inthub::http
