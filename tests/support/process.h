#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace inthub::testing_support {

/// A TCP port of 127.0.0.1 that nothing listens on at this moment. Another process may take it before it is used.
std::uint16_t free_port();

/// Whether 127.0.0.1:`port` accepts a connection before `limit` has passed.
bool wait_until_accepts(std::uint16_t port, std::chrono::milliseconds limit);

/// The absolute path of a program found in PATH, /usr/sbin or /sbin; nothing when there is none.
std::optional<std::filesystem::path> find_program(const std::string& name);

/// A child process: `Process nginx({"nginx", "-c", file}); ASSERT_TRUE(nginx.wait_until_accepts(port));`
/// The destructor sends SIGTERM to the child's process group, SIGKILL after kTerminationGrace, and reaps it.
class Process {
 public:
  static constexpr std::chrono::seconds kTerminationGrace{5};

  struct Options {
    std::map<std::string, std::string> environment = {};  ///< added to a minimal one (PATH, HOME, LANG)
    std::filesystem::path working_directory = {};         ///< empty: the caller's
    std::filesystem::path output = {};                    ///< standard output and error go there; empty: discarded
    std::filesystem::path error_output = {};              ///< standard error alone; empty: as `output`
    std::string input = {};                               ///< read by the child as standard input; at most 64 KiB
  };

  /// Starts the child. argv[0] is looked up as find_program() does. Throws std::runtime_error when it cannot be
  /// started.
  Process(std::vector<std::string> argv, Options options);
  explicit Process(std::vector<std::string> argv);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  /// False when the child ended or `limit` passed first.
  bool wait_until_accepts(std::uint16_t port, std::chrono::milliseconds limit = std::chrono::seconds(20));
  /// The exit status (128 + signal when killed by one), or nothing while it runs after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit);
  void send_signal(int signal) const;
  /// SIGTERM, then SIGKILL after kTerminationGrace. Returns the exit status as wait() does. Idempotent.
  int terminate();

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

}  // namespace inthub::testing_support
