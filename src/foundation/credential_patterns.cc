#include "foundation/credential_patterns.h"

#include <algorithm>
#include <array>
#include <string>

#include "foundation/headers.h"

namespace inthub {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_alnum(char c) {
  return is_digit(c) || is_upper(c) || is_lower(c);
}
bool is_name_char(char c) {
  return is_alnum(c) || c == '_' || c == '-' || c == '.';
}
bool is_token_char(char c) {
  return is_name_char(c) || c == '~' || c == '+' || c == '=';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// Values of interest end here when nothing quotes them.
bool ends_bare_value(char c) {
  constexpr std::string_view kEnds = "&;,\"'`<>(){}[]\\";
  return static_cast<unsigned char>(c) <= 0x20 || kEnds.find(c) != std::string_view::npos;
}

template <class Predicate>
std::size_t skip_while(std::string_view text, std::size_t at, Predicate wanted) {
  while (at < text.size() && wanted(text[at])) ++at;
  return at;
}

/// Tells a token from an ordinary word in prose such as "token: expired" or "Basic authentication".
bool looks_random(std::string_view word) {
  constexpr std::size_t kShortestToken = 8;
  constexpr std::size_t kLongestWord = 24;
  if (word.size() < kShortestToken) return false;
  if (word.size() >= kLongestWord || std::ranges::any_of(word, is_digit)) return true;
  return std::ranges::any_of(word.substr(1), is_upper) && std::ranges::any_of(word, is_lower);
}

struct TokenPrefix {
  std::string_view text;
  std::size_t least_rest;   ///< characters that must follow, so that a word in prose is left alone
  bool at_word_start_only;  ///< for prefixes short or common enough to occur inside other words
};
constexpr std::array kTokenPrefixes{
    // GitHub
    TokenPrefix{"ghp_", 16, false},
    TokenPrefix{"gho_", 16, false},
    TokenPrefix{"ghu_", 16, false},
    TokenPrefix{"ghs_", 16, false},
    TokenPrefix{"ghr_", 16, false},
    TokenPrefix{"github_pat_", 16, false},
    // GitLab
    TokenPrefix{"glpat-", 12, false},
    TokenPrefix{"gldt-", 12, false},
    TokenPrefix{"glrt-", 12, false},
    TokenPrefix{"glcbt-", 12, false},
    TokenPrefix{"glptt-", 12, false},
    TokenPrefix{"glft-", 12, false},
    TokenPrefix{"gloas-", 12, false},
    TokenPrefix{"glsoat-", 12, false},
    TokenPrefix{"glagent-", 12, false},
    // HashiCorp Vault and Terraform Cloud
    TokenPrefix{"hvs.", 12, false},
    TokenPrefix{"hvb.", 12, false},
    TokenPrefix{"hvr.", 12, false},
    TokenPrefix{"atlasv1.", 24, false},
    // AWS access key ids
    TokenPrefix{"AKIA", 16, true},
    TokenPrefix{"ASIA", 16, true},
    // Google
    TokenPrefix{"AIza", 30, true},
    TokenPrefix{"ya29.", 16, true},
    // Slack
    TokenPrefix{"xoxa-", 10, true},
    TokenPrefix{"xoxb-", 10, true},
    TokenPrefix{"xoxp-", 10, true},
    TokenPrefix{"xoxr-", 10, true},
    TokenPrefix{"xoxs-", 10, true},
    TokenPrefix{"xapp-", 10, true},
    // Docker Hub, npm, PyPI, Artifactory, Atlassian, Sonar, DigitalOcean
    TokenPrefix{"dckr_pat_", 12, false},
    TokenPrefix{"dckr_oat_", 12, false},
    TokenPrefix{"npm_", 30, true},
    TokenPrefix{"pypi-", 32, true},
    TokenPrefix{"AKCp", 24, true},
    TokenPrefix{"cmVmdGtu", 24, true},
    TokenPrefix{"ATATT", 24, true},
    TokenPrefix{"ATBB", 24, true},
    TokenPrefix{"squ_", 24, true},
    TokenPrefix{"sqp_", 24, true},
    TokenPrefix{"sqa_", 24, true},
    TokenPrefix{"dop_v1_", 24, false},
    // Stripe, SendGrid
    TokenPrefix{"sk_live_", 12, false},
    TokenPrefix{"rk_live_", 12, false},
    TokenPrefix{"SG.", 24, true},
    // The hub's own API tokens: 43 characters of base64url
    TokenPrefix{"inthub_", 40, true},
};

/// Names that carry a credential whatever comes before them, compared without case, '-', '_' and '.'.
constexpr std::array<std::string_view, 24> kCredentialEndings{
    "password",   "passwd",          "passwort",   "passphrase",  "pwd",         "secret",        "secrets",
    "token",      "tokens",          "apikey",     "accesskey",   "accesskeyid", "secretkey",     "privatekey",
    "accountkey", "authkey",         "credential", "credentials", "cookie",      "authorization", "assertion",
    "signature",  "subscriptionkey", "sharedkey"};
constexpr std::array<std::string_view, 8> kCredentialNames{"auth",      "jwt",          "pat",       "sas",
                                                           "setcookie", "xjfrogartapi", "sessionid", "xregistryauth"};
/// Too common as words; credentials only as parameters of a URL or a form.
constexpr std::array<std::string_view, 4> kCredentialParameters{"key", "code", "sig", "state"};
/// Headers whose whole line is the credential, schemes and parameters included.
constexpr std::array<std::string_view, 4> kWholeLineNames{"authorization", "proxyauthorization", "cookie", "setcookie"};

std::string normalised_name(std::string_view name) {
  constexpr std::size_t kLongestName = 64;
  if (name.size() > kLongestName) name.remove_prefix(name.size() - kLongestName);
  std::string out = to_lower(name);
  std::erase_if(out, [](char c) { return c == '-' || c == '_' || c == '.'; });
  return out;
}

bool is_normalised_credential_name(std::string_view name) {
  return std::ranges::find(kCredentialNames, name) != kCredentialNames.end() ||
         std::ranges::any_of(kCredentialEndings, [name](std::string_view ending) { return name.ends_with(ending); });
}

class Finder {
 public:
  explicit Finder(std::string_view text) : text_(text) {}

  std::vector<TextRange> find() {
    for (std::size_t i = 0; i < text_.size(); ++i) {
      // Every rule starts at a character of its own kind, so most positions cost one comparison or two.
      const char c = text_[i];
      if (c == '-') i = find_pem_key(i);
      if (c == ':') find_userinfo(i);
      if (!is_alnum(c)) continue;
      if (c == 'e') find_jwt(i);
      find_known_prefix(i);
      if (starts_word(i)) {
        find_named_value(i);
        find_scheme_parameter(i);
      }
    }
    return std::move(found_);
  }

 private:
  bool at(std::size_t position, std::string_view wanted) const { return text_.substr(position).starts_with(wanted); }
  bool starts_word(std::size_t i) const { return i == 0 || !is_name_char(text_[i - 1]); }
  /// Also true after an escape such as "\n" or "%3D", whose last letter is no part of the word.
  bool follows_boundary(std::size_t i) const {
    if (i == 0 || !(is_alnum(text_[i - 1]) || text_[i - 1] == '_')) return true;
    return (i >= 2 && text_[i - 2] == '\\') || (i >= 3 && text_[i - 3] == '%');
  }
  void add(std::size_t begin, std::size_t end) {
    if (begin < end) found_.push_back({begin, end});
  }

  /// The last position dealt with: the key's last character, or `i` when no key begins there.
  std::size_t find_pem_key(std::size_t i) {
    constexpr std::string_view kBegin = "-----BEGIN ";
    constexpr std::string_view kEnd = "-----END ";
    constexpr std::string_view kDashes = "-----";
    constexpr std::size_t kLongestLabel = 64;
    if (!at(i, kBegin)) return i;
    const std::size_t label = i + kBegin.size();
    const std::size_t label_end = text_.substr(label, kLongestLabel).find(kDashes);
    if (label_end == std::string_view::npos) return i;
    if (text_.substr(label, label_end).find("PRIVATE KEY") == std::string_view::npos) return i;
    const std::size_t last_line = text_.find(kEnd, label);
    const std::size_t last_dashes =
        last_line == std::string_view::npos ? last_line : text_.find(kDashes, last_line + kEnd.size());
    const std::size_t end = last_dashes == std::string_view::npos ? text_.size() : last_dashes + kDashes.size();
    add(i, end);
    return end - 1;
  }

  /// "://user:password@": up to the last '@', because a password pasted unescaped may hold one.
  void find_userinfo(std::size_t i) {
    if (!at(i, "://")) return;
    const std::size_t begin = i + 3;
    const std::size_t end = skip_while(text_, begin, [](char c) {
      return c != '/' && c != '?' && c != '#' && static_cast<unsigned char>(c) > 0x20 && c != '"' && c != '<' &&
             c != '>';
    });
    const std::size_t sign = text_.substr(begin, end - begin).rfind('@');
    if (sign != std::string_view::npos) add(begin, begin + sign);
  }

  void find_jwt(std::size_t i) {
    constexpr std::size_t kLeastHeader = 10;
    if (i < jwt_until_ || !at(i, "eyJ")) return;
    const auto is_base64url = [](char c) { return is_alnum(c) || c == '-' || c == '_'; };
    const std::size_t header_end = skip_while(text_, i, is_base64url);
    jwt_until_ = header_end;  // a later start in the same run would end at the same place
    if (header_end - i < kLeastHeader || header_end == text_.size() || text_[header_end] != '.') return;
    jwt_until_ = skip_while(text_, header_end, [&](char c) { return is_base64url(c) || c == '.' || c == '='; });
    add(i, jwt_until_);
  }

  void find_known_prefix(std::size_t i) {
    if (i < prefixed_until_) return;
    for (const TokenPrefix& prefix : kTokenPrefixes) {
      if (text_[i] != prefix.text.front() || !at(i, prefix.text)) continue;
      if (prefix.at_word_start_only && !follows_boundary(i)) continue;
      std::size_t end = skip_while(text_, i + prefix.text.size(), is_token_char);
      while (text_[end - 1] == '.' || text_[end - 1] == '=') --end;  // the end of a sentence is no part of it
      if (end >= i + prefix.text.size() + prefix.least_rest) {
        add(i, end);
        prefixed_until_ = end;
        return;
      }
    }
  }

  void find_named_value(std::size_t i) {
    const std::size_t name_end = skip_while(text_, i, is_name_char);
    const std::string name = normalised_name(text_.substr(i, name_end - i));
    const bool is_parameter = i > 0 && (text_[i - 1] == '?' || text_[i - 1] == '&');
    if (!is_normalised_credential_name(name) &&
        !(is_parameter && std::ranges::find(kCredentialParameters, name) != kCredentialParameters.end())) {
      return;
    }
    std::size_t next =
        skip_while(text_, name_end, [](char c) { return c == '"' || c == '\'' || c == '\\' || c == ']'; });
    next = skip_while(text_, next, is_blank);
    if (next == text_.size() || (text_[next] != ':' && text_[next] != '=')) return;
    const bool is_assignment = text_[next] == '=';
    next = skip_while(text_, next, [](char c) { return c == ':' || c == '=' || c == '>'; });
    next = skip_while(text_, next, is_blank);
    if (next == text_.size()) return;

    if (const std::size_t content = quoted_content(next); content != next) return add(content, end_of_quoted(next));
    if (text_[next] == '[') {
      if (bracket_end_ < next) bracket_end_ = std::min(text_.find(']', next), text_.size());
      return add(next + 1, bracket_end_);
    }
    if (text_[next] == '{') return;  // its members speak for themselves
    if (std::ranges::find(kWholeLineNames, name) != kWholeLineNames.end()) {
      if (line_end_ < next) line_end_ = std::min(text_.find_first_of("\r\n", next), text_.size());
      return add(next, line_end_);
    }
    const std::size_t end = skip_while(text_, next, [](char c) { return !ends_bare_value(c); });
    const std::string_view value = text_.substr(next, end - next);
    if (value == "null" || value == "true" || value == "false") return;
    // "token: expired" is a diagnosis, "password: hunter" is a secret.
    const bool is_prose = !is_assignment && !name.ends_with("password") && !name.ends_with("secret") &&
                          !name.ends_with("passphrase") && !name.ends_with("passwd") && !name.ends_with("pwd");
    if (!is_prose || looks_random(value)) add(next, end);
  }

  /// Where the content of the quoted string at `i` begins; `i` when there is none. Knows "…", '…' and, inside a JSON
  /// string, \"…\".
  std::size_t quoted_content(std::size_t i) const {
    if (text_[i] == '"' || text_[i] == '\'') return i + 1;
    return at(i, "\\\"") ? i + 2 : i;
  }
  std::size_t end_of_quoted(std::size_t i) const {
    if (text_[i] == '\\') return std::min(text_.find("\\\"", i + 2), text_.size());
    const char quote = text_[i];
    for (std::size_t k = i + 1; k < text_.size(); ++k) {
      if (text_[k] == '\\') {
        ++k;
      } else if (text_[k] == quote) {
        return k;
      }
    }
    return text_.size();
  }

  void find_scheme_parameter(std::size_t i) {
    for (const std::string_view scheme :
         {std::string_view("bearer"), std::string_view("basic"), std::string_view("token")}) {
      if (!equals_ignore_case(text_.substr(i, scheme.size()), scheme)) continue;
      const std::size_t blank = i + scheme.size();
      const std::size_t begin = skip_while(text_, blank, is_blank);
      if (begin == blank) continue;
      const std::size_t end =
          skip_while(text_, begin, [](char c) { return (is_token_char(c) && c != '=') || c == '/'; });
      if (looks_random(text_.substr(begin, end - begin))) {
        add(begin, skip_while(text_, end, [](char c) { return c == '='; }));
      }
    }
  }

  std::string_view text_;
  std::vector<TextRange> found_;
  // Behind what a rule has read already; these keep hostile repetitions linear.
  std::size_t jwt_until_ = 0;
  std::size_t prefixed_until_ = 0;
  std::size_t line_end_ = 0;
  std::size_t bracket_end_ = 0;
};

}  // namespace

std::vector<TextRange> find_credential_lookalikes(std::string_view text) {
  return Finder(text).find();
}

bool is_credential_name(std::string_view name) {
  return is_normalised_credential_name(normalised_name(name));
}

}  // namespace inthub
