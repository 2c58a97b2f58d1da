#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/log.h"
#include "foundation/result.h"

namespace inthub {

/// The effective configuration of `inthub serve`.
struct Settings {
  std::filesystem::path data_dir = "data";
  std::string listen_host = "127.0.0.1";
  std::uint16_t listen_port = 8080;
  unsigned workers = 0;  ///< 0: one per processor, at most 8
  std::vector<std::string> outbound_allow;
  std::string outbound_ca_file;
  std::filesystem::path master_key_file;  ///< empty: DATA_DIR/master.key
  std::vector<std::string> credential_env_allowed;
  std::vector<std::filesystem::path> credential_file_roots;
  std::chrono::seconds health_interval{60};
  std::chrono::seconds health_slowest_interval{300};
  std::size_t health_max_in_flight = 64;
  log::Level log_level = log::Level::info;
  log::Format log_format = log::Format::text;
};

/// One setting under its three names. The configuration file, the environment and the flags say the same.
struct SettingRow {
  std::string_view key;          ///< in the YAML file: "outbound.allow" is member "allow" of "outbound"
  std::string_view flag;         ///< "--outbound-allow"
  std::string_view variable;     ///< "INTHUB_OUTBOUND_ALLOW"
  std::string_view description;  ///< with unit, range and default
  bool is_list = false;          ///< a YAML sequence; comma-separated elsewhere
  std::string default_text;
  /// Errors: invalid_argument saying what is accepted.
  std::function<Result<void>(Settings&, const std::string&)> assign;
};
/// Every setting, in the order in which the help shows them.
const std::vector<SettingRow>& setting_rows();

/// Where an effective value came from: "default", "file PATH", "environment VARIABLE" or "flag --NAME".
struct SettingOrigin {
  std::string key;
  std::string value;
  std::string origin;
};
struct LoadedSettings {
  Settings settings;
  std::vector<SettingOrigin> origins;
};

/// What was said where; a flag wins over the environment, that over the file, that over the default.
struct SettingSources {
  std::map<std::string, std::string> flags;        ///< by flag name with dashes
  std::map<std::string, std::string> environment;  ///< every INTHUB_* variable of the process
  std::optional<std::filesystem::path> file;       ///< from --config or INTHUB_CONFIG
};
/// Errors: validation_failed with one violation per problem (unknown key, unknown variable, bad value), each naming its
/// place; not_found when the named file cannot be read.
Result<LoadedSettings> load_settings(const SettingSources& sources);

}  // namespace inthub
