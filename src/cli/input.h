#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/json.h"
#include "foundation/result.h"
#include "foundation/secret.h"

namespace inthub {

struct CliEnvironment;

// Bounds of what is read from files and standard input.
inline constexpr std::size_t kMaxPemBytes = std::size_t{256} << 10;
inline constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxSecretBytes = std::size_t{64} << 10;
/// Values of a YAML document after its aliases are followed: a few lines of aliases can stand for billions.
inline constexpr std::size_t kMaxConfigValues = 100'000;
inline constexpr std::size_t kMaxConfigDepth = 64;

bool file_exists(const std::string& path);
/// The whole file. Errors: invalid_argument naming the file; payload_too_large.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);
/// The stream up to its end. Errors: as read_file().
Result<std::string> read_stream(std::istream& in, std::string_view what, std::size_t max_bytes);

/// The file without one line end at its end. Errors: as read_file(); invalid_argument when nothing is left.
Result<SecretPtr> read_secret_file(const std::string& path, std::size_t max_bytes = kMaxSecretBytes);
/// The same from standard input. Errors also when that is a terminal, which would show what is typed.
Result<SecretPtr> read_secret_stdin(CliEnvironment& environment);

/// JSON when the text begins with "{" or "[", else YAML 1.2's core schema. Errors: invalid_argument (malformed,
/// duplicate keys, keys that are no strings, too deep), payload_too_large. Messages never quote the text.
Result<Json> parse_document(std::string_view text);
/// The document of a file, or of standard input for "-"; must be an object.
Result<Json> read_document(CliEnvironment& environment, const std::string& path);

/// Refuses arguments that carry a secret: options named like one ("--password x"), a --header or --set whose name is a
/// credential's, user names or passwords in a URL. The message names the option and the way to do it, never the value.
/// Pure.
std::optional<Error> refuse_secret_arguments(const std::vector<std::string>& arguments);

}  // namespace inthub
