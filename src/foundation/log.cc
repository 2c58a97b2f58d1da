#include "foundation/log.h"

#include <atomic>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "foundation/clock.h"
#include "foundation/json.h"

namespace inthub::log {
namespace {

constexpr std::size_t kMaxValueBytes = 1024;

/// Cut between characters.
std::string_view cut(std::string_view text) {
  if (text.size() <= kMaxValueBytes) return text;
  std::size_t end = kMaxValueBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

struct State {
  std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("inthub", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  std::atomic<Format> format{Format::text};
};

State& state() {
  static State instance;
  return instance;
}

std::string_view name_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warning";
    default:
      return "error";
  }
}

void write(spdlog::level::level_enum level, std::string_view message, Fields fields) noexcept {
  try {
    State& out = state();
    if (!out.logger->should_log(level)) return;
    std::string line;
    const bool json = out.format.load(std::memory_order_relaxed) == Format::json;
    const std::string time = to_rfc3339(system_clock().now());
    if (json) {
      line = "{\"time\":\"" + time + "\",\"level\":\"";
      line += name_of(level);
      line += "\",\"message\":";
      append_json_string(line, cut(message));
      for (const auto& [key, value] : fields) {
        line += ',';
        append_json_string(line, key);
        line += ':';
        append_json_string(line, cut(value));
      }
      line += '}';
    } else {
      line = time;
      line += ' ';
      line += name_of(level);
      line += ' ';
      for (const char c : cut(message)) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
      for (const auto& [key, value] : fields) {
        line += ' ';
        line += key;
        line += '=';
        append_json_string(line, cut(value));
      }
    }
    out.logger->log(level, spdlog::string_view_t(line.data(), line.size()));
  } catch (...) {  // NOLINT(bugprone-empty-catch): there is nowhere left to report a failing log to
  }
}

}  // namespace

void configure(Level least, Format format) {
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err, spdlog::level::off};
  state().logger->set_level(kLevels[static_cast<int>(least)]);
  state().format = format;
}

void debug(std::string_view message, Fields fields) {
  write(spdlog::level::debug, message, fields);
}
void info(std::string_view message, Fields fields) {
  write(spdlog::level::info, message, fields);
}
void warning(std::string_view message, Fields fields) {
  write(spdlog::level::warn, message, fields);
}
void error(std::string_view message, Fields fields) {
  write(spdlog::level::err, message, fields);
}

void exception(std::string_view where, const std::exception_ptr& what) {
  if (!what) return error("an unknown exception reached a border", {{"where", where}});
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& caught) {
    error("an exception reached a border", {{"where", where}, {"what", caught.what()}});
  } catch (...) {
    error("an unknown exception reached a border", {{"where", where}});
  }
}

}  // namespace inthub::log
