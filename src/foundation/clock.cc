#include "foundation/clock.h"

#include <array>
#include <cctype>
#include <cstring>
#include <ctime>

#include <sodium.h>

namespace inthub {
namespace {

class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  std::chrono::steady_clock::time_point steady_now() const override { return std::chrono::steady_clock::now(); }
};

class SystemRandom final : public RandomSource {
 public:
  SystemRandom() { [[maybe_unused]] const int already_or_ok = sodium_init(); }
  void fill(std::span<std::uint8_t> out) override { randombytes_buf(out.data(), out.size()); }
};

void put_digits(char*& out, unsigned value, int width) {
  for (int i = width - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out += width;
}

bool take_digits(std::string_view& text, std::size_t width, int& out) {
  if (text.size() < width) return false;
  out = 0;
  for (const char c : text.substr(0, width)) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + (c - '0');
  }
  text.remove_prefix(width);
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Timestamp> from_parts(int year, int month, int day, int hour, int minute, int second) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // 60 is a leap second (RFC 3339 section 5.6); it is read as the next second, as POSIX time has none.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

RandomSource& system_random() {
  static SystemRandom random;
  return random;
}

std::uint64_t RandomSource::below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // Rejection sampling: no modulo bias.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = 0;
  do {
    std::array<std::uint8_t, sizeof value> raw{};
    fill(raw);
    std::memcpy(&value, raw.data(), sizeof value);
  } while (value >= limit);
  return value % bound;
}

std::string to_rfc3339(Timestamp time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  std::array<char, 24> buffer{};
  char* out = buffer.data();
  put_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *out++ = '-';
  put_digits(out, static_cast<unsigned>(date.month()), 2);
  *out++ = '-';
  put_digits(out, static_cast<unsigned>(date.day()), 2);
  *out++ = 'T';
  put_digits(out, static_cast<unsigned>(clock.hours().count()), 2);
  *out++ = ':';
  put_digits(out, static_cast<unsigned>(clock.minutes().count()), 2);
  *out++ = ':';
  put_digits(out, static_cast<unsigned>(clock.seconds().count()), 2);
  *out++ = '.';
  put_digits(out, static_cast<unsigned>(clock.subseconds().count()), 3);
  *out = 'Z';
  return {buffer.data(), buffer.size()};
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(text, 4, year) || !take(text, '-') || !take_digits(text, 2, month) || !take(text, '-') ||
      !take_digits(text, 2, day) || !(take(text, 'T') || take(text, 't')) || !take_digits(text, 2, hour) ||
      !take(text, ':') || !take_digits(text, 2, minute) || !take(text, ':') || !take_digits(text, 2, second)) {
    return std::nullopt;
  }
  auto time = from_parts(year, month, day, hour, minute, second);
  if (!time) return std::nullopt;
  if (take(text, '.')) {
    int scale = 100;
    std::size_t digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      *time += std::chrono::milliseconds((text.front() - '0') * scale);
      scale /= 10;
      ++digits;
      text.remove_prefix(1);
    }
    if (digits == 0) return std::nullopt;
  }
  if (take(text, 'Z') || take(text, 'z')) return text.empty() ? time : std::nullopt;
  const bool ahead = take(text, '+');
  if (!ahead && !take(text, '-')) return std::nullopt;
  if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute) || !text.empty() || hour > 23 ||
      minute > 59) {
    return std::nullopt;
  }
  const auto offset = std::chrono::hours(hour) + std::chrono::minutes(minute);
  return ahead ? *time - offset : *time + offset;
}

std::optional<Timestamp> parse_http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || !text.ends_with(" GMT")) return std::nullopt;
  text.remove_prefix(5);
  int day = 0, year = 0, hour = 0, minute = 0, second = 0, month = 0;
  if (!take_digits(text, 2, day) || !take(text, ' ')) return std::nullopt;
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (text.starts_with(kMonths[i])) month = static_cast<int>(i) + 1;
  }
  text.remove_prefix(3);
  if (month == 0 || !take(text, ' ') || !take_digits(text, 4, year) || !take(text, ' ') ||
      !take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute) || !take(text, ':') ||
      !take_digits(text, 2, second)) {
    return std::nullopt;
  }
  return from_parts(year, month, day, hour, minute, second);
}

}  // namespace inthub
