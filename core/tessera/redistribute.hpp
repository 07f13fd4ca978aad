// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/backends.hpp>
#include <tessera/detail/matrix_source.hpp>
#include <tessera/options.hpp>
#include <tessera/sharded_matrix.hpp>

#include <type_traits>

namespace tessera {
/// @addtogroup pieces
/// @{

/// Takes A in from row shards: matrix = A + diag_shift I.
///
/// Only `triangle` of A is read, and the real part of the diagonal; the other triangle may hold anything. Rows move in
/// chunks of a bounded size. Collective over the matrix's grid; complete when it returns. If to_dense throws, every
/// rank throws (see errors.hpp), and the elements of `matrix` are undefined.
/// @param exec runs the kernels, in the memory space of `matrix`
/// @param a this rank's rows of A, a View, RowIds or an operator as for cholesky_distributed; not changed
/// @param matrix what it holds is overwritten
/// @param diag_shift must be finite in the scalar's precision
/// @param triangle which triangle of A is read
/// @throws std::invalid_argument on every rank, for shapes that do not fit, a shift that is not finite, or ranks that
///   disagree
template <class Exec, class A, Scalar T>
void redistribute(const Exec& exec, A&& a, ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift,
                  Triangle triangle = Triangle::lower) {
  detail::require_backend<Exec>();
  using Source = detail::MatrixSource<std::remove_reference_t<A>, T, Exec>;
  detail::agree(matrix.grid().communicator(), "redistribute", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    Source::describe(agreement, a, matrix.n());
    detail::require_shift(diag_shift, detail::largest_real<T>);
    detail::require_triangle(triangle);
    detail::note_matrix(agreement, matrix);
    agreement.same("diag_shift", diag_shift);
    agreement.same("triangle", static_cast<int>(triangle));
  });
  detail::Memory<typename Exec::memory_space> memory;
  Source::take_in(exec, a, matrix, diag_shift, triangle, memory);
}

/// @}
}  // namespace tessera
