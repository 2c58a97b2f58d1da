#pragma once

#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace inthub::log {

enum class Level { debug, info, warning, error, off };
enum class Format { text, json };

/// Structured fields beside the message. Values are escaped, and cut at 1,024 bytes.
using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Where and how to log: standard error, one line per entry. Call once, before threads start.
void configure(Level least, Format format);

/// Thread-safe; never throws. Whoever logs vendor text redacts it first (foundation/redact.h).
void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warning(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});
/// A bug that reached a border: `where` names the border.
void exception(std::string_view where, const std::exception_ptr& what);

}  // namespace inthub::log
