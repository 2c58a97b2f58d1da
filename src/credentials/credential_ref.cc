#include "credentials/credential_ref.h"

#include <algorithm>
#include <array>

#include "foundation/encoding.h"
#include "foundation/headers.h"
#include "foundation/json.h"

namespace inthub {
namespace {

constexpr std::string_view kScheme = "authref://";
constexpr std::size_t kMaxRefBytes = 2048;
constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxSlugBytes = 63;
constexpr std::size_t kMaxEnvNameBytes = 128;

std::unexpected<Error> bad_ref(std::string rule) {
  return fail(Error(ErrorCode::invalid_argument, "the credential ref is not valid: " + std::move(rule))
                  .with_reason("credential_ref.invalid")
                  .with_remedy("write authref://local/UUID, authref://env/NAME, authref://file/PATH#FIELD, "
                               "authref://INTEGRATION/PATH#FIELD or authref://none"));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_unreserved(char c) {
  return is_digit(c) || is_upper(c) || is_lower(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
/// What stands for itself in a path segment; everything else is percent-encoded.
bool is_segment_char(char c) {
  return is_unreserved(c) || c == '@' || c == ':' || c == '+' || c == '=' || c == ',';
}
/// In a field, and in a parameter's value but for '=' and '+', which other readers of URLs take for something else.
bool is_field_char(char c) {
  return is_segment_char(c) || c == '/';
}
bool is_value_char(char c) {
  return is_unreserved(c) || c == ':' || c == '@' || c == '/' || c == ',';
}

template <class Predicate>
std::string encode(std::string_view text, Predicate stands_for_itself) {
  std::string out;
  for (const char& c : text) {
    if (stands_for_itself(c)) {
      out += c;
    } else {
      out += percent_encode(std::string_view(&c, 1));
    }
  }
  return out;
}

/// Decodes a part that consists of `is_allowed` characters and escapes, and must be clean UTF-8 text.
template <class Predicate>
Result<std::string> decode(std::string_view text, Predicate is_allowed) {
  if (!std::ranges::all_of(text, [&](char c) { return c == '%' || is_allowed(c); })) {
    return bad_ref("it holds a character that must be percent-encoded");
  }
  auto decoded = percent_decode(text);
  if (!decoded) return bad_ref("a '%' must be followed by two hexadecimal digits");
  if (std::ranges::any_of(*decoded, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    return bad_ref("control characters are not accepted, percent-encoded or not");
  }
  if (!is_utf8(*decoded)) return bad_ref("percent-encoded bytes must be UTF-8");
  return decoded;
}

struct Path {
  std::string decoded;
  std::string canonical;
};

Result<Path> parse_path(std::string_view text) {
  if (text.empty()) return bad_ref("the path is empty");
  Path path;
  while (true) {
    const std::size_t slash = text.find('/');
    const std::string_view raw = text.substr(0, slash);
    if (raw.empty()) return bad_ref("a path segment is empty");
    auto segment = decode(raw, is_segment_char);
    if (!segment) return fail(std::move(segment).error());
    if (segment->find('/') != std::string::npos) return bad_ref("a percent-encoded '/' is not accepted in a path");
    if (*segment == "." || *segment == "..") return bad_ref("'.' and '..' are not accepted as path segments");
    path.decoded += *segment;
    path.canonical += encode(*segment, is_segment_char);
    if (slash == std::string_view::npos) break;
    path.decoded += '/';
    path.canonical += '/';
    text.remove_prefix(slash + 1);
  }
  if (path.decoded.size() > kMaxPathBytes) return bad_ref("the path may have at most 1,024 bytes");
  return path;
}

bool is_one_of(std::string_view value, std::initializer_list<std::string_view> allowed) {
  return std::ranges::find(allowed, value) != allowed.end();
}

Result<std::map<std::string, std::string>> parse_parameters(std::string_view text) {
  std::map<std::string, std::string> parameters;
  while (true) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    const std::size_t sign = pair.find('=');
    if (sign == std::string_view::npos) return bad_ref("a parameter must be written name=value");
    const std::string_view name = pair.substr(0, sign);
    if (!is_one_of(name, {"version", "stage", "namespace", "encoding", "kind"})) {
      return bad_ref("parameters are version, stage, namespace, encoding and kind; it has another");
    }
    auto value = decode(pair.substr(sign + 1), [](char c) { return is_value_char(c) || c == '+' || c == '='; });
    if (!value) return fail(std::move(value).error());
    if (value->empty()) return bad_ref("a parameter has no value");
    if (name == "encoding" && !is_one_of(*value, {"utf8", "base64", "raw"})) {
      return bad_ref("encoding is utf8, base64 or raw");
    }
    if (name == "kind" && !is_one_of(*value, {"secret", "certificate", "dynamic"})) {
      return bad_ref("kind is secret, certificate or dynamic");
    }
    if (!parameters.emplace(name, *std::move(value)).second) return bad_ref("a parameter is given twice");
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (parameters.contains("version") && parameters.contains("stage")) {
    return bad_ref("version and stage exclude each other");
  }
  return parameters;
}

/// A top-level key, or an RFC 6901 pointer when it begins with '/'.
Result<std::string> parse_field(std::string_view text) {
  auto field = decode(text, is_field_char);
  if (!field) return field;
  if (field->empty()) return bad_ref("the field after '#' is empty");
  if (field->front() != '/') return field;
  for (std::size_t i = 0; i < field->size(); ++i) {
    if ((*field)[i] != '~') continue;
    if (i + 1 == field->size() || ((*field)[i + 1] != '0' && (*field)[i + 1] != '1')) {
      return bad_ref("in a JSON pointer '~' must be followed by 0 or 1 (RFC 6901)");
    }
  }
  return field;
}

bool is_slug(std::string_view text) {
  const auto is_first = [](char c) { return is_lower(c) || is_digit(c); };
  return !text.empty() && text.size() <= kMaxSlugBytes && is_first(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return is_first(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_env_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxEnvNameBytes && is_upper(text.front()) &&
         std::ranges::all_of(text, [](char c) { return is_upper(c) || is_digit(c) || c == '_'; });
}

}  // namespace

CredentialRef CredentialRef::none() {
  CredentialRef ref;
  ref.text_ = "authref://none";
  return ref;
}

CredentialRef CredentialRef::local(CredentialId id) {
  CredentialRef ref;
  ref.kind_ = Kind::local;
  ref.local_id_ = id;
  ref.text_ = "authref://local/" + id.to_string();
  return ref;
}

Result<CredentialRef> CredentialRef::parse(std::string_view text) {
  if (text.size() > kMaxRefBytes) return bad_ref("it may have at most 2,048 bytes");
  if (!equals_ignore_case(text.substr(0, kScheme.size()), kScheme)) {
    return bad_ref("it must begin with authref://; what was given may be a secret itself and then counts as exposed");
  }
  if (!std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; })) {
    return bad_ref("only visible ASCII characters are accepted; percent-encode others");
  }
  text.remove_prefix(kScheme.size());

  const std::size_t hash = text.find('#');
  std::optional<std::string_view> fragment;
  if (hash != std::string_view::npos) {
    fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
    if (fragment->find('#') != std::string_view::npos) return bad_ref("it has more than one '#'");
  }
  const std::size_t question = text.find('?');
  std::optional<std::string_view> query;
  if (question != std::string_view::npos) {
    query = text.substr(question + 1);
    text = text.substr(0, question);
  } else if (fragment && fragment->find('?') != std::string_view::npos) {
    // "#field?version=3" is what people write; RFC 3986 has the query first, and so has the canonical form.
    const std::size_t in_fragment = fragment->find('?');
    query = fragment->substr(in_fragment + 1);
    fragment = fragment->substr(0, in_fragment);
  }

  const std::size_t slash = text.find('/');
  const std::string_view authority = text.substr(0, slash);
  const std::optional<std::string_view> rest =
      slash == std::string_view::npos ? std::nullopt : std::optional(text.substr(slash + 1));
  if (authority.find('@') != std::string_view::npos) return bad_ref("a user name or password has no place in it");

  CredentialRef ref;
  if (fragment && !is_one_of(authority, {"none", "local", "env"})) {
    auto field = parse_field(*fragment);
    if (!field) return fail(std::move(field).error());
    ref.field_ = *std::move(field);
  }
  if (authority == "none") {
    if (rest || query || fragment) return bad_ref("nothing may follow authref://none");
    return none();
  }
  if (!rest) return bad_ref("the path is missing");
  if (authority == "local") {
    const auto id = CredentialId::parse(*rest);
    if (!id || query || fragment) return bad_ref("authref://local/ must be followed by a UUID and nothing else");
    return local(*id);
  }
  if (authority == "env") {
    if (!is_env_name(*rest) || query || fragment) {
      return bad_ref(
          "authref://env/ must be followed by a name of upper-case letters, digits and '_' and nothing else");
    }
    ref.kind_ = Kind::env;
    ref.path_ = std::string(*rest);
    ref.text_ = "authref://env/" + ref.path_;
    return ref;
  }
  auto path = parse_path(*rest);
  if (!path) return fail(std::move(path).error());
  if (authority == "file") {
    if (query) return bad_ref("authref://file/ takes no parameters");
    ref.kind_ = Kind::file;
    ref.path_ = "/" + path->decoded;
    ref.text_ = "authref://file/" + path->canonical;
  } else {
    ref.kind_ = Kind::vault;
    if (const auto id = Uuid::parse(authority)) {
      ref.vault_ = id->to_string();
    } else if (is_slug(authority)) {
      ref.vault_ = std::string(authority);
    } else {
      return bad_ref(
          "the integration must be a UUID or a name of lower-case letters, digits, '.', '_' and '-', "
          "without a port");
    }
    if (query) {
      auto parameters = parse_parameters(*query);
      if (!parameters) return fail(std::move(parameters).error());
      ref.parameters_ = *std::move(parameters);
    }
    ref.path_ = std::move(path->decoded);
    ref.text_ = "authref://" + ref.vault_ + "/" + path->canonical;
    char separator = '?';
    for (const auto& [name, value] : ref.parameters_) {
      ref.text_ += separator + name + "=" + encode(value, is_value_char);
      separator = '&';
    }
  }
  if (!ref.field_.empty()) ref.text_ += "#" + encode(ref.field_, is_field_char);
  // Canonical escapes can be longer than what was written, and the canonical text must be accepted again.
  if (ref.text_.size() > kMaxRefBytes) return bad_ref("in canonical form it may have at most 2,048 bytes");
  return ref;
}

}  // namespace inthub
