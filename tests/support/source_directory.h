#pragma once

#include <filesystem>

namespace inthub::testing_support {

/// The root of the checkout that the tests were built from.
std::filesystem::path source_directory();

}  // namespace inthub::testing_support
