// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/cholesky_factor.hpp>
#include <tessera/detail/agreement.hpp>
#include <tessera/detail/backends.hpp>
#include <tessera/detail/schedule.hpp>
#include <tessera/scalar.hpp>
#include <tessera/sharded_matrix.hpp>

#include <type_traits>
#include <utility>

namespace tessera {
/// @addtogroup factor
/// @{
namespace detail {

/// Collective. Has A^-1 take the place of L in the matrix of `factor`.
template <class T, class Exec>
void invert(const Exec& exec, CholeskyFactor<T, typename Exec::memory_space>& factor, const Schedule& schedule = {});

}  // namespace detail

/// The lower triangle of A^-1, in the memory of the factor of A, as LAPACK's potri: 2 n^3 / 3 flops over all ranks, and
/// twice as much is sent as in the factorisation.
///
/// The diagonal is real; elements above it are undefined, but finite if A^-1 is. Columns of A^-1 are solved for, some
/// hundred at a time, and replace those of L, which the columns right of them do not need: each column of the lower
/// triangle is as accurate as a solve. A rank alone works in place, as potri, and as accurately. memory_plan knows what
/// either takes beside the factor. Collective over the factor's grid; it begins after what `exec` has been given, and
/// is complete when it returns.
/// @param exec works in the factor's memory space
/// @param l the result takes over its memory; it is a moved-from factor afterwards, also if the inversion throws: what
///   it held is then lost
/// @return the same bits from run to run
/// @throws std::invalid_argument on every rank, if the ranks disagree; `l` is then unchanged
/// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
template <class Exec, Scalar T>
ShardedMatrix<T, typename Exec::memory_space> invert(const Exec& exec,
                                                     CholeskyFactor<T, typename Exec::memory_space>&& l) {
  detail::require_backend<Exec>();
  detail::agree(l.grid().communicator(), "invert", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    detail::note_matrix(agreement, l.matrix());
  });
  auto factor = std::move(l);
  detail::invert<T>(exec, factor);
  return std::move(detail::FactorAccess<T, typename Exec::memory_space>::matrix(factor));
}

/// @}
}  // namespace tessera
