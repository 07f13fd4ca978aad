// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/agreement.hpp>
#include <tessera/detail/backends.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/scalar.hpp>
#include <tessera/sharded_matrix.hpp>

namespace tessera {
/// @addtogroup pieces
/// @{
namespace detail {

/// Collective. tessera::norm_one, in the memory of `memory`.
template <class T, class Exec>
double norm_one(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
                Memory<typename Exec::memory_space>& memory);

}  // namespace detail

/// The 1-norm of the Hermitian matrix whose lower triangle `matrix` holds, as LAPACK's lansy and lanhe: the largest sum
/// of magnitudes in a column, which is the infinity norm, too. It is what CholeskyFactor::reciprocal_condition needs,
/// and must be taken before the factor replaces the matrix.
///
/// Only the lower triangle is read, and the real part of the diagonal. Sums are in double; the norm is NaN if a sum is.
/// Collective over the matrix's grid. It begins after what `exec` has been given, and is complete when it returns. Each
/// rank takes memory for 2 n doubles, and sends and receives as many.
/// @param exec runs the kernels, in the memory space of `matrix`
/// @param matrix is not changed
/// @return the same bits on every rank, and from run to run; 0 for n = 0
/// @throws std::invalid_argument on every rank, if the ranks disagree
/// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
template <class Exec, Scalar T>
double norm_one(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix) {
  detail::require_backend<Exec>();
  detail::agree(matrix.grid().communicator(), "norm_one", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    detail::note_matrix(agreement, matrix);
  });
  detail::Memory<typename Exec::memory_space> memory;
  return detail::norm_one<T>(exec, matrix, memory);
}

/// @}
}  // namespace tessera
