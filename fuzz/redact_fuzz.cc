// Whatever surrounds a secret and however it is encoded, redact() shows no occurrence of it, and only clean text within
// the bound. Input: one byte for the encoding, one for the position, one for the secret's length, then the secret's
// letters, then the text.
#include <array>
#include <cstddef>
#include <cstdint>

#include "foundation/encoding.h"
#include "foundation/json.h"
#include "foundation/redact.h"
#include "require.h"

namespace {

/// Letters and digits only: a mask or a replaced byte can then never complete another occurrence.
std::string to_letters(std::string_view bytes) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz012345";
  std::string out;
  for (const char c : bytes) out += kLetters[static_cast<unsigned char>(c) % kLetters.size()];
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inthub;
  using fuzzing::require;
  if (size < 8) return 0;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::uint8_t encoding = data[0];
  const std::size_t position = data[1];
  const std::size_t length = 4 + data[2] % 60U;
  input.remove_prefix(3);
  const std::string secret = to_letters(input.substr(0, length));
  if (secret.size() < 4) return 0;
  std::string text(input.substr(std::min(length, input.size())));

  std::string planted;
  std::string hidden = secret;
  switch (encoding % 4) {
    case 0:
      planted = secret;
      break;
    case 1:
      planted = base64_encode(secret);
      // The last characters of an encoding also depend on what follows, so only what is certain is looked for.
      hidden = planted.substr(0, secret.size() * 8 / 6);
      break;
    case 2:
      for (const char c : secret) planted += "%" + hex_encode(std::string_view(&c, 1));
      hidden = planted;
      break;
    default:
      planted = "token=" + secret + "&password=" + secret;
      break;
  }
  text.insert(std::min(position * (1 + text.size() / 256), text.size()), planted);

  constexpr std::array<std::size_t, 3> kBounds{64, 512, 1'000'000};
  const std::size_t bound = kBounds[encoding / 4 % kBounds.size()];
  const std::array<SecretPtr, 1> secrets{std::make_shared<const Secret>(secret)};
  const std::string shown = redact(text, secrets, bound);
  require(shown.find(hidden) == std::string::npos, "the secret is not shown");
  require(shown.size() <= bound, "the bound holds");
  require(is_utf8(shown), "the answer is UTF-8");
  for (const char c : shown) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F, "no control characters");
  require(redact(text, {}, bound).size() <= bound, "the bound holds without secrets");
  return 0;
}
