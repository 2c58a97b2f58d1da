#include "foundation/redact.h"

#include <algorithm>
#include <vector>

#include "foundation/credential_patterns.h"
#include "foundation/encoding.h"
#include "foundation/json.h"

namespace inthub {
namespace {

constexpr std::size_t kShortestSecret = 4;
/// What is read of a long text: enough for the answer, plus what lets a credential that straddles the end be
/// recognised.
constexpr std::size_t kLeastRead = std::size_t{64} * 1024;
constexpr std::size_t kReadAhead = std::size_t{4} * 1024;
constexpr std::string_view kMask = "***";
constexpr std::string_view kEllipsis = "…";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// The end of `secret` spelled at text[at...], each byte plain or percent-encoded (a blank also as '+'); `at` when it
/// is not there. Encoders disagree on which characters to escape, so the text is decoded rather than the secret
/// encoded.
std::size_t match_percent_encoded(std::string_view text, std::size_t at, std::string_view secret) {
  std::size_t i = at;
  for (const char wanted : secret) {
    if (i >= text.size()) return at;
    if (text[i] == wanted || (wanted == ' ' && text[i] == '+')) {
      ++i;
      continue;
    }
    if (text[i] != '%' || i + 2 >= text.size()) return at;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0 || static_cast<unsigned char>(wanted) != high * 16 + low) return at;
    i += 3;
  }
  return i;
}

bool is_base64_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
         c == '-' || c == '_' || c == '=';
}

void find_all(std::string_view text, std::string_view wanted, std::vector<TextRange>& out) {
  for (std::size_t i = text.find(wanted); i != std::string_view::npos; i = text.find(wanted, i + 1)) {
    out.push_back({i, i + wanted.size()});
  }
}

/// The characters of base64(prefix + secret + suffix) that depend on the secret alone, for a prefix of `shift` (mod 3)
/// bytes.
std::string base64_core(std::string_view secret, std::size_t shift) {
  std::string shifted(shift, '\0');
  shifted += secret;
  std::string encoded = base64_encode(shifted);
  const std::size_t whole = shifted.size() * 8 / 6;  // later characters mix in what follows
  const std::size_t first = (shift * 8 + 5) / 6;     // earlier ones what comes before
  std::string core = encoded.substr(first, whole - first);
  wipe(encoded);
  wipe(shifted);
  return core;
}

/// Every run of base64 characters that contains `core`: the neighbours hold the secret's remaining bits.
void find_base64_runs(std::string_view text, std::string_view core, std::vector<TextRange>& out) {
  for (std::size_t i = text.find(core); i != std::string_view::npos;) {
    TextRange run{i, i + core.size()};
    while (run.begin > 0 && is_base64_char(text[run.begin - 1])) --run.begin;
    while (run.end < text.size() && is_base64_char(text[run.end])) ++run.end;
    out.push_back(run);
    i = text.find(core, run.end);
  }
}

void find_base64(std::string_view text, std::string_view secret, std::vector<TextRange>& out) {
  for (std::size_t shift = 0; shift < 3; ++shift) {
    std::string core = base64_core(secret, shift);
    find_base64_runs(text, core, out);
    std::ranges::replace(core, '+', '-');
    std::ranges::replace(core, '/', '_');
    find_base64_runs(text, core, out);
    wipe(core);
  }
}

void find_secret(std::string_view text, std::string_view secret, std::vector<TextRange>& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool may_start = text[i] == secret.front() || text[i] == '%' || (text[i] == '+' && secret.front() == ' ');
    if (!may_start) continue;
    if (const std::size_t end = match_percent_encoded(text, i, secret); end != i) out.push_back({i, end});
  }
  find_base64(text, secret, out);
  std::string quoted;
  append_json_string(quoted, secret);
  if (quoted.size() != secret.size() + 2) find_all(text, std::string_view(quoted).substr(1, quoted.size() - 2), out);
  wipe(quoted);
}

/// Length of the well-formed UTF-8 sequence at text[i], 0 when there is none.
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  std::size_t length = 1;
  if (lead >= 0xF0) {
    length = 4;
  } else if (lead >= 0xE0) {
    length = 3;
  } else if (lead >= 0x80) {
    length = 2;
  }
  return i + length <= text.size() && is_utf8(text.substr(i, length)) ? length : 0;
}

bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;  // C1: terminals obey these too
}

void append_printable(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    if (length == 0) {
      out += kReplacement;
      ++i;
      continue;
    }
    const std::string_view sequence = text.substr(i, length);
    if (is_control(sequence)) {
      out += ' ';
    } else {
      out += sequence;
    }
    i += length;
  }
}

/// At most `max_bytes` of valid UTF-8, "…" included.
void cut(std::string& text, std::size_t max_bytes, bool is_incomplete) {
  if (text.size() <= max_bytes && !is_incomplete) return;
  std::size_t end = max_bytes < kEllipsis.size() ? max_bytes : std::min(text.size(), max_bytes - kEllipsis.size());
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  if (max_bytes >= kEllipsis.size()) text += kEllipsis;
}

}  // namespace

std::string redact(std::string_view text, std::span<const SecretPtr> secrets, std::size_t max_bytes) {
  std::size_t longest_secret = 0;
  for (const SecretPtr& secret : secrets) {
    if (secret) longest_secret = std::max(longest_secret, secret->reveal().size());
  }
  const std::size_t shown = std::min(text.size(), std::max(kLeastRead, max_bytes));
  const bool is_incomplete = text.size() > shown;
  // Three bytes of text may stand for one of the secret ("%41").
  const std::string_view read = text.substr(0, shown + kReadAhead + 3 * longest_secret);

  std::vector<TextRange> masked = find_credential_lookalikes(read);
  for (const SecretPtr& secret : secrets) {
    if (!secret) continue;
    if (const std::string_view bytes = trimmed(secret->reveal()); bytes.size() >= kShortestSecret) {
      find_secret(read, bytes, masked);
    }
  }
  std::ranges::sort(masked, {}, &TextRange::begin);

  std::string out;
  std::size_t done = 0;
  for (std::size_t k = 0; k < masked.size() && done < shown && out.size() <= max_bytes;) {
    TextRange range = masked[k++];
    while (k < masked.size() && masked[k].begin <= range.end) range.end = std::max(range.end, masked[k++].end);
    if (range.begin >= shown) break;
    append_printable(out, read.substr(done, range.begin - done));
    out += kMask;
    done = range.end;
  }
  if (done < shown && out.size() <= max_bytes) append_printable(out, read.substr(done, shown - done));
  cut(out, max_bytes, is_incomplete);
  return out;
}

bool is_credential_header(std::string_view name) {
  return is_credential_name(name);
}

}  // namespace inthub
