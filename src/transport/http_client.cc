#include "transport/http_client.h"

#include <algorithm>
#include <array>
#include <exception>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "foundation/encoding.h"
#include "foundation/log.h"
#include "foundation/metrics.h"
#include "transport/curl_loop.h"
#include "transport/exchange.h"
#include "transport/proxy.h"
#include "transport/trust_store.h"

namespace inthub {
namespace {

using transport::CurlLoop;
using transport::Exchange;
using transport::HttpOutcome;
using transport::Proxy;
using transport::ProxyKind;
using transport::TrustStorePtr;
using transport::TrustStores;
using SteadyClock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<SteadyClock, asio::wait_traits<SteadyClock>, IoExecutor>;

constexpr std::string_view kDefaultSystemCaFile = "/etc/ssl/certs/ca-certificates.crt";
/// How much later than its deadline an exchange is given up by the waiting side, should the I/O thread not have said
/// so.
constexpr std::chrono::seconds kGrace{1};
/// Profiles whose partition is remembered by their address, so that it is computed once for each.
constexpr std::size_t kMaxRememberedProfiles = 1024;

void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

/// Appends with its length, so that no two different sequences give the same text.
void append_field(std::string& text, std::string_view field) {
  text += std::to_string(field.size());
  text += ':';
  text += field;
}

std::string partition_key(const TransportProfile& profile) {
  std::string text;
  append_field(text, profile.partition);
  append_field(text, profile.ca_bundle_pem);
  append_field(text, profile.client_certificate_pem);
  append_field(text, profile.client_key_pem ? profile.client_key_pem->reveal() : std::string_view{});
  append_field(text, profile.proxy_url);
  append_field(text, profile.proxy_password ? profile.proxy_password->reveal() : std::string_view{});
  std::string digest = sha256(text);
  wipe(text);
  return digest;
}

/// Connections and sessions are never shared between partitions, because each has a libcurl multi handle of its own.
/// libcurl would not tell them apart: it compares neither tenants, nor trust stores that were set by a callback, nor
/// (for plain http and for CONNECT tunnels) who the client is.
struct Partition {
  std::string key;
  std::shared_ptr<CurlLoop> loop;
  std::optional<Proxy> proxy;
  TrustStorePtr trust;  ///< made by the first exchange that speaks TLS
  bool client_certificate_checked = false;
  std::size_t active = 0;
  SteadyClock::time_point last_used;
};
using Partitions = std::list<Partition>;  ///< the most recently used first

struct Instruments {
  explicit Instruments(Metrics& metrics)
      : in_flight(
            metrics.gauge("inthub_http_client_requests_in_flight", "Outbound HTTP requests sent and not yet answered")),
        queued(metrics.gauge("inthub_http_client_requests_queued", "Outbound HTTP requests waiting for a connection")),
        connections(metrics.counter("inthub_http_client_connections_opened_total", "Outbound connections opened")),
        duration(metrics.histogram("inthub_http_client_request_duration_seconds",
                                   "Outbound HTTP requests from being asked for to the end of the answer",
                                   {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60})) {
    for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
      outcomes[i] = &metrics.counter("inthub_http_client_requests_total", "Outbound HTTP requests by outcome",
                                     {{"outcome", std::string(kOutcomes[i])}});
    }
  }
  static constexpr std::array<std::string_view, 10> kOutcomes{"1xx",          "2xx", "3xx",  "4xx",       "5xx",
                                                              "connectivity", "tls", "http", "cancelled", "other"};

  void count(std::string_view outcome) {
    const auto* const found = std::ranges::find(kOutcomes, outcome);
    const auto index =
        found == kOutcomes.end() ? kOutcomes.size() - 1 : static_cast<std::size_t>(found - kOutcomes.begin());
    outcomes[index]->add();
  }
  void count(const HttpOutcome& outcome) {
    if (outcome) {
      const int hundreds = std::clamp(outcome->status / 100, 1, 5);
      outcomes[static_cast<std::size_t>(hundreds) - 1]->add();
      return;
    }
    const std::string_view reason = outcome.error().error.reason();
    count(reason.substr(0, reason.find('.')));
  }

  Gauge& in_flight;
  Gauge& queued;
  Counter& connections;
  Histogram& duration;
  std::array<Counter*, kOutcomes.size()> outcomes{};
};

}  // namespace

std::string_view name_of(HttpStage stage) {
  switch (stage) {
    case HttpStage::dns:
      return "dns";
    case HttpStage::tcp:
      return "tcp";
    case HttpStage::proxy:
      return "proxy";
    case HttpStage::tls:
      return "tls";
    case HttpStage::http:
      return "http";
  }
  return "http";
}

/// Shared with the callers' coroutines, which may end later than the client. All but submit() and abort() is used on
/// the I/O thread only. Handlers hold plain pointers: the context they wait in is a member, so they never outlive it.
struct HttpClient::Impl {
  /// An exchange with its place in the client.
  struct Job {
    Job(HttpRequest request, TransportProfilePtr profile, Deadline deadline)
        : exchange(std::move(request), std::move(profile), deadline) {}

    Exchange exchange;
    OneShot<HttpOutcome> outcome;
    enum class State : std::uint8_t { fresh, queued, active, done } state = State::fresh;
    Partitions::iterator partition;                   ///< while active
    std::list<std::shared_ptr<Job>>::iterator place;  ///< while queued
    std::unique_ptr<Timer> expiry;                    ///< while queued
  };
  using JobPtr = std::shared_ptr<Job>;

  Impl(Options used, const AddressPolicy& address_policy, Metrics& metrics)
      : options(std::move(used)),
        policy(address_policy),
        instruments(metrics),
        trust(options.system_ca_file.empty() ? std::string(kDefaultSystemCaFile) : options.system_ca_file),
        work(asio::make_work_guard(context)),
        sweep_timer(context.get_executor()) {}

  void run() noexcept {
    for (;;) {
      try {
        context.run();
        return;
      } catch (...) {
        log::exception("http client", std::current_exception());
      }
    }
  }

  void submit(const JobPtr& job) {
    asio::post(context, [this, job] { begin(job); });
  }
  void abort(const JobPtr& job) {
    asio::post(context, [this, job] { give_up(job); });
  }

  void begin(const JobPtr& job) {
    if (stopping) return settle(job, stopped(job->exchange));
    if (job->exchange.deadline() <= SteadyClock::now()) return settle(job, too_late(job->exchange));
    if (active.size() < options.max_connections) return start(job);
    if (queue.size() >= kMaxQueued) return settle(job, overloaded(job->exchange));
    job->state = Job::State::queued;
    job->place = queue.insert(queue.end(), job);
    instruments.queued.set(static_cast<double>(queue.size()));
    job->expiry = std::make_unique<Timer>(context.get_executor(), job->exchange.deadline());
    job->expiry->async_wait([this, job](const boost::system::error_code& error) {
      if (!error && job->state == Job::State::queued) settle(job, queued_too_long(job->exchange));
    });
  }

  void leave_queue(const JobPtr& job) {
    queue.erase(job->place);
    job->expiry.reset();
    instruments.queued.set(static_cast<double>(queue.size()));
  }

  void start(const JobPtr& job) {
    auto partition = partition_for(job->exchange.shared_profile());
    if (!partition)
      return settle(job, std::unexpected(job->exchange.failure(std::move(partition).error(), HttpStage::dns)));
    Partition& used = **partition;
    const TransportProfile& profile = job->exchange.profile();
    const HttpUrl& url = job->exchange.request().url;
    const bool proxied = used.proxy && !transport::goes_direct(profile.no_proxy, url);
    const bool speaks_tls = url.scheme == "https" || (proxied && used.proxy->kind == ProxyKind::https);
    if (speaks_tls) {
      if (auto prepared = prepare_tls(used, profile); !prepared) {
        return settle(job, std::unexpected(job->exchange.failure(std::move(prepared).error(), HttpStage::tls)));
      }
    }
    make_room(*partition);
    auto failure = job->exchange.start({.policy = &policy,
                                        .loop = used.loop,
                                        .trust = speaks_tls ? used.trust : nullptr,
                                        .proxy = proxied ? used.proxy : std::nullopt,
                                        .idle_timeout = options.idle_timeout,
                                        .user_agent = options.user_agent});
    if (failure) return settle(job, std::unexpected(*std::move(failure)));
    job->state = Job::State::active;
    job->partition = *partition;
    ++used.active;
    used.loop->keep_at_most(used.active + options.max_idle_connections);
    active.emplace(job->exchange.handle(), job);
    instruments.in_flight.set(static_cast<double>(active.size()));
  }

  Result<void> prepare_tls(Partition& partition, const TransportProfile& profile) {
    if (!partition.trust) {
      auto store = trust.store_for(profile.ca_bundle_pem);
      if (!store) return fail(std::move(store).error());
      partition.trust = *std::move(store);
    }
    if (!profile.client_certificate_pem.empty() && !partition.client_certificate_checked) {
      auto usable = transport::check_client_certificate(
          profile.client_certificate_pem,
          profile.client_key_pem ? profile.client_key_pem->reveal() : std::string_view{});
      if (!usable) return usable;
      partition.client_certificate_checked = true;
    }
    return {};
  }

  void finished(CURL* easy, CURLcode code) {
    const auto found = active.find(easy);
    if (found == active.end()) return;
    const JobPtr job = found->second;
    HttpOutcome outcome = job->exchange.finish(code);
    instruments.connections.add(static_cast<double>(job->exchange.connections_opened()));
    settle(job, std::move(outcome));
  }

  /// The one end of every job, whatever state it is in.
  void settle(const JobPtr& job, HttpOutcome outcome) {
    if (!release(job)) return;
    instruments.count(outcome);
    instruments.duration.observe(std::chrono::duration<double>(SteadyClock::now() - job->exchange.begun()).count());
    job->outcome.set(std::move(outcome));
    start_waiting();
  }

  void give_up(const JobPtr& job) {
    if (!release(job)) return;
    instruments.count("cancelled");
    start_waiting();
  }

  /// Takes the job out of queue or loop. False when it had ended before.
  bool release(const JobPtr& job) {
    const Job::State before = std::exchange(job->state, Job::State::done);
    if (before == Job::State::done) return false;
    if (before == Job::State::queued) leave_queue(job);
    if (before == Job::State::active) {
      active.erase(job->exchange.handle());
      instruments.in_flight.set(static_cast<double>(active.size()));
      Partition& partition = *job->partition;
      partition.last_used = SteadyClock::now();
      --partition.active;
      partition.loop->keep_at_most(partition.active + options.max_idle_connections);
      job->exchange.end();
      trim_idle();
    }
    return true;
  }

  void start_waiting() {
    if (starting) return;  // below in the stack: an exchange that cannot start settles at once
    starting = true;
    while (!stopping && !queue.empty() && active.size() < options.max_connections) {
      const JobPtr next = queue.front();
      leave_queue(next);
      next->state = Job::State::fresh;
      start(next);
    }
    starting = false;
  }

  // --- partitions
  // -----------------------------------------------------------------------------------------------------

  Result<Partitions::iterator> partition_for(const TransportProfilePtr& profile) {
    const std::string& key = key_of(profile);
    if (const auto known = by_key.find(key); known != by_key.end()) {
      partitions.splice(partitions.begin(), partitions, known->second);
      return known->second;
    }
    Partition made;
    made.key = key;
    made.last_used = SteadyClock::now();
    if (!profile->proxy_url.empty()) {
      auto proxy = transport::parse_proxy(profile->proxy_url);
      if (!proxy) return fail(std::move(proxy).error());
      made.proxy = *std::move(proxy);
    }
    made.loop = CurlLoop::make(context.get_executor(), [this](CURL* easy, CURLcode code) { finished(easy, code); });
    partitions.push_front(std::move(made));
    by_key.emplace(key, partitions.begin());
    while (idle_partitions() > kMaxIdlePartitions) {
      if (!drop_least_recently_used(partitions.begin())) break;
    }
    sweep_later();
    return partitions.begin();
  }

  /// Hashing a CA bundle for every request would cost more than the request; profiles do not change.
  const std::string& key_of(const TransportProfilePtr& profile) {
    auto& known = profile_keys[profile.get()];
    if (known.first.lock() != profile) {
      if (profile_keys.size() > kMaxRememberedProfiles) {
        profile_keys.clear();
        return key_of(profile);
      }
      known = {profile, partition_key(*profile)};
    }
    return known.second;
  }

  std::size_t idle_partitions() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(partitions, [](const Partition& p) { return p.active == 0; }));
  }
  std::size_t open_sockets() const {
    std::size_t sum = 0;
    for (const Partition& partition : partitions) sum += partition.loop->open_sockets();
    return sum;
  }
  void drop(Partitions::iterator partition) {
    by_key.erase(partition->key);
    partitions.erase(partition);
  }
  /// Closes the connections of the partition that was idle for longest, sparing one. False when there is none.
  bool drop_least_recently_used(Partitions::iterator spared) {
    for (auto it = partitions.end(); it != partitions.begin();) {
      --it;
      if (it->active > 0 || it == spared) continue;
      drop(it);
      return true;
    }
    return false;
  }
  /// Before a new exchange, so that together they stay below max_connections.
  void make_room(Partitions::iterator user) {
    while (partitions.size() > 1 && open_sockets() >= options.max_connections && drop_least_recently_used(user)) {
    }
  }
  /// Within one partition libcurl does this (keep_at_most).
  void trim_idle() {
    while (partitions.size() > 1 && open_sockets() > active.size() + options.max_idle_connections &&
           drop_least_recently_used(partitions.begin())) {
    }
  }
  /// libcurl closes connections that are too old only when it looks for one, so idle partitions are ended here.
  void sweep_later() {
    if (std::exchange(sweeping, true)) return;
    sweep_timer.expires_after(options.idle_timeout);
    sweep_timer.async_wait([this](const boost::system::error_code& error) {
      sweeping = false;
      if (error) return;
      const auto now = SteadyClock::now();
      for (auto it = partitions.begin(); it != partitions.end();) {
        const auto current = it++;
        if (current->active == 0 && now - current->last_used >= options.idle_timeout) drop(current);
      }
      if (!partitions.empty()) sweep_later();
    });
  }

  // --- failures without an exchange
  // -----------------------------------------------------------------------------------

  static HttpOutcome stopped(const Exchange& exchange) {
    return std::unexpected(exchange.failure(
        Error(ErrorCode::cancelled, "the hub is stopping").with_reason("hub.stopping"), HttpStage::dns));
  }
  HttpOutcome overloaded(const Exchange& exchange) const {
    return std::unexpected(exchange.failure(
        Error(ErrorCode::unavailable,
              fmt::format("the hub is overloaded: {} requests are under way and {} wait", active.size(), queue.size()))
            .with_reason("http.overloaded")
            .with_remedy("try again later"),
        HttpStage::dns));
  }
  static HttpOutcome too_late(const Exchange& exchange) {
    return std::unexpected(
        exchange.failure(Error(ErrorCode::deadline_exceeded, "the deadline had passed before the request was sent")
                             .with_reason("connectivity.timeout")
                             .with_remedy("allow more time with timeout"),
                         HttpStage::dns));
  }
  static HttpOutcome queued_too_long(const Exchange& exchange) {
    return std::unexpected(
        exchange.failure(Error(ErrorCode::deadline_exceeded,
                               "the hub is overloaded: the request found no free connection before its deadline")
                             .with_reason("http.overloaded")
                             .with_remedy("try again later, or allow more time with timeout"),
                         HttpStage::dns));
  }

  void stop() {
    stopping = true;
    while (!queue.empty()) {
      const JobPtr job = queue.front();
      settle(job, stopped(job->exchange));
    }
    while (!active.empty()) {
      const JobPtr job = active.begin()->second;
      settle(job, stopped(job->exchange));
    }
    sweep_timer.cancel();
    partitions.clear();
    by_key.clear();
    work.reset();
    context.stop();
  }

  Options options;
  const AddressPolicy& policy;
  Instruments instruments;
  TrustStores trust;
  asio::io_context context{1};
  asio::executor_work_guard<IoExecutor> work;
  bool stopping = false;
  bool starting = false;
  std::unordered_map<CURL*, JobPtr> active;
  std::list<JobPtr> queue;
  Partitions partitions;
  std::unordered_map<std::string, Partitions::iterator> by_key;
  std::unordered_map<const TransportProfile*, std::pair<std::weak_ptr<const TransportProfile>, std::string>>
      profile_keys;
  Timer sweep_timer;
  bool sweeping = false;
  std::thread thread;
};

HttpClient::HttpClient(Options options, const AddressPolicy& policy, Metrics& metrics) {
  initialise_curl();
  impl_ = std::make_shared<Impl>(std::move(options), policy, metrics);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

HttpClient::~HttpClient() {
  asio::post(impl_->context, [impl = impl_.get()] { impl->stop(); });
  impl_->thread.join();
}

Task<std::expected<HttpResponse, HttpFailure>> HttpClient::send(HttpRequest request, TransportProfilePtr profile,
                                                                Deadline deadline) {
  /// Aborts the exchange when the waiting coroutine ends first.
  struct Abandon {
    std::shared_ptr<Impl> client;
    Impl::JobPtr job;
    bool settled = false;
    ~Abandon() {
      if (!settled) client->abort(job);
    }
  };
  auto job = std::make_shared<Impl::Job>(std::move(request), std::move(profile), deadline);
  Abandon abandon{.client = impl_, .job = job};
  impl_->submit(job);
  auto outcome = co_await job->outcome.wait(job->exchange.deadline() + kGrace);
  if (!outcome) {
    co_return std::unexpected(job->exchange.failure(
        Error(ErrorCode::deadline_exceeded, "no answer before the deadline").with_reason("http.timeout"),
        HttpStage::http));
  }
  abandon.settled = true;
  co_return *std::move(outcome);
}

}  // namespace inthub
