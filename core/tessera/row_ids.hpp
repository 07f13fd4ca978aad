// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/strided.hpp>

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace tessera {
/// @addtogroup one_call
/// @{

/// Rows of A in any order, each with its number: as `a` of cholesky_distributed and of redistribute.
///
/// Row k here is row ids(k) of A; all ranks together have each row once. Ranks may hold different numbers of rows, or
/// none. Columns are not renumbered: column j of `rows` is column j of A. So a Tpetra::MultiVector has a dense matrix,
/// whatever its map; without the numbers, rows would be taken in the order of the ranks.
///
/// Where the ids are those of the ranks' order, 0, 1, 2, ..., all is as without them. Otherwise every rank holds all
/// ids for the time of the call, n integers of the host's memory, and taking A in copies shorter pieces.
///
/// Every rank throws std::invalid_argument, which names the rank and the value, for ids that are no permutation of
/// 0..n-1 on all ranks together, or not as many as rows.
/// @tparam Rows a rank-2 View of local rows x n, in any layout and memory space
/// @tparam Ids a rank-1 View of integers, as many as rows, in the host's memory or contiguous in another one
template <class Rows, class Ids>
struct RowIds {
  static_assert(Kokkos::is_view<Rows>::value, "RowIds has a View of rows, no operator");
  static_assert(Kokkos::is_view<Ids>::value, "the ids of rows are a View of integers");

  Rows rows;  ///< this rank's rows
  Ids ids;    ///< the number of each
};
/// RowIds{rows, ids} refers to the same numbers as both.
template <class Rows, class Ids>
RowIds(Rows, Ids) -> RowIds<Rows, Ids>;

namespace detail {

template <class A>
inline constexpr bool is_row_ids = false;
template <class Rows, class Ids>
inline constexpr bool is_row_ids<RowIds<Rows, Ids>> = true;

/// The ids on the host, when `exec` has done what it has to.
template <class Exec, class Ids>
std::vector<std::int64_t> ids_on_host(const Exec& exec, const Ids& ids) {
  using Id = typename Ids::non_const_value_type;
  using Space = typename Ids::memory_space;
  static_assert(Ids::rank == 1 && std::is_integral_v<Id>, "the ids of rows are a rank-1 View of integers");
  exec.fence();
  std::vector<std::int64_t> result(ids.extent(0));
  if constexpr (accessible<Kokkos::DefaultHostExecutionSpace, Space>) {
    for (std::size_t k = 0; k < result.size(); ++k) result[k] = static_cast<std::int64_t>(ids(k));
  } else {
    static_assert(!std::is_same_v<typename Ids::array_layout, Kokkos::LayoutStride>,
                  "ids that the host cannot access are contiguous");
    std::vector<Id> here(result.size());
    Kokkos::deep_copy(numbers_at<Kokkos::HostSpace>(here.data(), static_cast<std::int64_t>(here.size())), ids);
    result.assign(here.begin(), here.end());
  }
  return result;
}

}  // namespace detail

/// @}
}  // namespace tessera
