#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "foundation/result.h"

namespace inthub {

inline constexpr std::size_t kMasterKeyBytes = 32;

/// Frees memory from sodium_malloc, which wipes it first.
struct SodiumFree {
  void operator()(unsigned char* bytes) const noexcept;
};
/// kMasterKeyBytes bytes between guard pages, locked into memory where the limits of the process allow it.
using MasterKey = std::unique_ptr<unsigned char[], SodiumFree>;

/// A copy of exactly kMasterKeyBytes bytes. Throws std::bad_alloc.
MasterKey make_master_key(std::string_view bytes);

/// Sources and errors as SecretSealer::load() has them. Reads and changes the environment, so call it before threads
/// start.
Result<MasterKey> load_master_key(const std::filesystem::path& key_file, bool may_create);

}  // namespace inthub
