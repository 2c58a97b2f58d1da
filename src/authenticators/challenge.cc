#include "authenticators/challenge.h"

#include <algorithm>

namespace inthub {
namespace {

bool is_token_char(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}
bool is_token68_char(char c) {
  constexpr std::string_view kMarks = "-._~+/=";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  std::size_t position() const { return at_; }
  void rewind(std::size_t position) { at_ = position; }
  bool skip_blanks() {
    const std::size_t begin = at_;
    while (peek() == ' ' || peek() == '\t') ++at_;
    return at_ > begin;
  }
  void skip_blanks_and_commas() {
    while (skip_blanks() || peek() == ',') {
      if (peek() == ',') ++at_;
    }
  }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view token() { return run(&is_token_char); }
  std::string_view token68() { return run(&is_token68_char); }
  /// A token or a quoted string; nullopt when it is neither or the quote stays open.
  std::optional<std::string> value() {
    if (!take('"')) {
      const std::string_view plain = token();
      return plain.empty() ? std::nullopt : std::optional<std::string>(plain);
    }
    std::string out;
    while (!at_end()) {
      char c = text_[at_++];
      if (c == '"') return out;
      if (c == '\\') {
        if (at_end()) return std::nullopt;
        c = text_[at_++];
      }
      out += c;
    }
    return std::nullopt;
  }

 private:
  std::string_view run(bool (*belongs)(char)) {
    const std::size_t begin = at_;
    while (!at_end() && belongs(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::unexpected<Error> bad_challenge(std::string message) {
  return fail(Error(ErrorCode::vendor_failure, "the WWW-Authenticate header " + std::move(message))
                  .with_reason("authentication.bad_challenge")
                  .with_field("/endpoint")
                  .with_remedy("check what stands between the hub and the remote system"));
}

/// Reads `name = value`; false, with the reader where it was, when what comes next is no parameter.
Result<bool> read_parameter(Reader& reader, Challenge& challenge) {
  const std::size_t begin = reader.position();
  const std::string_view name = reader.token();
  reader.skip_blanks();
  if (name.empty() || !reader.take('=')) {
    reader.rewind(begin);
    return false;
  }
  reader.skip_blanks();
  auto value = reader.value();
  if (!value) return bad_challenge("has a parameter without a value, or a quote that stays open");
  if (challenge.parameters.size() == kMaxChallengeParameters) return bad_challenge("has too many parameters");
  challenge.parameters.emplace_back(to_lower(name), *std::move(value));
  return true;
}

/// "abc==" directly after the scheme, up to the next comma.
bool read_token68(Reader& reader, Challenge& challenge) {
  const std::size_t begin = reader.position();
  const std::string_view text = reader.token68();
  reader.skip_blanks();
  const std::size_t padding = std::min(text.find('='), text.size());
  const bool padded_at_end_only = text.find_first_not_of('=', padding) == std::string_view::npos;
  if (padding == 0 || !padded_at_end_only || (!reader.at_end() && reader.peek() != ',')) {
    reader.rewind(begin);
    return false;
  }
  challenge.token68 = text;
  return true;
}

Result<void> read_parameters(Reader& reader, Challenge& challenge) {
  while (true) {
    const auto parameter = read_parameter(reader, challenge);
    if (!parameter) return fail(parameter.error());
    if (!*parameter) return {};
    reader.skip_blanks();
    if (reader.at_end()) return {};
    if (reader.peek() != ',') return bad_challenge("lacks a comma between two parameters");
    reader.skip_blanks_and_commas();
  }
}

}  // namespace

std::optional<std::string_view> Challenge::find(std::string_view name) const {
  const auto found = std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first);
  return found == parameters.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

Result<std::vector<Challenge>> parse_challenges(std::string_view field) {
  if (field.size() > kMaxChallengeBytes) return bad_challenge("is too long");
  Reader reader(field);
  std::vector<Challenge> challenges;
  while (true) {
    reader.skip_blanks_and_commas();
    if (reader.at_end()) return challenges;
    if (challenges.size() == kMaxChallenges) return bad_challenge("holds too many challenges");
    const std::string_view scheme = reader.token();
    if (scheme.empty()) return bad_challenge("does not begin with a scheme");
    Challenge challenge{.scheme = to_lower(scheme), .parameters = {}, .token68 = {}};
    const bool has_blank = reader.skip_blanks();
    if (!reader.at_end() && reader.peek() != ',') {
      if (!has_blank) return bad_challenge("has a scheme that is not a word");
      if (!read_token68(reader, challenge)) {
        if (auto read = read_parameters(reader, challenge); !read) return fail(std::move(read).error());
        if (challenge.parameters.empty()) return bad_challenge("has a parameter without a name");
      }
    }
    challenges.push_back(std::move(challenge));
  }
}

Result<std::vector<Challenge>> parse_challenges(const Headers& headers) {
  std::vector<Challenge> all;
  std::optional<Error> malformed;
  for (const std::string_view field : headers.find_all("WWW-Authenticate")) {
    auto challenges = parse_challenges(field);
    if (!challenges) {
      malformed = std::move(challenges).error();
      continue;
    }
    for (Challenge& challenge : *challenges) {
      if (all.size() < kMaxChallenges) all.push_back(std::move(challenge));
    }
  }
  if (all.empty() && malformed) return fail(*std::move(malformed));
  return all;
}

}  // namespace inthub
