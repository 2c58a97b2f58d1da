#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/ids.h"
#include "foundation/result.h"

namespace inthub {

/// A URI that says where a secret is, never the secret:
///   authref://none · authref://local/UUID · authref://env/NAME · authref://file/PATH[#FIELD]
///   authref://INTEGRATION/PATH[?version=…&…][#FIELD]   (a vault integration of the same tenant)
/// A value type in canonical form.
class CredentialRef {
 public:
  enum class Kind : std::uint8_t { none, local, env, file, vault };

  /// ASCII, at most 2,048 bytes. Errors: invalid_argument with reason "credential_ref.invalid"; the message names the
  /// rule and never echoes the input, which may be a secret pasted by mistake.
  static Result<CredentialRef> parse(std::string_view text);
  static CredentialRef none();
  static CredentialRef local(CredentialId id);

  Kind kind() const { return kind_; }
  const std::string& text() const { return text_; }        ///< canonical
  CredentialId local_id() const { return local_id_; }      ///< kind local
  const std::string& env_name() const { return path_; }    ///< kind env
  const std::string& file_path() const { return path_; }   ///< kind file, absolute
  const std::string& vault() const { return vault_; }      ///< kind vault: UUID or name of the integration
  const std::string& vault_path() const { return path_; }  ///< kind vault, decoded
  const std::map<std::string, std::string>& parameters() const { return parameters_; }
  const std::string& field() const { return field_; }  ///< decoded; empty: the whole value

  bool operator==(const CredentialRef& other) const { return text_ == other.text_; }

 private:
  CredentialRef() = default;
  Kind kind_ = Kind::none;
  std::string text_;
  CredentialId local_id_;
  std::string path_;
  std::string vault_;
  std::map<std::string, std::string> parameters_;
  std::string field_;
};

}  // namespace inthub
