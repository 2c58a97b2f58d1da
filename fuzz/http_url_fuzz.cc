// A URL that is accepted reads back equal from its text, and what it holds cannot be read differently by somebody else.
// The input's first line is a URL, the rest a reference to resolve against it.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "foundation/http_url.h"
#include "require.h"

namespace {

using inthub::HttpUrl;
using inthub::fuzzing::require;

bool equal(const HttpUrl& a, const HttpUrl& b) {
  return a.same_origin(b) && a.target() == b.target() && a.is_ip_literal == b.is_ip_literal;
}

void check(const HttpUrl& url) {
  require(url.scheme == "http" || url.scheme == "https", "the scheme is http or https");
  require(!url.host.empty() && url.port != 0, "there is a host and a port");
  require(std::ranges::all_of(url.host,
                              [](char c) {
                                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                                       c == '_' || c == ':';
                              }),
          "the host is a plain lower-case name or address");
  require(url.path.starts_with('/'), "the path begins with '/'");
  require(url.path.find_first_of("?#") == std::string::npos && url.query.find('#') == std::string::npos,
          "path and query end where they should");
  const std::string text = url.to_string();
  require(std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; }), "the text is visible ASCII");
  require(text.starts_with(url.origin() + "/"), "nothing stands between origin and path");
  const auto again = HttpUrl::parse(text);
  require(again.has_value(), "the text is accepted again");
  require(equal(*again, url) && again->to_string() == text, "the text reads back equal");
  const auto itself = url.resolve(text);
  require(itself && itself->same_origin(url), "an absolute reference keeps its origin");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = std::min(text.find('\n'), text.size());
  const auto url = HttpUrl::parse(text.substr(0, line_end));
  if (!url) return 0;
  check(*url);
  const std::string_view reference = text.substr(std::min(line_end + 1, text.size()));
  const auto resolved = url->resolve(reference);
  if (!resolved) return 0;
  check(*resolved);
  const bool may_leave = reference.starts_with("//") || reference.find(':') != std::string_view::npos;
  if (!may_leave) require(resolved->same_origin(*url), "a relative reference stays at its origin");
  return 0;
}
