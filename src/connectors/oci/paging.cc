#include "connectors/oci/paging.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "connectors/oci/error_body.h"
#include "foundation/encoding.h"
#include "foundation/json.h"

namespace inthub::oci {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// A cursor over one Link field.
class LinkReader {
 public:
  explicit LinkReader(std::string_view text) : text_(text) {}

  /// The target of the next link-value and whether it is rel="next"; nullopt at the end or where the grammar is left.
  std::optional<std::pair<std::string, bool>> read() {
    skip_blanks_and(',');
    if (text_.empty() || text_.front() != '<') return std::nullopt;
    const std::size_t end = text_.find('>');
    if (end == std::string_view::npos) return std::nullopt;
    std::pair<std::string, bool> link{std::string(text_.substr(1, end - 1)), false};
    text_.remove_prefix(end + 1);
    bool has_rel = false;
    while (true) {
      skip_blanks_and('\0');
      if (text_.empty() || text_.front() != ';') return link;
      text_.remove_prefix(1);
      const auto [name, value] = read_parameter();
      // Only the first rel counts (RFC 8288 section 3.3).
      if (!has_rel && equals_ignore_case(name, "rel")) {
        has_rel = true;
        link.second = names_next(value);
      }
    }
  }

 private:
  void skip_blanks_and(char also) {
    while (!text_.empty() && (is_blank(text_.front()) || (also != '\0' && text_.front() == also)))
      text_.remove_prefix(1);
  }

  std::pair<std::string, std::string> read_parameter() {
    skip_blanks_and('\0');
    const std::size_t end = std::min(text_.find_first_of("=;, \t"), text_.size());
    std::pair<std::string, std::string> parameter{std::string(text_.substr(0, end)), {}};
    text_.remove_prefix(end);
    skip_blanks_and('\0');
    if (text_.empty() || text_.front() != '=') return parameter;
    text_.remove_prefix(1);
    skip_blanks_and('\0');
    if (!text_.empty() && text_.front() == '"') {
      std::size_t i = 1;
      for (; i < text_.size() && text_[i] != '"'; ++i) {
        if (text_[i] == '\\' && i + 1 < text_.size()) ++i;
        parameter.second += text_[i];
      }
      text_.remove_prefix(std::min(i + 1, text_.size()));
    } else {
      const std::size_t stop = std::min(text_.find_first_of(";, \t"), text_.size());
      parameter.second = text_.substr(0, stop);
      text_.remove_prefix(stop);
    }
    return parameter;
  }

  /// rel holds relation types separated by blanks.
  static bool names_next(std::string_view relations) {
    while (!relations.empty()) {
      const std::size_t end = std::min(relations.find(' '), relations.size());
      if (equals_ignore_case(relations.substr(0, end), "next")) return true;
      relations.remove_prefix(std::min(end + 1, relations.size()));
    }
    return false;
  }

  std::string_view text_;
};

/// "tags/list" of "/v2/team/app/tags/list", "_catalog" of "/v2/_catalog": what a Link must end in to be of the same
/// list.
std::string_view kind_of(std::string_view path) {
  return path.ends_with("/tags/list") ? "/tags/list" : "/_catalog";
}

std::unexpected<Error> malformed(std::string_view path, std::string_view what) {
  return fail(
      Error(ErrorCode::vendor_failure, fmt::format("the registry's answer to {} {}", path, what))
          .with_reason("registry.malformed_answer")
          .with_field("/endpoint")
          .with_remedy("check that the endpoint is a registry's base URL and what stands between it and the hub"));
}

}  // namespace

std::optional<std::string> next_link(const Headers& headers) {
  for (const std::string_view field : headers.find_all("Link")) {
    LinkReader reader(field);
    while (auto link = reader.read()) {
      if (link->second) return std::move(link->first);
    }
  }
  return std::nullopt;
}

ListWalk::ListWalk(std::string path, std::string member, HttpUrl endpoint, bool (*is_valid)(std::string_view))
    : path_(std::move(path)), member_(std::move(member)), endpoint_(std::move(endpoint)), is_valid_(is_valid) {
  go_to(fmt::format("{}?n={}", path_, kPageSize));
}

void ListWalk::go_to(std::string target) {
  if (!visited_.insert(target).second) {
    stop("the registry's pages go round in circles; the list ends where they begin to repeat");
    return;
  }
  target_ = std::move(target);
}

void ListWalk::stop(std::string warning) {
  done_ = true;
  truncated_ = true;
  warnings_.push_back(std::move(warning));
}

Result<void> ListWalk::take_refusal(const VendorResponse& response) {
  const ErrorBody body = read_error_body(response);
  const bool is_about_paging = response.status == 400 || response.status == 405 ||
                               has_code(body, "PAGINATION_NUMBER_INVALID") || has_code(body, "UNSUPPORTED");
  if (is_about_paging && sized_ && pages_ == 0) {
    sized_ = false;
    go_to(path_);
    return {};
  }
  if (speculative_ && (is_about_paging || response.status == 404)) {
    stop("the registry sent a full page without a Link and refused to continue after it; there may be more");
    return {};
  }
  Error error = registry_error(response, fmt::format("list {}", path_));
  return fail(pages_ == 0 ? std::move(error) : error.with_context(fmt::format("page {}", pages_ + 1)));
}

Result<ListWalk::Page> ListWalk::read_page(const VendorResponse& response) {
  // The Content-Type is not looked at: several registries send lists as text/plain.
  const auto body = parse_json(response.body, {.max_bytes = kMaxPageBytes, .max_depth = 32});
  if (!body) return malformed(path_, "cannot be read: " + body.error().message());
  const auto entries = body->is_object() ? body->find(member_) : body->end();
  if (!body->is_object() || entries == body->end()) return malformed(path_, "has no member \"" + member_ + "\"");
  Page page;
  if (entries->is_null()) return page;
  if (!entries->is_array()) return malformed(path_, "has a member \"" + member_ + "\" that is not a list");
  for (const Json& entry : *entries) {
    ++page.length;
    if (!entry.is_string()) {
      ++left_out_;
      continue;
    }
    page.last = entry.get<std::string>();
    if (names_.size() == kMaxItems) {
      if (!done_) stop(fmt::format("the list was cut at {} names", kMaxItems));
      break;
    }
    if (!seen_.insert(page.last).second) continue;
    ++page.fresh;
    if (is_valid_(page.last)) {
      names_.insert(page.last);
    } else {
      ++left_out_;
    }
  }
  return page;
}

void ListWalk::follow(std::string_view link, const HttpUrl& answered) {
  const auto url = answered.resolve(link);
  if (!url || !url->same_origin(endpoint_)) {
    stop(
        "the registry's Link to the next page leads to another host or scheme and was not followed; where a proxy "
        "stands "
        "before the registry, make it pass X-Forwarded-Proto and Host");
    return;
  }
  // Some registries drop or add a prefix to the path, so only its kind is compared.
  if (!url->path.ends_with(kind_of(path_))) {
    stop("the registry's Link to the next page leads out of the list and was not followed");
    return;
  }
  speculative_ = false;
  sized_ = false;
  last_asked_.clear();
  go_to(url->query.empty() ? path_ : path_ + "?" + url->query);
}

Result<void> ListWalk::take(const VendorResponse& response) {
  if (response.status != 200) return take_refusal(response);
  const auto page = read_page(response);
  if (!page) return fail(page.error());
  ++pages_;
  if (done_) return {};
  const auto link = next_link(response.headers);
  if (pages_ > 1 && page->fresh == 0) {
    // A made-up target that brings nothing new only shows that the list was complete before it.
    if (speculative_ || !link) {
      done_ = true;
    } else {
      stop("the registry's pages repeat themselves; the list ends where they begin to");
    }
    return {};
  }
  const bool is_full_and_ordered = sized_ && page->length == kPageSize && page->last > last_asked_;
  if (!link && !is_full_and_ordered) {
    done_ = true;
    return {};
  }
  if (pages_ == kMaxPages) {
    stop(fmt::format("the list was cut after {} pages", kMaxPages));
    return {};
  }
  if (link) {
    follow(*link, response.url);
    return {};
  }
  speculative_ = true;
  last_asked_ = page->last;
  go_to(fmt::format("{}?n={}&last={}", path_, kPageSize, percent_encode(page->last)));
  return {};
}

NameList ListWalk::finish() && {
  if (left_out_ > 0) {
    warnings_.push_back(fmt::format("{} entries that are not valid names were left out", left_out_));
  }
  return {.names = {names_.begin(), names_.end()}, .truncated = truncated_, .warnings = std::move(warnings_)};
}

}  // namespace inthub::oci
