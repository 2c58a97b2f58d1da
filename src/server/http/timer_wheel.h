#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace inthub::http {

/// Deadlines of many owners, watched by one timer. Setting one is O(1) and, when it only moves later (as a keep-alive
/// connection's does with every request), a single store: the entry stays in its slot and is moved on when the slot
/// comes up. Fires up to one tick late, never early. Not thread-safe.
class TimerWheel {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kTick{100};
  static constexpr std::size_t kSlots = 256;

  /// A place in the wheel; leaves it when destroyed. Must not move while it is in a wheel.
  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { unlink(); }

   private:
    friend class TimerWheel;
    bool is_linked() const { return next_ != this; }
    void unlink() {
      next_->previous_ = previous_;
      previous_->next_ = next_;
      next_ = previous_ = this;
    }
    void link_before(Entry& other) {
      previous_ = other.previous_;
      next_ = &other;
      previous_->next_ = this;
      other.previous_ = this;
    }

    Entry* next_ = this;
    Entry* previous_ = this;
    TimePoint deadline_ = TimePoint::max();
    std::uint64_t tick_ = 0;
  };

  explicit TimerWheel(TimePoint now) : origin_(now) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  void set(Entry& entry, TimePoint deadline) {
    entry.deadline_ = deadline;
    const std::uint64_t tick = slot_tick(deadline);
    if (entry.is_linked() && entry.tick_ <= tick) return;
    place(entry, tick);
  }
  /// The entry does not fire until set() again.
  static void clear(Entry& entry) { entry.deadline_ = TimePoint::max(); }

  /// Calls expired(Entry&) for every entry whose deadline has passed; it may set and clear entries, also this one.
  template <class Expired>
  void advance(TimePoint now, Expired&& expired) {
    const std::uint64_t until = whole_ticks(now);
    // After a pause longer than the horizon each slot needs to be looked at only once.
    if (until > current_ + kSlots) current_ = until - kSlots;
    while (current_ < until) {
      ++current_;
      Entry& slot = slots_[current_ % kSlots];
      Entry due;  // entries that stay in this slot for a later round must not be seen again now
      if (slot.is_linked()) {
        due.link_before(slot);
        slot.unlink();
      }
      while (due.is_linked()) {
        Entry& entry = *due.next_;
        entry.unlink();
        if (entry.deadline_ <= now) {
          entry.deadline_ = TimePoint::max();
          expired(entry);
        } else if (entry.deadline_ != TimePoint::max()) {
          place(entry, slot_tick(entry.deadline_));
        }
      }
    }
  }

 private:
  std::uint64_t whole_ticks(TimePoint time) const {
    return time <= origin_ ? 0 : static_cast<std::uint64_t>((time - origin_) / kTick);
  }
  /// The first tick at which `deadline` has passed, at most one turn of the wheel away.
  std::uint64_t slot_tick(TimePoint deadline) const {
    const std::uint64_t farthest = current_ + kSlots - 1;
    if (deadline == TimePoint::max()) return farthest;
    const std::uint64_t tick = whole_ticks(deadline) + 1;
    return tick <= current_ ? current_ + 1 : (tick > farthest ? farthest : tick);
  }
  void place(Entry& entry, std::uint64_t tick) {
    entry.unlink();
    entry.tick_ = tick;
    entry.link_before(slots_[tick % kSlots]);
  }

  TimePoint origin_;
  std::uint64_t current_ = 0;
  std::array<Entry, kSlots> slots_;
};

}  // namespace inthub::http
