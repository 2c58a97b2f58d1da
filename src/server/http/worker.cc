#include "server/http/worker.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <boost/asio/post.hpp>

#include "foundation/clock.h"
#include "foundation/log.h"

namespace inthub::http {
namespace {

using boost::system::error_code;
constexpr std::size_t kSpareConnections = 256;          ///< closed ones kept for the next clients, with their buffers
constexpr std::size_t kRejectingConnections = 64;       ///< told 503 at a time; further ones are closed without a word
constexpr std::chrono::milliseconds kAcceptPause{100};  ///< after accept() failed, for want of file descriptors mostly

}  // namespace

/// Random bytes taken from the kernel in blocks: a system call for each request's id would cost more than the parser.
class Worker::BufferedRandom final : public RandomSource {
 public:
  void fill(std::span<std::uint8_t> out) override {
    if (out.size() > block_.size()) {
      system_random().fill(out);
      return;
    }
    if (block_.size() - used_ < out.size()) {
      system_random().fill(block_);
      used_ = 0;
    }
    std::memcpy(out.data(), block_.data() + used_, out.size());
    used_ += out.size();
  }

 private:
  std::array<std::uint8_t, 4096> block_{};
  std::size_t used_ = block_.size();
};

Worker::Worker(Shared& shared)
    : shared_(shared),
      wheel_(std::chrono::steady_clock::now()),
      random_(std::make_unique<BufferedRandom>()),
      context_(1),
      acceptor_(context_.get_executor()),
      tick_(context_.get_executor()),
      accept_pause_(context_.get_executor()) {}

Worker::~Worker() {
  for (const auto& connection : connections_) connection->detach();
  for (const auto& connection : spare_) connection->detach();
}

RandomSource& Worker::random() {
  return *random_;
}

void Worker::start() {
  asio::post(context_, [this] { accept(); });
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  const auto work = asio::make_work_guard(context_);
  while (!context_.stopped()) {
    try {
      context_.run();
    } catch (...) {
      log::exception("HTTP worker", std::current_exception());
    }
  }
}

void Worker::stop_and_join() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::accept() {
  if (draining_ || !acceptor_.is_open()) return;
  acceptor_.async_accept(context_, accepted_peer_,
                         [this](const error_code& error, Socket socket) { on_accepted(error, std::move(socket)); });
}

void Worker::on_accepted(const error_code& error, Socket socket) {
  if (error == asio::error::operation_aborted || draining_) return;
  if (error && error != asio::error::connection_aborted) {
    log::warning("accepting a connection failed", {{"reason", error.message()}});
    accept_pause_.expires_after(kAcceptPause);
    accept_pause_.async_wait([this](const error_code& aborted) {
      if (!aborted) accept();
    });
    return;
  }
  if (!error) serve(std::move(socket));
  accept();
}

void Worker::serve(Socket socket) {
  const bool too_many = shared_.open_connections.load(std::memory_order_relaxed) >= shared_.options.max_connections;
  if (too_many && rejecting_ >= kRejectingConnections) return;  // the socket's destructor closes it
  if (spare_.empty()) spare_.push_back(std::make_unique<Connection>(*this));
  std::unique_ptr<Connection> next = std::move(spare_.back());
  spare_.pop_back();
  Connection& connection = *next;
  connection.set_place(connections_.size());
  connections_.push_back(std::move(next));
  arm_tick();
  if (too_many) {
    ++rejecting_;
    connection.open_to_reject(std::move(socket));
  } else {
    shared_.open_connections.fetch_add(1, std::memory_order_relaxed);
    shared_.connections->add(1);
    connection.open(std::move(socket), accepted_peer_);
  }
}

void Worker::retire(Connection& connection) {
  retired_.push_back(&connection);
  if (retired_.size() == 1) asio::post(context_, [this] { reap(); });
}

void Worker::reap() {
  for (Connection* connection : std::exchange(retired_, {})) {
    if (connection->is_rejected()) {
      --rejecting_;
    } else {
      shared_.open_connections.fetch_sub(1, std::memory_order_relaxed);
      shared_.connections->add(-1);
    }
    const std::size_t place = connection->place();
    std::swap(connections_[place], connections_.back());
    connections_[place]->set_place(place);
    if (connection->can_be_reused() && spare_.size() < kSpareConnections)
      spare_.push_back(std::move(connections_.back()));
    connections_.pop_back();
  }
  signal_if_empty();
}

void Worker::arm_tick() {
  if (tick_armed_) return;
  tick_armed_ = true;
  tick_.expires_after(TimerWheel::kTick);
  tick_.async_wait([this](const error_code& aborted) {
    tick_armed_ = false;
    if (aborted) return;
    wheel_.advance(std::chrono::steady_clock::now(),
                   [](TimerWheel::Entry& entry) { Connection::of(entry).on_timeout(); });
    flush_gauges();
    if (!connections_.empty()) arm_tick();
  });
}

void Worker::flush_gauges() {
  if (in_flight_change_ != 0) shared_.in_flight->add(std::exchange(in_flight_change_, 0));
}

void Worker::begin_drain() {
  asio::post(context_, [this] {
    draining_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    for (const auto& connection : connections_) connection->begin_drain();
    signal_if_empty();
  });
}

void Worker::cut_short() {
  asio::post(context_, [this] {
    cut_short_ = true;
    for (const auto& connection : connections_) connection->cut_short();
  });
}

void Worker::signal_if_empty() {
  if (!draining_ || emptied_ || !connections_.empty()) return;
  emptied_ = true;
  flush_gauges();
  empty_.release();
}

bool Worker::wait_until_empty(Deadline deadline) {
  // Once empty it stays so, because nothing is accepted any more; the next caller must see it too.
  if (!empty_.try_acquire_until(deadline)) return false;
  empty_.release();
  return true;
}

}  // namespace inthub::http
