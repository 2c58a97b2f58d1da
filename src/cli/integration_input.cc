#include "cli/integration_input.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/command.h"
#include "cli/input.h"

namespace inthub {
namespace {

Error usage(std::string message) {
  return Error(ErrorCode::invalid_argument, std::move(message)).with_reason("cli.usage");
}

Result<std::string> read_certificates(const std::string& file, std::string_view flag) {
  Result<std::string> pem = read_file(file, kMaxPemBytes);
  if (!pem) return fail(std::move(pem).error().with_context(flag));
  if (pem->find("PRIVATE KEY-----") != std::string::npos) {
    wipe(*pem);
    return fail(Error(ErrorCode::invalid_argument,
                      fmt::format("{}: {} holds a private key; only certificates belong here", flag, file))
                    .with_reason("cli.private_key")
                    .with_remedy("give the certificates alone, and the key as the secret: --secret-file FILE"));
  }
  if (pem->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return fail(Error(ErrorCode::invalid_argument, fmt::format("{}: {} holds no PEM certificate", flag, file))
                    .with_reason("cli.no_certificate")
                    .with_remedy("`openssl x509 -inform der -in FILE` turns a DER certificate into PEM"));
  }
  return pem;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Result<void> add_headers(Json& config, const std::vector<std::string>& headers) {
  for (const std::string& header : headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0) return fail(usage("--header must be 'Name: value'"));
    Json& all = config["customHeaders"];
    if (!all.is_object()) all = Json::object();
    all[std::string(trimmed(std::string_view(header).substr(0, colon)))] =
        trimmed(std::string_view(header).substr(colon + 1));
  }
  return {};
}

Result<void> set_members(Json& config, const std::vector<std::string>& sets) {
  for (const std::string& set : sets) {
    const std::size_t equals = set.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(usage("--set must be member=value, the value as JSON or plain text"));
    const std::string text = set.substr(equals + 1);
    Result<Json> value = parse_json(text);
    config[set.substr(0, equals)] = value ? std::move(*value) : Json(text);
  }
  return {};
}

struct PointerFlag {
  std::string_view pointer;
  std::string_view flag;
};
constexpr std::array<PointerFlag, 15> kPointerFlags{
    {{"/type", "--type"},
     {"/name", "NAME"},
     {"/config/endpoint", "--endpoint"},
     {"/config/username", "--username"},
     {"/config/caBundle", "--ca-bundle"},
     {"/config/clientCertificate", "--client-certificate"},
     {"/config/authMode", "--auth-mode"},
     {"/config/insecure", "--insecure"},
     {"/config/proxy", "--proxy"},
     {"/config/timeout", "--timeout"},
     {"/config/customHeaders", "--header"},
     {"/config", "--config"},
     {"/credentials", "--secret-stdin, --secret-file, --secret-prompt or --credential-ref"},
     {"/credentialRef", "--secret-stdin, --secret-file, --secret-prompt or --credential-ref"},
     {"/credential", "--secret-stdin, --secret-file, --secret-prompt or --credential-ref"}}};

}  // namespace

std::string option_for_pointer(std::string_view pointer) {
  const auto flag_of = [](std::string_view wanted) -> std::string_view {
    const auto row = std::ranges::find(kPointerFlags, wanted, &PointerFlag::pointer);
    return row == kPointerFlags.end() ? std::string_view() : row->flag;
  };
  for (std::string_view part = pointer; !part.empty(); part = part.substr(0, part.rfind('/'))) {
    if (part == "/config" && pointer != part) break;
    if (const std::string_view flag = flag_of(part); !flag.empty()) return std::string(flag);
  }
  constexpr std::string_view kConfig = "/config/";
  if (!pointer.starts_with(kConfig)) {
    // A connection test points into the config itself ("/endpoint").
    if (pointer.empty() || pointer.find('/', 1) != std::string_view::npos) return {};
    return std::string(flag_of(fmt::format("/config{}", pointer)));
  }
  const std::string_view member = pointer.substr(kConfig.size(), pointer.find('/', kConfig.size()) - kConfig.size());
  return fmt::format("--set {}=…", member);
}

Result<Json> apply_flags(Json base, const IntegrationFlags& flags, CliEnvironment& environment) {
  if (!base.is_object()) base = Json::object();
  if (!flags.config_file.empty()) {
    Result<Json> document = read_document(environment, flags.config_file);
    if (!document) return fail(std::move(document).error());
    for (const auto& [member, value] : document->items()) base[member] = value;
  }
  const auto set_text = [&base](const char* member, const std::string& value) {
    if (!value.empty()) base[member] = value;
  };
  set_text("endpoint", flags.endpoint);
  set_text("username", flags.username);
  set_text("authMode", flags.auth_mode);
  set_text("proxy", flags.proxy);
  if (flags.timeout) {
    const auto whole = static_cast<std::int64_t>(*flags.timeout);
    base["timeout"] = static_cast<double>(whole) == *flags.timeout ? Json(whole) : Json(*flags.timeout);
  }
  if (flags.insecure) base["insecure"] = true;
  if (!flags.ca_bundle_file.empty()) {
    Result<std::string> pem = read_certificates(flags.ca_bundle_file, "--ca-bundle");
    if (!pem) return fail(std::move(pem).error());
    base["caBundle"] = std::move(*pem);
  }
  if (!flags.client_certificate_file.empty()) {
    Result<std::string> pem = read_certificates(flags.client_certificate_file, "--client-certificate");
    if (!pem) return fail(std::move(pem).error());
    base["clientCertificate"] = std::move(*pem);
  }
  if (Result<void> added = add_headers(base, flags.headers); !added) return fail(std::move(added).error());
  if (Result<void> set = set_members(base, flags.sets); !set) return fail(std::move(set).error());
  for (const std::string& member : flags.unsets) base.erase(member);
  return base;
}

Result<Json> read_credentials(const IntegrationFlags& flags, CliEnvironment& environment) {
  const int given = (flags.credential_ref.empty() ? 0 : 1) + (flags.secret_file.empty() ? 0 : 1) +
                    (flags.secret_stdin ? 1 : 0) + (flags.secret_prompt ? 1 : 0);
  if (given > 1)
    return fail(usage("--credential-ref, --secret-stdin, --secret-file and --secret-prompt exclude each other"));
  if (flags.secret_stdin && flags.config_file == "-") {
    return fail(usage("--config - and --secret-stdin cannot both read standard input"));
  }
  if (!flags.credential_ref.empty()) {
    if (!flags.credential_ref.starts_with("authref://")) {
      return fail(
          Error(ErrorCode::invalid_argument, "--credential-ref must begin with authref://; it says where a secret is")
              .with_reason("cli.usage")
              .with_remedy("if you passed the secret itself, replace it: it is now in the shell's history. Give it "
                           "with --secret-stdin"));
    }
    return Json{{"ref", flags.credential_ref}};
  }
  Result<SecretPtr> secret = SecretPtr();
  if (flags.secret_stdin) secret = read_secret_stdin(environment);
  if (!flags.secret_file.empty()) secret = read_secret_file(flags.secret_file);
  if (flags.secret_prompt) secret = environment.ask_secret("Secret (not shown): ");
  if (!secret) return fail(std::move(secret).error());
  if (!*secret) return Json();
  if (!is_utf8((*secret)->reveal())) {
    return fail(Error(ErrorCode::invalid_argument, "the secret is not UTF-8 text").with_reason("cli.bad_secret"));
  }
  return Json{{"secret", (*secret)->reveal()}};
}

}  // namespace inthub
