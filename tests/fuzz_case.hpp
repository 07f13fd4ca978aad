// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>

// One random system for fuzz_test.cpp, derived from one number.
namespace tessera::testing {

/// SplitMix64: from one seed the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
  }
  /// In [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
  }
  int between(int low, int high) { return static_cast<int>(between(std::int64_t{low}, std::int64_t{high})); }
  bool once_in(std::int64_t times) { return between(std::int64_t{1}, times) == 1; }
  template <class Enum>
  Enum enumerator(Enum last) {
    return static_cast<Enum>(between(0, static_cast<int>(last)));
  }

 private:
  std::uint64_t state_;
};

/// How A comes in.
enum class Way { rows_left, rows_right, rows_strided, rows_operator, gram_view, gram_operator, fill };
inline constexpr const char* way_names[] = {"rows LayoutLeft",
                                            "rows LayoutRight",
                                            "rows LayoutStride",
                                            "operator",
                                            "Gram of a View",
                                            "Gram of operator",
                                            "fill"};
/// What b is: n x nrhs, or n.
enum class RightHandSides { left, right, strided, vector, strided_vector };
inline constexpr const char* right_hand_side_names[] = {"LayoutLeft", "LayoutRight", "LayoutStride", "rank 1",
                                                        "rank 1 LayoutStride"};

/// The strides of a LayoutStride: with gaps everywhere, or as a LayoutRight or LayoutLeft has them.
enum class Strides { rows_apart, columns_apart, by_rows, by_columns };
inline constexpr const char* stride_names[] = {"rows apart", "columns apart", "by rows", "by columns"};

/// One call has one kind of b for each way: all pairs, which only the pieces have, would take minutes to compile.
constexpr RightHandSides beside(Way way) {
  constexpr RightHandSides kinds[] = {RightHandSides::left,           RightHandSides::vector, RightHandSides::strided,
                                      RightHandSides::strided_vector, RightHandSides::right,  RightHandSides::vector};
  return kinds[static_cast<int>(way)];
}

struct FuzzCase {
  std::uint64_t seed;
  int ranks;
  int scalar;   ///< of Scalars
  bool pieces;  ///< or one call
  Way way;
  std::int64_t n;
  std::int64_t tile;
  std::int64_t slab;  ///< of the pieces
  GridShape grid;
  Shards shards = {};      ///< of the rows of A, or of the samples of J
  bool any_order = false;  ///< whether rows come in another order, with their numbers; of rows_right
  Triangle triangle = Triangle::lower;
  RightHandSides b;
  std::int64_t nrhs = 1;
  Strides strides;
  int exponent = 0;        ///< A is as large as 2^exponent
  int b_exponent = 0;      ///< and b as 2^b_exponent
  double shift = 0;        ///< in units of 2^exponent
  std::int64_t minor = 0;  ///< 0, or the order of the first leading minor that fails, because of
  Defect defect = Defect::none;
  std::int64_t row = -1;  ///< where that is in A: in this row, or left of its diagonal
  std::int64_t left = 0;
  bool fill_nan;
  std::int64_t largest_message = 0;  ///< TESSERA_MPI_LARGEST_MESSAGE, 0: unset
  int delay = 0;                     ///< microseconds
  GramOptions gram = {};
  std::int64_t depth = 0;  ///< terms of a Gram matrix
  double offset = 0;       ///< of all numbers in J
  Arithmetic arithmetic = Arithmetic::native;
  std::optional<std::int64_t> bytes_free;  ///< of the pieces, too little for all residues, or not
  std::int64_t appended = 0;               ///< of `fill`: rows that are appended to a factor of the others
  std::int64_t at_once = 1;                ///< so many at a time, at most
  GridOrder order = GridOrder::row_major;  ///< of the pieces
  bool adopted = false;                    ///< whether their matrix is in the caller's array, if none are appended

  FuzzCase(std::uint64_t case_seed, int number_of_ranks);

  bool is_gram() const { return way == Way::gram_view || way == Way::gram_operator; }
  std::int64_t samples() const { return gram.form == GramForm::j_jh ? n : depth; }
  std::int64_t parameters() const { return gram.form == GramForm::j_jh ? depth : n; }
  FactorizeOptions factorize_options() const { return {.arithmetic = arithmetic, .bytes_free = bytes_free}; }
  double scale() const { return std::ldexp(1., exponent); }
  /// Exact in every scalar.
  double diag_shift() const { return std::ldexp(shift, exponent); }
  /// Whether LAPACK can tell which minor fails: not every BLAS's own potrf tests for NaN.
  bool is_finite() const {
    return defect == Defect::none || defect == Defect::negative_pivot || defect == Defect::zero_pivot;
  }

 private:
  void make_gram(Random& random);
  void make_shards(Random& random);
  void make_defect(Random& random);
};

inline FuzzCase::FuzzCase(std::uint64_t case_seed, int number_of_ranks) : seed(case_seed), ranks(number_of_ranks) {
  Random random(seed);
  scalar = random.between(0, 3);
  pieces = random.once_in(2);
  way = random.enumerator(pieces ? Way::fill : Way::gram_operator);
  n = random.once_in(3) ? random.between(0, 9) : random.between(0, 150);
  tile = random.between(n / 25 + 1, random.once_in(2) ? n + 2 : n / 5 + 2);
  if (!pieces && random.once_in(8)) tile = 0;
  slab = random.once_in(3) ? 0 : random.between(std::int64_t{1}, n + 2 * tile + 1);
  const auto grids = all_grids(ranks);
  grid = grids[static_cast<std::size_t>(random.between(0, static_cast<int>(grids.size()) - 1))];
  if (way != Way::fill) triangle = random.enumerator(Triangle::upper);
  b = pieces ? random.enumerator(RightHandSides::strided_vector) : beside(way);
  if (b < RightHandSides::vector) nrhs = random.between(0, random.once_in(3) ? 40 : 5);
  strides = random.enumerator(Strides::by_columns);
  const bool is_single = scalar % 2 == 0;
  if (random.once_in(2)) exponent = is_single ? random.between(-80, 80) : random.between(-800, 800);
  if (random.once_in(2)) b_exponent = random.between(-16, 16);
  if (random.once_in(2)) shift = random.between(-64, 1024) / 64.;
  fill_nan = random.once_in(2);
  if (random.once_in(4)) largest_message = random.between(1, 64) + n * n / 16;
  if (random.once_in(4)) delay = random.between(1, 200);
  if (is_gram()) make_gram(random);
  make_shards(random);
  if (n > 0 && random.once_in(4)) make_defect(random);
  if (random.once_in(4)) arithmetic = Arithmetic::integer;
  if (way == Way::fill && random.once_in(2)) {
    appended = random.between(std::int64_t{0}, n);
    at_once = random.between(std::int64_t{1}, n + 1);
  }
  order = random.enumerator(GridOrder::column_major);
  adopted = appended == 0 && random.once_in(2);
  if (way == Way::rows_right) any_order = random.once_in(2);
  if (pieces && random.once_in(2)) bytes_free = random.between(std::int64_t{0}, 300'000 + 20 * n * n);
}

/// alpha J J^H + shift I is well-conditioned, as the shift is of the size of the product.
inline void FuzzCase::make_gram(Random& random) {
  gram.form = random.enumerator(GramForm::jh_j);
  gram.alpha = random.between(1, 100) / 64. + 0.1;
  gram.subtract_column_means = random.once_in(2);
  gram.subtract_row_means = random.once_in(2);
  depth = random.between(0, random.once_in(4) ? 600 : 40);
  offset = random.between(-2, 2);
  exponent = exponent / 4 * 2;  // J has half of it
  shift = static_cast<double>(random.between(1, 8) * (depth + 1));
}

/// Even ones, or any, some of them empty.
inline void FuzzCase::make_shards(Random& random) {
  const std::int64_t rows = is_gram() ? samples() : n;
  shards = even_shards(rows, ranks);
  if (random.once_in(4)) return;
  for (int r = 1; r < ranks; ++r) {
    auto& begin = shards[static_cast<std::size_t>(r)];
    begin = random.once_in(4) ? (random.once_in(2) ? 0 : rows) : random.between(std::int64_t{0}, rows);
  }
  std::sort(shards.begin(), shards.end());
}

/// Anywhere, or at the edge of a tile, or in the last row.
inline void FuzzCase::make_defect(Random& random) {
  std::int64_t k = random.between(std::int64_t{0}, n - 1);
  if (random.once_in(2)) {
    k = std::clamp<std::int64_t>(std::array{std::int64_t{0}, tile - 1, tile, n - 1}[random.next() % 4], 0, n - 1);
  }
  row = k;
  minor = k + 1;
  if (is_gram()) {  // a NaN in J stays in its row or column, unless a mean spreads it
    defect = Defect::nan_on_left;
    if (depth == 0) minor = 0;
    if (gram.form == GramForm::j_jh ? gram.subtract_column_means : gram.subtract_row_means) {
      minor = std::min<std::int64_t>(minor, 1);
    }
    left = random.between(std::int64_t{0}, std::max<std::int64_t>(depth, 1) - 1);
  } else {
    defect = defects[random.next() % std::size(defects)];
    if (k == 0 && defect == Defect::nan_on_left) defect = Defect::nan_on_diagonal;
    if (k == 0 && defect == Defect::inf_on_left) defect = Defect::minus_inf_on_diagonal;
    left = random.between(std::int64_t{0}, std::max<std::int64_t>(k, 1) - 1);
  }
}

/// In one line, which begins with what repeats the case.
inline std::ostream& operator<<(std::ostream& out, const FuzzCase& c) {
  constexpr const char* scalars[] = {"float", "double", "complex float", "complex double"};
  out << "TESSERA_FUZZ_SEED=" << c.seed << " TESSERA_FUZZ_CASES=1 on " << c.ranks << " ranks: " << scalars[c.scalar]
      << ", " << (c.pieces ? "pieces" : "one call") << ", " << way_names[static_cast<int>(c.way)] << ", n " << c.n
      << ", tile " << c.tile;
  if (c.pieces) out << ", slab " << c.slab << (c.order == GridOrder::row_major ? ", by rows" : ", by columns");
  if (c.pieces && c.adopted) out << ", adopted";
  if (c.appended > 0) out << ", the last " << c.appended << " appended by " << c.at_once;
  if (c.any_order) out << ", in any order";
  out << ", grid " << c.grid.rows << " x " << c.grid.cols << ", shards";
  for (const std::int64_t begin : c.shards) out << " " << begin;
  if (c.is_gram()) {
    out << (c.gram.form == GramForm::j_jh ? ", J J^H" : ", J^H J") << ", depth " << c.depth << ", alpha "
        << c.gram.alpha << ", offset " << c.offset << (c.gram.subtract_column_means ? ", column means" : "")
        << (c.gram.subtract_row_means ? ", row means" : "");
  } else {
    out << (c.triangle == Triangle::upper ? ", upper" : ", lower");
  }
  out << ", b " << right_hand_side_names[static_cast<int>(c.b)] << " with " << c.nrhs << " columns"
      << ", strides " << stride_names[static_cast<int>(c.strides)] << ", A 2^" << c.exponent << ", b 2^" << c.b_exponent
      << ", shift " << c.shift << " * 2^" << c.exponent;
  if (c.minor > 0)
    out << ", minor " << c.minor << " by defect " << static_cast<int>(c.defect) << " in row " << c.row << " at "
        << c.left;
  if (c.arithmetic == Arithmetic::integer) out << ", by integers";
  if (c.arithmetic == Arithmetic::integer && c.bytes_free) out << " in " << *c.bytes_free << " bytes";
  return out << (c.fill_nan ? ", fill_nan" : ", raise") << ", largest message " << c.largest_message << ", delay "
             << c.delay;
}

}  // namespace tessera::testing
