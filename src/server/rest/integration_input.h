#pragma once

#include <cstdint>
#include <vector>

#include "foundation/json.h"
#include "integration_manager/integration_manager.h"

namespace inthub {

/// What a document is for decides which members it must have.
enum class InputPurpose : std::uint8_t {
  create,  ///< type, name and config
  update,  ///< name and config; the type may be repeated, the credential stays when `credentials` is absent
  test,    ///< type and config: a draft is tested before it has a name
};

/// {"type","name","config","credentials":{"ref"}|{"secret"}} as a domain value, and every violation of its shape. A
/// secret is moved out of `body` at once, whether or not the rest is in order. What is missing or of a wrong type is
/// left empty.
struct ParsedInput {
  IntegrationInput input;
  std::vector<Violation> violations;
};
ParsedInput read_integration_input(Json& body, InputPurpose purpose);

}  // namespace inthub
