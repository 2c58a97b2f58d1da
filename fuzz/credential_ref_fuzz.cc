// A credential ref that is accepted is canonical after one reading, and its parts cannot leave the place they name.
// Selecting its field from any document never crashes.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "credentials/credential_ref.h"
#include "credentials/secret_field.h"
#include "foundation/json.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inthub;
  using fuzzing::require;
  // The first line is the ref, the rest a document.
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = std::min(input.find('\n'), input.size());
  const auto ref = CredentialRef::parse(input.substr(0, line_end));
  if (!ref) {
    require(ref.error().reason() == "credential_ref.invalid", "a refusal has its reason");
    return 0;
  }
  require(ref->text().starts_with("authref://"), "the scheme is in lower case");
  require(std::ranges::all_of(ref->text(), [](char c) { return c > 0x20 && c < 0x7F; }), "the text is visible ASCII");
  const auto again = CredentialRef::parse(ref->text());
  require(again.has_value(), "the canonical text is accepted");
  require(again->text() == ref->text(), "the canonical text is canonical");
  require(again->kind() == ref->kind() && again->vault() == ref->vault() && again->vault_path() == ref->vault_path() &&
              again->parameters() == ref->parameters() && again->field() == ref->field() &&
              again->local_id() == ref->local_id(),
          "the canonical text has the same parts");
  if (ref->kind() == CredentialRef::Kind::file || ref->kind() == CredentialRef::Kind::vault) {
    const std::string path = "/" + ref->vault_path() + "/";
    require(path.find("/../") == std::string::npos && path.find("/./") == std::string::npos, "no dot segments");
    require(path.find('\0') == std::string::npos && is_utf8(path), "paths are clean text");
  }
  if (!ref->field().empty()) {
    const Secret document{std::string(input.substr(std::min(line_end + 1, input.size())))};
    const auto selected = select_field(document, ref->field());
    require(selected.has_value() || !selected.error().message().empty(), "a refusal says why");
  }
  return 0;
}
