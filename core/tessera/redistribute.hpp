#pragma once

#include <tessera/detail/backends.hpp>
#include <tessera/detail/matrix_source.hpp>
#include <tessera/options.hpp>
#include <tessera/sharded_matrix.hpp>

#include <string>
#include <type_traits>

namespace tessera {

/// Takes A in from row shards: `matrix` becomes A + diag_shift * I.
///
/// `a`: a rank-2 View of local rows x n in any layout and memory space, rank r's rows after rank r-1's; or an operator
/// with to_dense(exec, first_row, rows_view). Only `triangle` is read, and the real part of the diagonal: what lies in
/// the other half may be anything. Rows move in chunks of a bounded size; `a` is not changed. Collective over the
/// matrix's grid. Complete when it returns. Throws std::invalid_argument for shapes that do not fit and for a shift
/// that is not finite, and what to_dense throws, on every rank.
template <class Exec, class A, Scalar T>
void redistribute(const Exec& exec, A&& a, ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift,
                  Triangle triangle = Triangle::lower) {
  detail::require_backend<Exec>();
  using Source = detail::MatrixSource<std::remove_reference_t<A>, T, Exec>;
  detail::Agreement agreement("redistribute");
  agreement.check([] { detail::require_kokkos(); });
  Source::describe(agreement, a, matrix.n());
  agreement.check([&] { detail::require_shift(diag_shift, detail::largest_real<T>); });
  agreement.check([&] { detail::require_triangle(triangle); });
  agreement.same("scalar", detail::scalar_name<T>());
  agreement.same("n", std::to_string(matrix.n()) + " rows");
  agreement.same("tile", matrix.tile_size());
  agreement.same("diag_shift", diag_shift);
  agreement.same("triangle", static_cast<int>(triangle));
  agreement.settle(matrix.grid().communicator());
  detail::Memory<typename Exec::memory_space> memory;
  Source::take_in(exec, a, matrix, diag_shift, triangle, memory);
}

}  // namespace tessera
