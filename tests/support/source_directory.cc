#include "support/source_directory.h"

namespace inthub::testing_support {

// The only file whose compile command names the checkout, so that another checkout shares the compiler cache.
std::filesystem::path source_directory() {
  return INTHUB_SOURCE_DIR;
}

}  // namespace inthub::testing_support
