#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "connectors/vendor_http.h"
#include "foundation/headers.h"
#include "foundation/http_url.h"
#include "foundation/result.h"

namespace inthub::oci {

/// Bounds of one list: requests made, names kept, names asked for at once, bytes of one page.
inline constexpr std::size_t kMaxPages = 1'000;
inline constexpr std::size_t kMaxItems = 20'000;
inline constexpr std::size_t kPageSize = 1'000;
inline constexpr std::size_t kMaxPageBytes = std::size_t{8} << 20;

/// The target of the first `rel="next"` among the Link fields (RFC 8288), as written. Pure.
std::optional<std::string> next_link(const Headers& headers);

/// The names that a list came to.
struct NameList {
  std::vector<std::string> names;  ///< sorted, each once
  bool truncated = false;          ///< a bound was hit, or the registry's pages lead nowhere: there may be more
  std::vector<std::string> warnings;
};

/// Walks the pages of a list whose server cannot be trusted to page well: it may ignore `n` or refuse it, send no Link,
/// send Links that go round in circles, to another host or to a path that does not exist, or repeat the whole list for
/// ever. Pure: the caller sends what target() says and hands the answer to take() until is_done().
///
///   - Asks for kPageSize; where that is refused (400, 405), asks again without a size.
///   - Follows Link. Only its query is used, on the list's own path, so it cannot lead out of the list; a Link to
///   another
///     origin ends the walk with a warning.
///   - Without a Link, but with a full page in order, asks once more after the last name.
///   - Ends when a page brings nothing new, when a target was visited before, or at kMaxPages and kMaxItems.
///   - Leaves out nulls and what `is_valid` refuses, with one warning.
class ListWalk {
 public:
  /// `path` is the list's own ("/v2/_catalog", "/v2/app/tags/list"), `member` the one of the answer that holds the
  /// names.
  ListWalk(std::string path, std::string member, HttpUrl endpoint, bool (*is_valid)(std::string_view));

  bool is_done() const { return done_; }
  /// What to ask next, relative to the endpoint. Valid while !is_done().
  const std::string& target() const { return target_; }
  /// Errors: registry_error() of a refusal that ends the walk; vendor_failure, reason "registry.malformed_answer".
  Result<void> take(const VendorResponse& response);
  NameList finish() &&;

 private:
  struct Page {
    std::size_t length = 0;
    std::size_t fresh = 0;  ///< entries not seen on an earlier page
    std::string last;
  };
  Result<void> take_refusal(const VendorResponse& response);
  Result<Page> read_page(const VendorResponse& response);
  void follow(std::string_view link, const HttpUrl& answered);
  void stop(std::string warning);
  void go_to(std::string target);

  std::string path_;
  std::string member_;
  HttpUrl endpoint_;
  bool (*is_valid_)(std::string_view);
  std::string target_;
  bool done_ = false;
  bool truncated_ = false;
  bool sized_ = true;         ///< the current target asks for kPageSize
  bool speculative_ = false;  ///< the current target was made up, not given by a Link
  std::string last_asked_;    ///< the `last` of the current target, where it was made up
  std::size_t pages_ = 0;
  std::size_t left_out_ = 0;
  std::set<std::string> names_;
  std::unordered_set<std::string> seen_;
  std::unordered_set<std::string> visited_;
  std::vector<std::string> warnings_;
};

}  // namespace inthub::oci
