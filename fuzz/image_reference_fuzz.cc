// Whatever text comes: no crash, and what is accepted keeps the grammar's promises and means the same when written out.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "connectors/oci/digest.h"
#include "connectors/oci/image_reference.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inthub;
  using namespace inthub::oci;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto reference = parse_image_reference(text)) {
    fuzzing::require(is_repository_name(reference->path), "an accepted path is a repository name");
    fuzzing::require(reference->tag.empty() || is_tag(reference->tag), "an accepted tag is a tag");
    fuzzing::require(reference->digest.empty() || parse_digest(reference->digest).has_value(), "a digest is valid");
    fuzzing::require(!reference->target().empty(), "there is something to ask for");
    const auto again = parse_image_reference(reference->to_string());
    fuzzing::require(again && again->to_string() == reference->to_string(), "written out, it means the same");
  } else {
    fuzzing::require(reference.error().field() == "/imageRef" && !reference.error().remedy().empty(),
                     "a refusal names the field and the remedy");
  }
  static const HttpUrl endpoint = HttpUrl::parse("https://r.example:5000/prefix").value();
  const auto reference = resolve_in_registry(text, endpoint);
  fuzzing::require(!reference || reference->domain == "r.example:5000",
                   "no other registry's image is asked of this one");
  return 0;
}
