#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "support/source_directory.h"

namespace inthub::testing_support {

/// Compares with tests/cli/testdata/NAME. UPDATE_GOLDEN=1 writes the file instead: look at the difference before
/// committing it.
inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::filesystem::path file = testing_support::source_directory() / "tests/cli/testdata" / name;
  if (const char* update = std::getenv("UPDATE_GOLDEN"); update != nullptr && std::string_view(update) == "1") {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << actual;
    return;
  }
  std::ifstream in(file, std::ios::binary);
  ASSERT_TRUE(in) << file << " is missing; UPDATE_GOLDEN=1 writes it";
  std::ostringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(actual, expected.str()) << "differs from " << file << "; UPDATE_GOLDEN=1 rewrites it";
}

}  // namespace inthub::testing_support
