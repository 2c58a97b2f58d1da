#include "cli/client.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <ostream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/input.h"
#include "foundation/encoding.h"
#include "foundation/metrics.h"
#include "foundation/redact.h"
#include "transport/address_policy.h"
#include "transport/http_client.h"

namespace inthub {
namespace {

/// An answer of the hub has at most 200 entries a page, or one manifest of 4 MiB.
constexpr std::size_t kMaxAnswerBytes = std::size_t{32} << 20;
constexpr std::size_t kMaxAnswerDepth = 128;
constexpr std::size_t kMaxTokenBytes = 8192;
constexpr std::size_t kMaxShownServerWords = 200;

bool is_loopback_host(const HttpUrl& url) {
  return url.host == "localhost" || url.host == "::1" || (url.is_ip_literal && url.host.starts_with("127."));
}

std::string first_of(const std::string& option, const CliEnvironment& environment, std::string_view variable) {
  if (!option.empty()) return option;
  return environment.variable(variable).value_or(std::string());
}

std::string text_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A token is one line of visible ASCII: anything else would break the header it is sent in.
Result<SecretPtr> token_of(SecretPtr text, std::string_view source) {
  const std::string_view bytes = text->reveal();
  const bool visible = std::ranges::all_of(bytes, [](unsigned char c) { return c > 0x20 && c < 0x7F; });
  if (!visible || bytes.empty()) {
    return fail(
        Error(ErrorCode::invalid_argument, fmt::format("the access token in {} is empty or not one word", source))
            .with_reason("cli.bad_token")
            .with_remedy("it must hold the token alone, as the hub wrote it into DATA-DIR/admin.token"));
  }
  return text;
}

struct Token {
  SecretPtr value;     ///< null: none was found
  std::string source;  ///< for messages
};

Result<Token> find_token(const ConnectionOptions& options, const CliEnvironment& environment, const HttpUrl& server) {
  const auto from_file = [](const std::string& path, std::string source) -> Result<Token> {
    Result<SecretPtr> text = read_secret_file(path, kMaxTokenBytes);
    if (!text) return fail(std::move(text).error().with_context("read the access token"));
    Result<SecretPtr> token = token_of(std::move(*text), source);
    if (!token) return fail(std::move(token).error());
    return Token{.value = std::move(*token), .source = std::move(source)};
  };
  if (!options.token_file.empty())
    return from_file(options.token_file, fmt::format("{} (--token-file)", options.token_file));
  if (const auto file = environment.variable("INTHUB_TOKEN_FILE"); file && !file->empty()) {
    return from_file(*file, fmt::format("{} (INTHUB_TOKEN_FILE)", *file));
  }
  if (auto text = environment.variable("INTHUB_TOKEN"); text && !text->empty()) {
    Result<SecretPtr> token = token_of(make_secret(std::move(*text)), "INTHUB_TOKEN");
    if (!token) return fail(std::move(token).error());
    return Token{.value = std::move(*token), .source = "INTHUB_TOKEN"};
  }
  // The token of a hub on this machine must not travel to another one that happens to be named by --server.
  const std::string default_file(kDefaultTokenFile);
  if (is_loopback_host(server) && file_exists(default_file)) return from_file(default_file, default_file);
  return Token{};
}

Error unreachable(const HttpFailure& failure, const std::string& server) {
  Error error(failure.error.code(), fmt::format("no answer from the hub at {}: {}", server, failure.error.message()));
  error = std::move(error).with_reason(std::string(failure.error.reason()));
  if (failure.error.reason() == "connectivity.refused") {
    return std::move(error).with_remedy(
        "start a hub with `inthub serve --data-dir ./data`, or name the one you mean with --server URL (or "
        "INTHUB_SERVER)");
  }
  if (failure.stage == HttpStage::tls) {
    return std::move(error).with_remedy(
        "name the authority that signed the hub's certificate with --server-ca FILE (or INTHUB_SERVER_CA)");
  }
  return std::move(error).with_remedy("check --server URL (or INTHUB_SERVER), and that the hub is running");
}

std::vector<Violation> violations_of(const Json& error) {
  std::vector<Violation> violations;
  const auto list = error.find("validationErrors");
  if (list == error.end() || !list->is_array()) return violations;
  for (const Json& entry : *list) {
    if (!entry.is_object()) continue;
    violations.push_back({.field = text_member(entry, "field"),
                          .message = text_member(entry, "message"),
                          .code = text_member(entry, "code")});
  }
  return violations;
}

/// The hub's failure, word for word.
Error reported_error(int status, const Json& document) {
  const auto found = document.find("error");
  const Json none = Json::object();
  const Json& body = found != document.end() && found->is_object() ? *found : none;
  std::string message = text_member(body, "message");
  if (message.empty()) message = fmt::format("the hub answered with status {} and no message", status);
  std::string reason = text_member(body, "reason");
  Error error = Error(error_code_from_http_status(status), std::move(message))
                    .with_reason(std::move(reason))
                    .with_remedy(text_member(body, "remedy"))
                    .with_field(text_member(body, "field"))
                    .with_violations(violations_of(body));
  if (const auto meta = document.find("meta"); meta != document.end() && meta->is_object()) {
    const std::string id = text_member(*meta, "requestId");
    if (!id.empty()) error = std::move(error).with_detail(std::string(kRequestIdDetail), id);
  }
  return error;
}

HttpClient::Options http_options() {
  HttpClient::Options options;
  options.user_agent = "inthub-cli/" INTHUB_VERSION;
  return options;
}

}  // namespace

struct HubClient::Impl {
  Impl(AddressPolicy address_policy, HttpUrl url)
      : policy(std::move(address_policy)), base(std::move(url)), http(http_options(), policy, metrics) {}

  AddressPolicy policy;
  Metrics metrics;
  HttpUrl base;
  std::string server;  ///< base without a trailing slash
  Token token;
  std::chrono::seconds max_time{};
  TransportProfilePtr profile;
  HttpClient http;

  Error refused(Error error) const {
    if (error.code() != ErrorCode::unauthenticated || !error.remedy().empty()) return error;
    return std::move(error).with_remedy(fmt::format(
        "the token came from {}; give the one of this hub with --token-file FILE or INTHUB_TOKEN_FILE", token.source));
  }
};

HubClient::HubClient() = default;
HubClient::~HubClient() = default;
const std::string& HubClient::server() const {
  return impl_->server;
}

Result<std::unique_ptr<HubClient>> HubClient::make(const ConnectionOptions& options,
                                                   const CliEnvironment& environment) {
  std::string server = first_of(options.server, environment, "INTHUB_SERVER");
  if (server.empty()) server = kDefaultServer;
  Result<HttpUrl> base = HttpUrl::parse(server);
  if (!base) {
    return fail(std::move(base)
                    .error()
                    .with_context("the hub's address")
                    .with_remedy("give --server (or INTHUB_SERVER) as http://HOST:PORT or https://HOST:PORT"));
  }
  if (!base->query.empty()) {
    return fail(Error(ErrorCode::invalid_argument, "the hub's address must not have a query (\"?…\")")
                    .with_reason("cli.bad_server"));
  }
  Result<Token> token = find_token(options, environment, *base);
  if (!token) return fail(std::move(token).error());
  auto profile = std::make_shared<TransportProfile>();
  if (const std::string file = first_of(options.server_ca_file, environment, "INTHUB_SERVER_CA"); !file.empty()) {
    Result<std::string> pem = read_file(file, kMaxPemBytes);
    if (!pem) return fail(std::move(pem).error().with_context("read --server-ca"));
    profile->ca_bundle_pem = std::move(*pem);
  }
  // The user names the hub; there is no third party to protect the network from.
  Result<AddressPolicy> policy = AddressPolicy::make({"loopback", "private"});
  if (!policy) return fail(std::move(policy).error());
  if (base->scheme == "http" && !is_loopback_host(*base) && token->value) {
    environment.err << "warning: the access token travels unencrypted to " << base->origin()
                    << "; use https where others can listen\n";
  }

  std::unique_ptr<HubClient> client(new HubClient());
  client->impl_ = std::make_unique<Impl>(std::move(*policy), std::move(*base));
  client->impl_->server = client->impl_->base.to_string();
  while (client->impl_->server.ends_with('/')) client->impl_->server.pop_back();
  client->impl_->token = std::move(*token);
  client->impl_->max_time = options.max_time;
  client->impl_->profile = std::move(profile);
  return client;
}

Result<ApiAnswer> HubClient::call(ApiRequest request) {
  Impl& self = *impl_;
  if (request.needs_token && !self.token.value) {
    return fail(
        Error(ErrorCode::unauthenticated,
              fmt::format("no access token for {}: looked at --token-file, INTHUB_TOKEN_FILE, INTHUB_TOKEN and {}",
                          self.server,
                          is_loopback_host(self.base) ? kDefaultTokenFile : "(this machine only) ./data/admin.token"))
            .with_reason("cli.no_token")
            .with_remedy(
                "a hub writes its first token into DATA-DIR/admin.token: pass --token-file DATA-DIR/admin.token"));
  }
  std::string address = self.server + request.path;
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    if (value.empty()) continue;
    address += fmt::format("{}{}={}", separator, percent_encode(name), percent_encode(value));
    separator = '&';
  }
  Result<HttpUrl> url = HttpUrl::parse(address);
  if (!url) return fail(std::move(url).error().with_context("the request's address"));

  HttpRequest exchange;
  exchange.method = request.method;
  exchange.url = std::move(*url);
  exchange.headers = std::move(request.headers);
  exchange.headers.set("Accept", request.raw_answer ? "*/*" : "application/json");
  exchange.max_body_bytes = kMaxAnswerBytes;
  if (request.body) {
    exchange.headers.set("Content-Type", "application/json");
    exchange.body = to_text(*request.body);
  }
  if (request.needs_token) exchange.headers.set("Authorization", fmt::format("Bearer {}", self.token.value->reveal()));

  asio::io_context context(1);
  std::expected<HttpResponse, HttpFailure> response;  // set before run() returns
  asio::co_spawn(context,
                 self.http.send(std::move(exchange), self.profile, std::chrono::steady_clock::now() + self.max_time),
                 [&response](const std::exception_ptr& thrown, std::expected<HttpResponse, HttpFailure> result) {
                   if (thrown) std::rethrow_exception(thrown);
                   response = std::move(result);
                 });
  context.run();
  if (!response) return fail(unreachable(response.error(), self.server));

  HttpResponse& answer = *response;
  ApiAnswer result{
      .status = answer.status, .headers = std::move(answer.headers), .data = nullptr, .meta = nullptr, .body = {}};
  if (request.raw_answer && answer.status >= 200 && answer.status < 300) {
    result.data = share(Json());
    result.meta = share(Json::object());
    result.body = std::move(answer.body);
    return result;
  }
  if (answer.body.empty() && answer.status >= 200 && answer.status < 300) {
    result.data = share(Json());
    result.meta = share(Json::object());
    return result;
  }
  Result<Json> document = parse_json(answer.body, {.max_bytes = kMaxAnswerBytes, .max_depth = kMaxAnswerDepth});
  if (!document || !document->is_object() || !document->contains("success")) {
    return fail(Error(ErrorCode::unavailable,
                      fmt::format("{} answered with status {}, but not as an Integration Hub does: {}", self.server,
                                  answer.status, redact(answer.body, {}, kMaxShownServerWords)))
                    .with_reason("cli.not_a_hub")
                    .with_remedy("check --server URL (or INTHUB_SERVER): something else may be listening there"));
  }
  if (answer.status < 200 || answer.status >= 300 || document->at("success") != Json(true)) {
    return fail(self.refused(reported_error(answer.status, *document)));
  }
  const auto part = [&document](const char* name) {
    const auto found = document->find(name);
    return share(found == document->end() ? Json() : std::move(*found));
  };
  result.data = part("data");
  result.meta = part("meta");
  return result;
}

}  // namespace inthub
