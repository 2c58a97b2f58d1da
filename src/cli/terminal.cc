#include <cerrno>
#include <cstdlib>
#include <iostream>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/input.h"

namespace inthub {
namespace {

/// The controlling terminal with echo switched off, for as long as this object lives.
class SilentTerminal {
 public:
  SilentTerminal() : descriptor_(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (descriptor_ < 0 || ::tcgetattr(descriptor_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= static_cast<tcflag_t>(ICANON | ECHONL);
    is_silent_ = ::tcsetattr(descriptor_, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (is_silent_) ::tcsetattr(descriptor_, TCSAFLUSH, &before_);
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  bool is_silent() const { return is_silent_; }
  void show(std::string_view text) const {
    if (::write(descriptor_, text.data(), text.size()) < 0)
      return;  // a prompt that cannot be shown does not stop the reading
  }
  /// False at the end of input, or when the line is longer than `max_bytes`.
  bool read_line(std::string& line, std::size_t max_bytes) const {
    char byte = 0;
    while (line.size() < max_bytes) {
      const ssize_t count = ::read(descriptor_, &byte, 1);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      if (byte == '\n') return true;
      line += byte;
    }
    return false;
  }

 private:
  int descriptor_;
  termios before_{};
  bool is_silent_ = false;
};

Result<SecretPtr> ask_on_terminal(std::string_view question) {
  const SilentTerminal terminal;
  if (!terminal.is_silent()) {
    return fail(Error(ErrorCode::invalid_argument, "--secret-prompt needs a terminal, and there is none")
                    .with_reason("cli.no_terminal")
                    .with_remedy("use --secret-stdin or --secret-file FILE"));
  }
  std::string line;
  line.reserve(kMaxSecretBytes);  // no reallocation leaves a copy behind
  terminal.show(question);
  if (!terminal.read_line(line, kMaxSecretBytes) || line.empty()) {
    wipe(line);
    return fail(Error(ErrorCode::invalid_argument, "no secret was typed").with_reason("cli.empty_secret"));
  }
  return make_secret(std::move(line));
}

std::optional<std::string> variable_of_process(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

CliEnvironment process_environment(std::vector<ExtraCommand> extra_commands) {
  return {.in = std::cin,
          .out = std::cout,
          .err = std::cerr,
          .in_is_terminal = ::isatty(STDIN_FILENO) == 1,
          .out_is_terminal = ::isatty(STDOUT_FILENO) == 1,
          .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
          .variable = variable_of_process,
          .ask_secret = ask_on_terminal,
          .extra_commands = std::move(extra_commands)};
}

}  // namespace inthub
