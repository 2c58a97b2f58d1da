#include "server/rest/pagination.h"

#include "server/rest/json_text.h"

namespace inthub {

PageRequest read_page_request(QueryParameters& parameters) {
  PageRequest request;
  request.page = parameters.number("page", 1, kMaxPage, 1);
  request.page_size = parameters.number("pageSize", 1, kMaxPageSize, kDefaultPageSize);
  request.cursor = parameters.text("cursor");
  if (!request.cursor.empty() && parameters.find("page")) {
    parameters.violate("cursor", "excludes page; leave page out to follow a cursor", "exclusive");
  }
  return request;
}

std::string pagination_meta(const PageRequest& request, std::int64_t total_items, const std::string& next_cursor) {
  const bool by_cursor = !request.cursor.empty();
  const std::int64_t pages = (total_items + request.page_size - 1) / request.page_size;
  std::string out = "\"pagination\":";
  JsonObject meta(out);
  meta.number_or_null("page", by_cursor ? std::nullopt : std::optional(request.page))
      .number("pageSize", request.page_size)
      .number("totalItems", total_items)
      .number("totalPages", pages)
      .boolean("hasNext", by_cursor ? !next_cursor.empty() : request.page < pages)
      .boolean("hasPrevious", by_cursor || request.page > 1)
      .text_or_null("nextCursor", next_cursor)
      .end();
  return out;
}

}  // namespace inthub
