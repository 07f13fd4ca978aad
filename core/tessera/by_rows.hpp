#pragma once

#include <Kokkos_Core.hpp>

namespace tessera {
/// @addtogroup one_call
/// @{

/// Right-hand sides that no rank holds whole: as `b` of cholesky_distributed and of what a CholeskyFactor does to
/// right-hand sides.
///
/// Rank r's rows of b follow rank r-1's. Ranks may hold different numbers of rows, or none, and other ones than of A. A
/// rank-2 View has as many columns on every rank, also where it has no rows.
/// @tparam View of rank 1, or of rank 2 for several right-hand sides, in any layout and memory space
template <class View>
struct ByRows {
  static_assert(Kokkos::is_view<View>::value, "ByRows has a View, not a tuple, an array or a vector of them");
  static_assert(View::rank == 1 || View::rank == 2, "ByRows has a View of this rank's rows, or of rows x nrhs");

  View rows;  ///< this rank's rows
};
/// ByRows{rows} refers to the same numbers as `rows`.
template <class View>
ByRows(View) -> ByRows<View>;

namespace detail {

template <class B>
inline constexpr bool is_by_rows = false;
template <class View>
inline constexpr bool is_by_rows<ByRows<View>> = true;

/// The View that is b, or has this rank's rows of it.
template <class View>
const View& view_of(const View& b) {
  return b;
}
template <class View>
const View& view_of(const ByRows<View>& b) {
  return b.rows;
}

}  // namespace detail
/// @}
}  // namespace tessera
