// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

namespace tessera {
namespace detail {

/// Rows that are in the order of the ranks.
struct NoIds {};

}  // namespace detail

/// @addtogroup one_call
/// @{

/// Right-hand sides that no rank holds whole: as `b` of cholesky_distributed and of what a CholeskyFactor does to
/// right-hand sides.
///
/// Rank r's rows of b follow rank r-1's; or, with ids, row k here is row ids(k) of b, as RowIds has it of A, and x
/// comes back in the order of b. Ranks may hold different numbers of rows, or none, and other ones than of A. A rank-2
/// View has as many columns on every rank, also where it has no rows.
/// @tparam View of rank 1, or of rank 2 for several right-hand sides, in any layout and memory space
/// @tparam Ids a rank-1 View of integers, as for RowIds
template <class View, class Ids = detail::NoIds>
struct ByRows {
  static_assert(Kokkos::is_view<View>::value, "ByRows has a View, not a tuple, an array or a vector of them");
  static_assert(View::rank == 1 || View::rank == 2, "ByRows has a View of this rank's rows, or of rows x nrhs");

  View rows;     ///< this rank's rows
  Ids ids = {};  ///< the number of each
};
/// ByRows{rows} refers to the same numbers as `rows`.
template <class View>
ByRows(View) -> ByRows<View>;
/// ByRows{rows, ids} refers to the same numbers as both.
template <class View, class Ids>
ByRows(View, Ids) -> ByRows<View, Ids>;

namespace detail {

template <class B>
inline constexpr bool is_by_rows = false;
template <class View, class Ids>
inline constexpr bool is_by_rows<ByRows<View, Ids>> = true;

/// Whether b has rows in another order than the ranks'.
template <class B>
inline constexpr bool has_ids = false;
template <class View, class Ids>
inline constexpr bool has_ids<ByRows<View, Ids>> = true;
template <class View>
inline constexpr bool has_ids<ByRows<View>> = false;

/// The View that is b, or has this rank's rows of it.
template <class View>
const View& view_of(const View& b) {
  return b;
}
template <class View, class Ids>
const View& view_of(const ByRows<View, Ids>& b) {
  return b.rows;
}

}  // namespace detail
/// @}
}  // namespace tessera
