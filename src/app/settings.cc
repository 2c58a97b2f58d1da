#include "app/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

namespace inthub {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

std::unexpected<Error> bad_value(std::string_view accepted) {
  return fail(ErrorCode::invalid_argument, fmt::format("must be {}", accepted));
}

Result<std::int64_t> whole_number(const std::string& text, std::int64_t least, std::int64_t most) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return bad_value(fmt::format("a whole number from {} to {}", least, most));
  }
  return value;
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) {
    const auto first = item.find_first_not_of(' ');
    if (first == std::string::npos) continue;
    items.push_back(item.substr(first, item.find_last_not_of(' ') - first + 1));
  }
  return items;
}

Result<void> assign_listen(Settings& settings, const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? std::string() : text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto port = colon == std::string::npos ? bad_value("") : whole_number(text.substr(colon + 1), 0, 65535);
  if (host.empty() || !port)
    return bad_value("HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080; port 0 takes any free one");
  settings.listen_host = std::move(host);
  settings.listen_port = static_cast<std::uint16_t>(*port);
  return {};
}

template <class Member>
auto seconds_into(Member member, std::int64_t least, std::int64_t most) {
  return [=](Settings& settings, const std::string& text) -> Result<void> {
    const auto value = whole_number(text, least, most);
    if (!value) return fail(value.error());
    settings.*member = std::chrono::seconds(*value);
    return {};
  };
}

template <class Member>
auto list_into(Member member) {
  return [=](Settings& settings, const std::string& text) -> Result<void> {
    (settings.*member).clear();
    for (std::string& item : split_list(text)) (settings.*member).emplace_back(std::move(item));
    return {};
  };
}

Result<void> assign_level(Settings& settings, const std::string& text) {
  static constexpr std::array<std::pair<std::string_view, log::Level>, 5> kLevels{{{"debug", log::Level::debug},
                                                                                   {"info", log::Level::info},
                                                                                   {"warning", log::Level::warning},
                                                                                   {"error", log::Level::error},
                                                                                   {"off", log::Level::off}}};
  const auto found = std::ranges::find(kLevels, text, [](const auto& row) { return row.first; });
  if (found == kLevels.end()) return bad_value("debug, info, warning, error or off");
  settings.log_level = found->second;
  return {};
}

std::vector<SettingRow> make_rows() {
  return {
      {.key = "dataDir",
       .flag = "--data-dir",
       .variable = "INTHUB_DATA_DIR",
       .description = "Directory of the database, the admin token and the master key; made with mode 0700",
       .default_text = "data",
       .assign = [](Settings& settings, const std::string& text) -> Result<void> {
         if (text.empty()) return bad_value("a directory");
         settings.data_dir = text;
         return {};
       }},
      {.key = "listen",
       .flag = "--listen",
       .variable = "INTHUB_LISTEN",
       .description = "HOST:PORT to serve the API on; port 0 takes any free one",
       .default_text = "127.0.0.1:8080",
       .assign = assign_listen},
      {.key = "workers",
       .flag = "--workers",
       .variable = "INTHUB_WORKERS",
       .description = "Threads that serve requests, 0 to 64; 0 means one per processor, at most 8",
       .default_text = "0",
       .assign = [](Settings& settings, const std::string& text) -> Result<void> {
         const auto value = whole_number(text, 0, 64);
         if (!value) return fail(value.error());
         settings.workers = static_cast<unsigned>(*value);
         return {};
       }},
      {.key = "outbound.allow",
       .flag = "--outbound-allow",
       .variable = "INTHUB_OUTBOUND_ALLOW",
       .description =
           "Addresses that integrations may reach besides public ones: CIDRs, and the words loopback and private",
       .is_list = true,
       .default_text = "",
       .assign = list_into(&Settings::outbound_allow)},
      {.key = "outbound.caFile",
       .flag = "--outbound-ca-file",
       .variable = "INTHUB_OUTBOUND_CA_FILE",
       .description = "PEM file of the certificate authorities trusted by default; empty: the system's",
       .default_text = "",
       .assign = [](Settings& settings, const std::string& text) -> Result<void> {
         settings.outbound_ca_file = text;
         return {};
       }},
      {.key = "credentials.masterKeyFile",
       .flag = "--master-key-file",
       .variable = "INTHUB_MASTER_KEY_FILE",
       .description =
           "File with the 32-byte key that seals local credentials; empty: DATA_DIR/master.key, made at first start",
       .default_text = "",
       .assign = [](Settings& settings, const std::string& text) -> Result<void> {
         settings.master_key_file = text;
         return {};
       }},
      {.key = "credentials.envAllowed",
       .flag = "--credential-env-allowed",
       .variable = "INTHUB_CREDENTIAL_ENV_ALLOWED",
       .description = "Variables that authref://env/NAME may name besides those beginning with INTHUB_SECRET_",
       .is_list = true,
       .default_text = "",
       .assign = list_into(&Settings::credential_env_allowed)},
      {.key = "credentials.fileRoots",
       .flag = "--credential-file-roots",
       .variable = "INTHUB_CREDENTIAL_FILE_ROOTS",
       .description = "Directories below which authref://file/PATH may read; empty: none",
       .is_list = true,
       .default_text = "",
       .assign = [](Settings& settings, const std::string& text) -> Result<void> {
         settings.credential_file_roots.clear();
         for (const std::string& item : split_list(text)) {
           if (!item.starts_with('/')) return bad_value("absolute directories");
           settings.credential_file_roots.emplace_back(item);
         }
         return {};
       }},
      {.key = "health.interval",
       .flag = "--health-interval",
       .variable = "INTHUB_HEALTH_INTERVAL",
       .description = "Seconds between two background health checks of an integration, 5 to 86400",
       .default_text = "60",
       .assign = seconds_into(&Settings::health_interval, 5, 86'400)},
      {.key = "health.slowestInterval",
       .flag = "--health-slowest-interval",
       .variable = "INTHUB_HEALTH_SLOWEST_INTERVAL",
       .description = "Seconds that the interval may grow to while nothing changes, 5 to 86400",
       .default_text = "300",
       .assign = seconds_into(&Settings::health_slowest_interval, 5, 86'400)},
      {.key = "health.maxInFlight",
       .flag = "--health-max-in-flight",
       .variable = "INTHUB_HEALTH_MAX_IN_FLIGHT",
       .description = "Background health checks at once, 1 to 64",
       .default_text = "64",
       .assign = [](Settings& settings, const std::string& text) -> Result<void> {
         const auto value = whole_number(text, 1, 64);
         if (!value) return fail(value.error());
         settings.health_max_in_flight = static_cast<std::size_t>(*value);
         return {};
       }},
      {.key = "log.level",
       .flag = "--log-level",
       .variable = "INTHUB_LOG_LEVEL",
       .description = "Least level that is logged to standard error: debug, info, warning, error or off",
       .default_text = "info",
       .assign = assign_level},
      {.key = "log.format",
       .flag = "--log-format",
       .variable = "INTHUB_LOG_FORMAT",
       .description = "text or json, one entry per line",
       .default_text = "text",
       .assign = [](Settings& settings, const std::string& text) -> Result<void> {
         if (text != "text" && text != "json") return bad_value("text or json");
         settings.log_format = text == "json" ? log::Format::json : log::Format::text;
         return {};
       }},
  };
}

/// Variables with our prefix that are not settings of the server.
bool is_other_variable(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kOthers{"INTHUB_CONFIG",    "INTHUB_MASTER_KEY", "INTHUB_SERVER",
                                                           "INTHUB_SERVER_CA", "INTHUB_TOKEN",      "INTHUB_TOKEN_FILE",
                                                           "INTHUB_OUTPUT"};
  return name.starts_with("INTHUB_SECRET_") || std::ranges::find(kOthers, name) != kOthers.end();
}

struct FileEntry {
  std::string key;
  std::string value;
  bool is_list = false;
  int line = 0;
};

void flatten(const YAML::Node& node, const std::string& prefix, std::vector<FileEntry>& out,
             std::vector<Violation>& broken) {
  std::vector<std::string> seen;
  for (const auto& member : node) {
    const std::string key = prefix + member.first.as<std::string>();
    const int line = member.first.Mark().line + 1;
    if (std::ranges::find(seen, key) != seen.end()) {
      broken.push_back({.field = key, .message = fmt::format("line {}: is set twice", line), .code = "duplicate"});
    }
    seen.push_back(key);
    if (member.second.IsMap()) {
      flatten(member.second, key + ".", out, broken);
    } else if (member.second.IsSequence()) {
      std::vector<std::string> items;
      for (const auto& item : member.second) items.push_back(item.as<std::string>(""));
      out.push_back({.key = key, .value = fmt::format("{}", fmt::join(items, ",")), .is_list = true, .line = line});
    } else {
      out.push_back({.key = key, .value = member.second.as<std::string>(""), .is_list = false, .line = line});
    }
  }
}

Result<std::vector<FileEntry>> read_file(const std::filesystem::path& path, std::vector<Violation>& broken) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return fail(Error(ErrorCode::not_found, fmt::format("the configuration file {} cannot be read", path.string()))
                    .with_remedy("check the path and its permissions, or leave --config and INTHUB_CONFIG out"));
  }
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxFileBytes) {
    return fail(ErrorCode::payload_too_large,
                fmt::format("the configuration file {} is larger than 1 MiB", path.string()));
  }
  std::vector<FileEntry> entries;
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return entries;
    if (!root.IsMap())
      return fail(ErrorCode::validation_failed, fmt::format("{}: must be a YAML mapping", path.string()));
    flatten(root, "", entries, broken);
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::validation_failed,
                fmt::format("{}: line {}: not valid YAML: {}", path.string(), error.mark.line + 1, error.msg));
  }
  return entries;
}

}  // namespace

const std::vector<SettingRow>& setting_rows() {
  static const std::vector<SettingRow> rows = make_rows();
  return rows;
}

Result<LoadedSettings> load_settings(const SettingSources& sources) {
  LoadedSettings loaded;
  std::vector<Violation> broken;
  std::vector<FileEntry> entries;
  if (sources.file) {
    auto read = read_file(*sources.file, broken);
    if (!read) return fail(std::move(read).error());
    entries = *std::move(read);
  }
  for (const FileEntry& entry : entries) {
    const auto row = std::ranges::find(setting_rows(), entry.key, &SettingRow::key);
    if (row == setting_rows().end()) {
      std::vector<std::string_view> known;
      for (const SettingRow& one : setting_rows()) known.push_back(one.key);
      broken.push_back({.field = entry.key,
                        .message = fmt::format("{} line {}: is not a known key; known are: {}", sources.file->string(),
                                               entry.line, fmt::join(known, ", ")),
                        .code = "unknown_field"});
    } else if (entry.is_list && !row->is_list) {
      broken.push_back(
          {.field = entry.key,
           .message = fmt::format("{} line {}: takes one value, not a list", sources.file->string(), entry.line),
           .code = "type"});
    }
  }
  for (const auto& [name, value] : sources.environment) {
    const bool known = std::ranges::find(setting_rows(), name, &SettingRow::variable) != setting_rows().end();
    if (!known && !is_other_variable(name)) {
      broken.push_back({.field = name,
                        .message = "is not a known environment variable; `inthub serve --help` lists them",
                        .code = "unknown_field"});
    }
  }
  for (const SettingRow& row : setting_rows()) {
    std::string value = row.default_text;
    std::string origin = "default";
    for (const FileEntry& entry : entries) {
      if (entry.key != row.key) continue;
      value = entry.value;
      origin = fmt::format("file {} line {}", sources.file->string(), entry.line);
    }
    if (const auto found = sources.environment.find(std::string(row.variable)); found != sources.environment.end()) {
      value = found->second;
      origin = fmt::format("environment {}", row.variable);
    }
    if (const auto found = sources.flags.find(std::string(row.flag)); found != sources.flags.end()) {
      value = found->second;
      origin = fmt::format("flag {}", row.flag);
    }
    if (auto assigned = row.assign(loaded.settings, value); !assigned) {
      broken.push_back({.field = std::string(row.key),
                        .message = fmt::format("{} (from {})", assigned.error().message(), origin),
                        .code = "format"});
    }
    loaded.origins.push_back({.key = std::string(row.key), .value = std::move(value), .origin = std::move(origin)});
  }
  if (loaded.settings.health_slowest_interval < loaded.settings.health_interval) {
    broken.push_back(
        {.field = "health.slowestInterval", .message = "must not be below health.interval", .code = "minimum"});
  }
  if (!broken.empty()) {
    return fail(
        Error(ErrorCode::validation_failed, "the configuration is not usable").with_violations(std::move(broken)));
  }
  return loaded;
}

}  // namespace inthub
