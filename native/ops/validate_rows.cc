#include <algorithm>

#include "ops/op_checker.h"
#include "ops/validate.h"

namespace moa {

namespace {

/// `list` must have one row for each entry of `rows`, which is the number of a row of `table`.
void check_rows(const OpChecker& check, const RowsParams& p, const char* list_field,
                const TensorRef& list, const TensorRef& table) {
  const auto count = static_cast<int64_t>(p.rows.size());
  if (p.x.dtype != p.out.dtype || p.x.ndim != p.out.ndim ||
      !std::equal(p.x.shape + 1, p.x.shape + p.x.ndim, p.out.shape + 1)) {
    check.fail("rows like those of x, " + describe(p.x) + ",", "out", describe(p.out));
  }
  if (list.rows() != count) {
    check.fail(std::to_string(count) + " rows (one for each of rows)", list_field, describe(list));
  }
  for (const int32_t row : p.rows) check.integer_in("rows", row, 0, table.rows());
  check.apart("out", p.out, "x", p.x);
}

}  // namespace

void validate_gather_rows(const RowsParams& p, const DeviceTraits& traits) {
  check_rows(OpChecker("gatherRows", traits), p, "out", p.out, p.x);
}

void validate_scatter_rows(const RowsParams& p, const DeviceTraits& traits) {
  const OpChecker check("scatterRows", traits);
  check_rows(check, p, "x", p.x, p.out);
  std::vector<int32_t> sorted(p.rows.begin(), p.rows.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) check.fail("distinct rows", "rows", std::to_string(*twice) + " twice");
}

}  // namespace moa
