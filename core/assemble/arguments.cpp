// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/detail/arithmetic.hpp"
#include "tessera/gram.hpp"

#include <cmath>
#include <string>

// What may be passed as A.
namespace tessera::detail {

void require_shard(const std::string& shape, std::int64_t rows, std::int64_t columns, std::int64_t n) {
  if (rows > 0 && columns != n) {
    throw_misuse(
        "a", "must have n = " + std::to_string(n) + " columns, as b or the matrix has that many rows, got " + shape);
  }
  if (rows > n) {  // so that sums over the ranks stay exact
    throw_misuse("a", "must have no more than the n = " + std::to_string(n) + " rows of A, got " + shape);
  }
}

void require_shift(double diag_shift, double most) {
  if (!(std::abs(diag_shift) <= most)) {  // NaN compares false
    throw_misuse("diag_shift", "must be finite in the scalar of A, got " + std::to_string(diag_shift));
  }
}

void require_triangle(Triangle triangle) {
  if (triangle != Triangle::lower && triangle != Triangle::upper) {
    throw_misuse("triangle", "must be lower or upper, got " + std::to_string(static_cast<int>(triangle)));
  }
}

void require_gram_options(const GramOptions& options, double most) {
  if (options.form != GramForm::j_jh && options.form != GramForm::jh_j) {
    throw_misuse("form", "must be j_jh or jh_j, got " + std::to_string(static_cast<int>(options.form)));
  }
  if (!(std::abs(options.alpha) <= most)) {  // NaN compares false
    throw_misuse("alpha", "must be finite in the scalar of A, got " + std::to_string(options.alpha));
  }
  require_arithmetic(options.arithmetic.value_or(Arithmetic::native), options.moduli);
}

void require_jacobian(GramForm form, std::int64_t rows, std::int64_t columns, std::int64_t n) {
  const std::string shape = "extents (" + std::to_string(rows) + ", " + std::to_string(columns) + ")";
  if (rows < 0 || columns < 0 || rows > most_terms || columns > most_terms) {
    throw_misuse("jacobian", "must have extents from 0 to 2^40, got " + shape);
  }
  if (form == GramForm::jh_j && rows > 0 && columns != n) {
    throw_misuse("jacobian", "must have n = " + std::to_string(n) + " columns for J^H J, got " + shape);
  }
}

}  // namespace tessera::detail
