#pragma once

#include <cstdint>
#include <string>

#include "server/rest/query_parameters.h"

namespace inthub {

inline constexpr std::int64_t kDefaultPageSize = 50;
inline constexpr std::int64_t kMaxPageSize = 200;
/// Deeper than this only a cursor leads.
inline constexpr std::int64_t kMaxPage = 100'000;

/// ?page= (from 1) and ?pageSize=, and ?cursor= where the list has one.
struct PageRequest {
  std::int64_t page = 1;
  std::int64_t page_size = kDefaultPageSize;
  std::string cursor;  ///< wins over page
  std::int64_t offset() const { return (page - 1) * page_size; }
};
/// Wrong values are left for parameters.check() to report; page and cursor together are one.
PageRequest read_page_request(QueryParameters& parameters);

/// "pagination":{page,pageSize,totalItems,totalPages,hasNext,hasPrevious,nextCursor}, for success()'s meta_members. A
/// page reached by cursor has no number: its `page` is null. `next_cursor` is empty on the last page and for lists
/// without cursors. Pure.
std::string pagination_meta(const PageRequest& request, std::int64_t total_items, const std::string& next_cursor);

}  // namespace inthub
