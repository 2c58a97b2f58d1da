#pragma once

#include <expected>
#include <utility>

#include "foundation/error.h"

namespace inthub {

/// A value or why there is none.
template <class T>
using Result = std::expected<T, Error>;

/// `return fail(ErrorCode::not_found, "…");`
[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error(code, std::move(message)));
}
/// `return fail(Error(…).with_remedy("…"));` and `return fail(std::move(result).error());`
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

}  // namespace inthub
