#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace inthub {

/// A half-open range of bytes of a text.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The parts of `text` that look like a credential whoever wrote it: values of credential-named fields and headers, the
/// parameter of "Bearer" and "Basic", the userinfo of a URL, well-known token prefixes, JSON Web Tokens, PEM private
/// keys. In no particular order, possibly overlapping. Linear in the text's size. Pure and thread-safe.
std::vector<TextRange> find_credential_lookalikes(std::string_view text);

/// Whether a member, parameter or header of this name holds a credential: "client_secret", "X-Vault-Token", "apiKey", …
bool is_credential_name(std::string_view name);

}  // namespace inthub
