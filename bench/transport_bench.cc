// What does the outbound client cost beside bare libcurl, and what does a trust store that is parsed once save?
//
// 1. Requests per second and CPU per request over kept-alive connections, at 1 and 64 at once, against a loopback stub;
//    beside it one bare curl_easy_perform() loop against the same stub.
// 2. CPU per fresh TLS connection with one request; beside it libcurl that reads the system's CA bundle itself. Built
//    by Debian it also names a directory, and then parses the file for every connection. With CURLOPT_CAPATH off it
//    keeps one parsed store, which HttpClient cannot use: it would replace the store of another CA bundle.
//
// The stubs are other processes, so CPU is the client's alone. Trust the ratios of one run, not the figures.
// Usage: transport_bench [seconds per measurement, default 3]

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "foundation/metrics.h"
#include "foundation/task.h"
#include "support/peer_server.h"
#include "support/test_ca.h"
#include "transport/address_policy.h"
#include "transport/http_client.h"

namespace {

using namespace inthub;
using SteadyClock = std::chrono::steady_clock;
using asio::ip::tcp;
using Socket = asio::basic_stream_socket<tcp, IoExecutor>;
using Acceptor = asio::basic_socket_acceptor<tcp, IoExecutor>;
constexpr asio::use_awaitable_t<IoExecutor> kUseTask;

constexpr std::string_view kSystemCaFile = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

/// A child process that serves on the port it reports.
class Stub {
 public:
  template <class Serve>
  explicit Stub(Serve serve) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve([&](std::uint16_t port) {
        if (::write(ends[1], &port, sizeof port) != sizeof port) ::_exit(1);
      });
      ::_exit(0);
    }
    if (::read(ends[0], &port_, sizeof port_) != sizeof port_) std::abort();
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Stub(const Stub&) = delete;
  Stub& operator=(const Stub&) = delete;
  ~Stub() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::uint16_t port() const { return port_; }

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

Task<void> answer_for_ever(Socket socket) {
  std::string received;
  char piece[4096];
  boost::system::error_code ended;
  while (!ended) {
    const std::size_t size =
        co_await socket.async_read_some(asio::buffer(piece), asio::redirect_error(kUseTask, ended));
    received.append(piece, size);
    if (!received.ends_with("\r\n\r\n")) continue;
    received.clear();
    co_await asio::async_write(socket, asio::buffer(kAnswer), asio::redirect_error(kUseTask, ended));
  }
}

Task<void> accept_for_ever(Acceptor& acceptor) {
  for (;;) {
    Socket socket = co_await acceptor.async_accept(kUseTask);
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(acceptor.get_executor(), answer_for_ever(std::move(socket)), [](const std::exception_ptr&) {});
  }
}

template <class Report>
void serve_plain(Report report) {
  asio::io_context context(1);
  Acceptor acceptor(context.get_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  report(acceptor.local_endpoint().port());
  asio::co_spawn(context.get_executor(), accept_for_ever(acceptor), [](const std::exception_ptr&) {});
  context.run();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Measured {
  double per_second = 0;
  double cpu_microseconds = 0;  ///< per request
};

/// Calls `work(end)`, which answers how many requests it made.
template <class Work>
Measured measure(std::chrono::seconds length, Work work) {
  const auto begin = SteadyClock::now();
  const double cpu = cpu_seconds();
  const auto requests = static_cast<double>(work(begin + length));
  const std::chrono::duration<double> took = SteadyClock::now() - begin;
  return {.per_second = requests / took.count(), .cpu_microseconds = (cpu_seconds() - cpu) / requests * 1e6};
}

HttpRequest get(const std::string& url) {
  HttpRequest request;
  request.url = HttpUrl::parse(url).value();
  return request;
}

Task<void> send_one_by_one(HttpClient& client, const HttpRequest& request, const TransportProfilePtr& profile,
                           SteadyClock::time_point end, std::size_t& requests) {
  while (SteadyClock::now() < end) {
    const auto answer = co_await client.send(request, profile, end + std::chrono::seconds(10));
    if (!answer) {
      fmt::print(stderr, "{}\n", answer.error().error.message());
      std::exit(1);
    }
    ++requests;
  }
}

std::size_t send_until(HttpClient& client, const std::string& url, const TransportProfilePtr& profile, int at_once,
                       SteadyClock::time_point end) {
  asio::io_context context(1);
  std::size_t requests = 0;
  const HttpRequest request = get(url);
  for (int i = 0; i < at_once; ++i) {
    asio::co_spawn(context.get_executor(), send_one_by_one(client, request, profile, end, requests),
                   [](const std::exception_ptr&) {});
  }
  context.run();
  return requests;
}

enum class CaSource : std::uint8_t { none, file_and_directory, file_alone };

std::size_t bare_until(const std::string& url, const std::string& ca_file, CaSource source,
                       SteadyClock::time_point end) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(), &curl_easy_cleanup);
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(easy.get(), CURLOPT_SSL_SESSIONID_CACHE, 0L);
  if (source != CaSource::none) curl_easy_setopt(easy.get(), CURLOPT_CAINFO, ca_file.c_str());
  if (source == CaSource::file_alone) curl_easy_setopt(easy.get(), CURLOPT_CAPATH, nullptr);
  const auto discard = [](char*, std::size_t size, std::size_t count, void*) -> std::size_t { return size * count; };
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, +discard);
  std::size_t requests = 0;
  while (SteadyClock::now() < end) {
    const CURLcode code = curl_easy_perform(easy.get());
    if (code != CURLE_OK) {
      fmt::print(stderr, "{}\n", curl_easy_strerror(code));
      std::exit(1);
    }
    ++requests;
  }
  return requests;
}

void print(std::string_view what, const Measured& measured, const Measured& beside) {
  fmt::print("{:<62} {:>9.0f}/s {:>10.1f} us CPU {:>7.2f} x\n", what, measured.per_second, measured.cpu_microseconds,
             measured.cpu_microseconds / beside.cpu_microseconds);
}

}  // namespace

int main(int argc, char** argv) {
  const std::chrono::seconds length(argc > 1 ? std::atoi(argv[1]) : 3);
  const testing_support::TestCa ca;
  const testing_support::Identity identity = ca.issue();
  const Stub plain([](auto report) { serve_plain(report); });
  const Stub tls([&](auto report) {
    const testing_support::PeerServer server(
        [](testing_support::PeerConnection& connection) {
          if (connection.read_request()) {
            connection.send(testing_support::http_response(200, "ok", "Connection: close\r\n"));
          }
        },
        {.tls = identity});
    report(server.port());
    ::pause();
  });
  const std::string plain_url = fmt::format("http://127.0.0.1:{}/v2/", plain.port());
  const std::string tls_url = fmt::format("https://127.0.0.1:{}/v2/", tls.port());

  curl_global_init(CURL_GLOBAL_DEFAULT);
  const AddressPolicy policy = AddressPolicy::make({"loopback"}).value();
  Metrics metrics;
  HttpClient client({.user_agent = "bench"}, policy, metrics);
  const auto profile = std::make_shared<const TransportProfile>();
  const auto trusting =
      std::make_shared<const TransportProfile>(TransportProfile{.ca_bundle_pem = ca.certificate_pem()});

  const std::filesystem::path both =
      std::filesystem::temp_directory_path() / fmt::format("transport-bench-{}.pem", ::getpid());
  {
    std::ifstream system{std::string(kSystemCaFile)};
    std::ofstream(both) << std::string(std::istreambuf_iterator<char>(system), {}) << ca.certificate_pem();
  }
  const std::string ca_file = both.string();

  fmt::print("kept-alive, plain http{:>46}{:>18}{:>10}\n", "requests", "per request", "of bare");
  const auto bare = measure(length, [&](auto end) { return bare_until(plain_url, "", CaSource::none, end); });
  print("  bare curl_easy_perform, 1 at once", bare, bare);
  const auto one = measure(length, [&](auto end) { return send_until(client, plain_url, profile, 1, end); });
  print("  HttpClient, 1 at once", one, bare);
  const auto many = measure(length, [&](auto end) { return send_until(client, plain_url, profile, 64, end); });
  print("  HttpClient, 64 at once", many, bare);

  fmt::print("fresh TLS 1.3 connection and one request{:>28}{:>18}{:>10}\n", "requests", "per request", "of ours");
  static_cast<void>(send_until(client, tls_url, trusting, 1, SteadyClock::now() + std::chrono::milliseconds(200)));
  const auto ours = measure(length, [&](auto end) { return send_until(client, tls_url, trusting, 1, end); });
  print("  HttpClient, one trust store", ours, ours);
  const auto file = measure(length, [&](auto end) { return bare_until(tls_url, ca_file, CaSource::file_alone, end); });
  print("  libcurl, one CA file and no directory (its own cache)", file, ours);
  const auto directory =
      measure(length, [&](auto end) { return bare_until(tls_url, ca_file, CaSource::file_and_directory, end); });
  print("  libcurl, one CA file and the directory as built", directory, ours);
  std::filesystem::remove(both);
  return 0;
}
