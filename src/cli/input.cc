#include "cli/input.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <istream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "foundation/headers.h"
#include "foundation/redact.h"

namespace inthub {
namespace {

constexpr std::size_t kReadBlock = 4096;

constexpr std::string_view kHowToGiveASecret =
    "give it with --secret-stdin (printf %s \"$SECRET\" | inthub …), --secret-file FILE or --secret-prompt";
constexpr std::string_view kHowToGiveAToken = "give it with --token-file FILE, INTHUB_TOKEN_FILE or INTHUB_TOKEN";
constexpr std::string_view kRevokeIt =
    "the value is now in the shell's history and was visible to every user of this machine: replace it";

constexpr std::array<std::string_view, 5> kTokenOptions{"token", "access-token", "api-token", "auth-token", "bearer"};
constexpr std::array<std::string_view, 15> kSecretOptions{
    "secret", "password", "passwd",      "pass",          "pwd",        "credential",    "credentials",   "api-key",
    "apikey", "key",      "private-key", "client-secret", "client-key", "authorization", "proxy-password"};
/// Words in the name of a config member that make it a credential. Config never holds one.
constexpr std::array<std::string_view, 9> kSecretWords{"password", "passwd",      "secret",     "token",     "apikey",
                                                       "api_key",  "private_key", "privatekey", "credential"};

Error refusal(std::string_view what, std::string_view how) {
  return Error(ErrorCode::invalid_argument, fmt::format("{} is not taken from the command line; {}", what, kRevokeIt))
      .with_reason("cli.secret_on_command_line")
      .with_remedy(std::string(how));
}

/// "--Name=value" or "--name" to "name"; empty for what is no long option.
std::string option_name(std::string_view argument) {
  if (!argument.starts_with("--") || argument.size() == 2) return {};
  return to_lower(
      argument.substr(2, argument.find('=') == std::string_view::npos ? argument.npos : argument.find('=') - 2));
}

bool names_a_secret(std::string_view member) {
  const std::string lower = to_lower(member);
  return std::ranges::any_of(kSecretWords,
                             [&lower](std::string_view word) { return lower.find(word) != std::string::npos; });
}

/// Whether a URL in the text has user information ("https://user:password@host").
bool has_user_information(std::string_view text) {
  for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    const std::string_view authority = text.substr(at + 3, text.find_first_of("/?# \t\r\n\"", at + 3) - (at + 3));
    if (authority.find('@') != std::string_view::npos) return true;
  }
  return false;
}

Result<SecretPtr> secret_of(std::string text, std::string_view source) {
  // One line end is what editors and `echo` add; more than that is part of the secret.
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) {
    return fail(Error(ErrorCode::invalid_argument, fmt::format("the secret in {} is empty", source))
                    .with_reason("cli.empty_secret"));
  }
  return make_secret(std::move(text));
}

}  // namespace

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<std::string> read_stream(std::istream& in, std::string_view what, std::size_t max_bytes) {
  std::string text;
  std::array<char, kReadBlock> block{};
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    const auto count = static_cast<std::size_t>(in.gcount());
    if (text.size() + count > max_bytes) {
      wipe(text);
      return fail(Error(ErrorCode::payload_too_large, fmt::format("{} holds more than {} bytes", what, max_bytes))
                      .with_reason("cli.input_too_large"));
    }
    text.append(block.data(), count);
  }
  std::memset(block.data(), 0, block.size());
  if (in.bad()) return fail(ErrorCode::invalid_argument, fmt::format("{} cannot be read", what));
  return text;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  errno = 0;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(Error(ErrorCode::invalid_argument, fmt::format("{} is a directory", path)).with_reason("cli.file"));
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const int reason = errno;
    return fail(
        Error(ErrorCode::invalid_argument,
              fmt::format("{} cannot be opened: {}", path, std::error_code(reason, std::generic_category()).message()))
            .with_reason("cli.file"));
  }
  return read_stream(in, path, max_bytes);
}

Result<SecretPtr> read_secret_file(const std::string& path, std::size_t max_bytes) {
  Result<std::string> text = read_file(path, max_bytes);
  if (!text) return fail(std::move(text).error());
  return secret_of(std::move(*text), path);
}

Result<SecretPtr> read_secret_stdin(CliEnvironment& environment) {
  if (environment.in_is_terminal) {
    return fail(Error(ErrorCode::invalid_argument, "--secret-stdin would show on the terminal what you type")
                    .with_reason("cli.secret_on_terminal")
                    .with_remedy("use --secret-prompt, or pipe the secret in"));
  }
  Result<std::string> text = read_stream(environment.in, "standard input", kMaxSecretBytes);
  if (!text) return fail(std::move(text).error());
  return secret_of(std::move(*text), "standard input");
}

Result<Json> read_document(CliEnvironment& environment, const std::string& path) {
  const bool from_stdin = path == "-";
  const std::string name = from_stdin ? "standard input" : path;
  Result<std::string> text =
      from_stdin ? read_stream(environment.in, name, kMaxConfigBytes) : read_file(path, kMaxConfigBytes);
  if (!text) return fail(std::move(text).error());
  Result<Json> document = parse_document(*text);
  if (!document) return fail(std::move(document).error().with_context(name));
  if (!document->is_object()) {
    return fail(Error(ErrorCode::invalid_argument,
                      fmt::format("{} must hold an object: the members of the integration's config", name))
                    .with_reason("cli.bad_document"));
  }
  return document;
}

std::optional<Error> refuse_secret_arguments(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::string name = option_name(argument);
    if (std::ranges::find(kTokenOptions, std::string_view(name)) != kTokenOptions.end()) {
      return refusal(fmt::format("an access token (--{})", name), kHowToGiveAToken);
    }
    if (std::ranges::find(kSecretOptions, std::string_view(name)) != kSecretOptions.end()) {
      return refusal(fmt::format("a secret (--{})", name), kHowToGiveASecret);
    }
    if (has_user_information(argument)) {
      return refusal(
          "a user name or password inside a URL",
          "name the user with --username, and the secret with --secret-stdin, --secret-file FILE or --secret-prompt");
    }
    if (name != "header" && name != "set") continue;
    const std::size_t equals = argument.find('=');
    const std::string_view value = equals != std::string::npos ? std::string_view(argument).substr(equals + 1)
                                   : i + 1 < arguments.size()  ? std::string_view(arguments[i + 1])
                                                               : std::string_view();
    const std::string_view member = value.substr(0, value.find(name == "header" ? ':' : '='));
    if (name == "header" && is_credential_header(member)) {
      return refusal(fmt::format("the header {}, which carries a credential,", member), kHowToGiveASecret);
    }
    if (name == "set" && member.size() < value.size() && names_a_secret(member)) {
      return refusal(fmt::format("the config member {}, which reads like a secret,", member),
                     "config never holds secrets; give it with --secret-stdin, --secret-file FILE or --secret-prompt");
    }
  }
  return std::nullopt;
}

}  // namespace inthub
