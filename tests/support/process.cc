#include "support/process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace inthub::testing_support {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{5};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool accepts(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return connected;
}

int open_or_throw(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0) throw std::system_error(errno, std::generic_category(), path);
  return file;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(socket);
  if (!bound) throw std::system_error(errno, std::generic_category(), "bind 127.0.0.1:0");
  return ntohs(address.sin_port);
}

bool wait_until_accepts(std::uint16_t port, std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!accepts(port)) {
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

std::optional<std::filesystem::path> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  std::vector<std::string_view> directories;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    directories.push_back(rest.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  }
  directories.insert(directories.end(), {"/usr/sbin", "/sbin"});
  for (const std::string_view directory : directories) {
    std::filesystem::path candidate = std::filesystem::path(directory) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

Process::Process(std::vector<std::string> argv) : Process(std::move(argv), Options{}) {}

Process::Process(std::vector<std::string> argv, Options options) {
  const auto program = find_program(argv.at(0));
  if (!program) throw std::runtime_error("no program " + argv.at(0));
  std::map<std::string, std::string> environment{
      {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}, {"HOME", "/tmp"}, {"LANG", "C.UTF-8"}};
  for (const auto& [name, value] : options.environment) environment[name] = value;
  std::vector<std::string> settings;
  settings.reserve(environment.size());
  for (const auto& [name, value] : environment) settings.push_back(std::string(name).append("=").append(value));
  std::vector<char*> argument_pointers = pointers(argv);
  std::vector<char*> setting_pointers = pointers(settings);

  int input = -1;
  if (options.input.empty()) {
    input = open_or_throw("/dev/null", O_RDONLY);
  } else {
    int ends[2];  // the text fits into the pipe's buffer, so writing it here cannot block
    if (options.input.size() > 65'536 || ::pipe2(ends, O_CLOEXEC) != 0)
      throw std::runtime_error("cannot pass the input");
    const bool written = ::write(ends[1], options.input.data(), options.input.size()) >= 0;
    ::close(ends[1]);
    if (!written) throw std::runtime_error("cannot pass the input");
    input = ends[0];
  }
  const std::string out = options.output.empty() ? "/dev/null" : options.output.string();
  const int output = open_or_throw(out, O_WRONLY | O_CREAT | O_APPEND);
  const int errors = options.error_output.empty()
                         ? ::fcntl(output, F_DUPFD_CLOEXEC, 3)
                         : open_or_throw(options.error_output.string(), O_WRONLY | O_CREAT | O_APPEND);

  pid_ = ::fork();
  if (pid_ == 0) {  // only async-signal-safe calls from here on: the parent has threads
    ::setpgid(0, 0);
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    if (!options.working_directory.empty() && ::chdir(options.working_directory.c_str()) != 0) ::_exit(126);
    ::execve(program->c_str(), argument_pointers.data(), setting_pointers.data());
    ::_exit(127);
  }
  ::close(input);
  ::close(output);
  ::close(errors);
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  ::setpgid(pid_, pid_);  // here too, so that the group exists before the first signal is sent
}

Process::~Process() {
  terminate();
}

bool Process::wait_until_accepts(std::uint16_t port, std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (Clock::now() < end) {
    if (accepts(port)) return true;
    if (wait(kPoll)) return false;
  }
  return false;
}

std::optional<int> Process::wait(std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!status_) {
    int raw = 0;
    const pid_t ended = ::waitpid(pid_, &raw, WNOHANG);
    if (ended == pid_) {
      status_ = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
      break;
    }
    if (ended < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
    if (Clock::now() >= end) break;
    std::this_thread::sleep_for(kPoll);
  }
  return status_;
}

void Process::send_signal(int signal) const {
  if (!status_) ::kill(pid_, signal);
}

int Process::terminate() {
  if (!status_) {
    ::kill(-pid_, SIGTERM);
    if (!wait(kTerminationGrace)) {
      ::kill(-pid_, SIGKILL);
      wait(std::chrono::hours(1));  // SIGKILL cannot be ignored
    }
  }
  return status_.value_or(-1);
}

}  // namespace inthub::testing_support
