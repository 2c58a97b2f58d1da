#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace inthub::sqlite {

/// A bounded queue between coroutines (push never blocks) and database threads (take blocks). Thread-safe.
template <class Job>
class WorkQueue {
 public:
  explicit WorkQueue(std::size_t most_waiting) : most_waiting_(most_waiting) {}

  /// False when the queue is full or closed; the job is untouched then.
  bool push(Job&& job) {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_ || jobs_.size() >= most_waiting_) return false;
      jobs_.push_back(std::move(job));
    }
    arrived_.notify_one();
    return true;
  }
  /// Waits for a job without taking it. False when the queue is closed and empty.
  bool wait() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    return !jobs_.empty();
  }
  /// Waits for the next job. Nothing when the queue is closed and empty.
  std::optional<Job> take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    if (jobs_.empty()) return std::nullopt;
    std::optional<Job> job(std::move(jobs_.front()));
    jobs_.pop_front();
    return job;
  }
  /// What waits now, at most `most` jobs, in the order they came.
  std::vector<Job> take_waiting(std::size_t most) {
    const std::scoped_lock lock(mutex_);
    std::vector<Job> jobs;
    while (!jobs_.empty() && jobs.size() < most) {
      jobs.push_back(std::move(jobs_.front()));
      jobs_.pop_front();
    }
    return jobs;
  }
  /// Nothing is accepted any more; what waits is still handed out.
  void close() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    arrived_.notify_all();
  }

 private:
  const std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Job> jobs_;
  bool closed_ = false;
};

}  // namespace inthub::sqlite
