#include "app/serve.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/hub.h"
#include "app/settings.h"
#include "foundation/log.h"

namespace inthub {
namespace {

constexpr std::chrono::seconds kDrain{8};  // with what follows it, stopping takes at most 10 s

std::map<std::string, std::string> inthub_variables() {
  std::map<std::string, std::string> found;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (text.starts_with("INTHUB_") && equals != std::string_view::npos) {
      found.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return found;
}

/// One flag per setting, and --config.
struct Flags {
  std::deque<std::string> values;  // CLI11 keeps references
  std::map<std::string, CLI::Option*> options;
  std::string config;
};

void add_flags(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config,
                 "YAML file with these settings under the names shown in brackets [INTHUB_CONFIG]");
  for (const SettingRow& row : setting_rows()) {
    std::string& value = flags.values.emplace_back();
    auto* option = app.add_option(std::string(row.flag), value,
                                  fmt::format("{} [{}, {}]", row.description, row.key, row.variable));
    if (!row.default_text.empty()) option->default_str(row.default_text);
    flags.options.emplace(row.flag, option);
  }
}

SettingSources sources_of(const Flags& flags) {
  SettingSources sources;
  sources.environment = inthub_variables();
  for (const auto& [name, option] : flags.options) {
    if (option->count() > 0) sources.flags[name] = option->as<std::string>();
  }
  if (!flags.config.empty()) {
    sources.file = flags.config;
  } else if (const auto named = sources.environment.find("INTHUB_CONFIG"); named != sources.environment.end()) {
    sources.file = named->second;
  }
  return sources;
}

int report(const Error& error) {
  std::cerr << "error: " << error.message() << '\n';
  for (const Violation& violation : error.violations()) {
    std::cerr << "  " << violation.field << ": " << violation.message << '\n';
  }
  if (!error.remedy().empty()) std::cerr << "remedy: " << error.remedy() << '\n';
  return describe(error.code()).exit_code;
}

/// Parses, or returns the exit code that ends the program: help asked for, or a usage error.
std::optional<int> parse(CLI::App& app, const std::vector<std::string>& args) {
  std::vector<std::string> reversed(args.rbegin(), args.rend());  // the order that CLI11's vector form wants
  try {
    app.parse(reversed);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : describe(ErrorCode::invalid_argument).exit_code;
  }
}

/// Secrets live in this process: no core dump, and no debugger of the same user.
void keep_memory_private() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) {
    log::warning("degraded mode", {{"what", "core dumps could not be switched off; a core would contain secrets"}});
  }
}

}  // namespace

int run_serve(const std::vector<std::string>& args) {
  CLI::App app("Runs the hub until SIGTERM or SIGINT.", "inthub serve");
  app.footer(
      "Examples:\n"
      "  inthub serve                                        data in ./data, API on http://127.0.0.1:8080\n"
      "  inthub serve --data-dir /var/lib/inthub --outbound-allow private\n"
      "  inthub serve --config /etc/inthub/inthub.yaml");
  Flags flags;
  add_flags(app, flags);
  if (const auto code = parse(app, args)) return *code;
  auto loaded = load_settings(sources_of(flags));
  if (!loaded) return report(loaded.error());

  log::configure(loaded->settings.log_level, loaded->settings.log_format);
  keep_memory_private();
  // One arena per thread would keep tens of MiB that a few requests once used.
  ::mallopt(M_ARENA_MAX, 2);
  std::signal(SIGPIPE, SIG_IGN);
  // SIGXFSZ would kill the hub where a write over a file-size limit should fail like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);

  // Blocked before any thread starts, so that every thread inherits it and only the wait below sees them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  auto hub = Hub::start(loaded->settings);
  if (!hub) return report(hub.error());
  std::cout << "listening on " << (*hub)->address() << '\n' << std::flush;

  int received = 0;
  sigwait(&stop_signals, &received);
  log::info("stopping", {{"signal", received == SIGTERM ? "SIGTERM" : "SIGINT"}});
  // A second signal ends it at once.
  pthread_sigmask(SIG_UNBLOCK, &stop_signals, nullptr);
  (*hub)->stop(kDrain);
  log::info("stopped");
  return 0;
}

int run_config(const std::vector<std::string>& args) {
  CLI::App app("Explains the configuration of the hub.", "inthub config");
  app.require_subcommand(1);
  auto* check = app.add_subcommand(
      "check", "Prints every setting, its effective value and where it came from; exit 6 when one is wrong");
  check->footer("Example:\n  inthub config check --config /etc/inthub/inthub.yaml");
  Flags flags;
  add_flags(*check, flags);
  if (const auto code = parse(app, args)) return *code;
  auto loaded = load_settings(sources_of(flags));
  if (!loaded) return report(loaded.error());
  std::size_t key_width = 0;
  std::size_t value_width = 0;
  for (const SettingOrigin& row : loaded->origins) {
    key_width = std::max(key_width, row.key.size());
    value_width = std::max(value_width, std::min<std::size_t>(row.value.size(), 40));
  }
  for (const SettingOrigin& row : loaded->origins) {
    std::cout << fmt::format("{:<{}}  {:<{}}  {}\n", row.key, key_width, row.value.empty() ? "-" : row.value,
                             value_width, row.origin);
  }
  return 0;
}

}  // namespace inthub
