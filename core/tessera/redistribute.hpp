#pragma once

#include <tessera/detail/backends.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/detail/strided.hpp>
#include <tessera/options.hpp>
#include <tessera/sharded_matrix.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>

namespace tessera {
namespace detail {

/// This rank's rows of A, served in order, in memory that `Exec` reads.
template <class T>
struct RowSource {
  std::int64_t count = 0;
  bool buffered = false;  ///< whether it takes a buffer: room for `count` rows of n numbers
  /// Rows [first, first + count) of this rank's, each with all columns; good until the next call.
  std::function<Strided<const T>(T* buffer, std::int64_t first, std::int64_t count)> rows;
};

template <class A>
inline constexpr bool is_view = Kokkos::is_view<std::remove_cvref_t<A>>::value;

template <class T, class Exec>
using RowsView = Kokkos::View<T**, typename Exec::memory_space>;

/// An object that writes rows of A when it is asked to.
template <class A, class T, class Exec>
concept RowOperator = !is_view<A> && requires(A & a, const Exec& exec, std::int64_t first_row, RowsView<T, Exec> rows) {
  a.to_dense(exec, first_row, rows);
};

/// Shape of a row shard. Throws Misuse unless it has n columns or no row.
void require_columns(const std::string& shape, std::int64_t rows, std::int64_t columns, std::int64_t n);

/// The first row that an operator is asked for on `rank`.
constexpr std::int64_t operator_row_begin(std::int64_t n, int ranks, int rank) {
  return n / ranks * rank + n % ranks * rank / ranks;
}

/// Checks `a` against n and puts what the ranks must agree on into `agreement`.
template <class T, class Exec, class A>
void describe_matrix(Agreement& agreement, A& a, std::int64_t n) {
  if constexpr (is_view<A>) {
    static_assert(std::remove_cvref_t<A>::rank == 2, "a is a rank-2 View of local rows x n");
    static_assert(std::is_same_v<typename std::remove_cvref_t<A>::non_const_value_type, T>,
                  "a and all leaves of b have one scalar type");
    agreement.same("a", std::string("a View of local rows"));
    agreement.check([&] {
      require_columns(describe(strided(a)), static_cast<std::int64_t>(a.extent(0)),
                      static_cast<std::int64_t>(a.extent(1)), n);
    });
  } else {
    static_assert(RowOperator<std::remove_reference_t<A>, T, Exec>,
                  "a is a rank-2 View, or has to_dense(exec, first_row, rows_view)");
    agreement.same("a", std::string("an operator"));
  }
}

/// Rows [first, first + count) of a rank-2 one.
template <class T>
Strided<T> row_range(Strided<T> s, std::int64_t first, std::int64_t count) {
  s.data += first * s.stride[0];
  s.extent[0] = count;
  return s;
}

/// The rows of a View or of an operator. It refers to `a`.
template <class T, class Exec, class A>
RowSource<T> row_source(const Exec& exec, A& a, std::int64_t n, int ranks, int rank) {
  if constexpr (is_view<A>) {
    using Space = typename std::remove_cvref_t<A>::memory_space;
    const Strided<const T> all = read_only(strided(a));
    return {all.extent[0], !accessible<Exec, Space>,
            [exec, all, n](T* buffer, std::int64_t first, std::int64_t count) -> Strided<const T> {
              const Strided<const T> some = row_range(all, first, count);
              if constexpr (accessible<Exec, Space>) return some;
              gather_from<Space, T>(exec, some, buffer);
              return {buffer, 2, {count, n}, {n, 1}};
            }};
  } else {
    const std::int64_t begin = operator_row_begin(n, ranks, rank);
    return {operator_row_begin(n, ranks, rank + 1) - begin, true,
            [exec, &a, begin, n](T* buffer, std::int64_t first, std::int64_t count) {
              const RowsView<T, Exec> some(buffer, static_cast<std::size_t>(count), static_cast<std::size_t>(n));
              a.to_dense(exec, begin + first, some);
              return read_only(strided(some));
            }};
  }
}

/// Collective. Every rank's rows into the matrix's tiles; arguments have been agreed on.
template <class T, class Exec>
void redistribute_rows(const Exec& exec, const RowSource<T>& source,
                       ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift, Triangle triangle,
                       Memory<typename Exec::memory_space>& memory);

/// Collective. redistribute, but for the checks.
template <class T, class Exec, class A>
void take_in(const Exec& exec, A& a, ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift,
             Triangle triangle, Memory<typename Exec::memory_space>& memory) {
  const ProcessGrid& grid = matrix.grid();
  RowSource<T> source;
  collectively(grid.communicator(), [&] { source = row_source<T>(exec, a, matrix.n(), grid.size(), grid.rank()); });
  redistribute_rows(exec, source, matrix, diag_shift, triangle, memory);
}

/// `most`: the largest finite number of A's scalar.
void require_shift(double diag_shift, double most);
template <class T>
constexpr double largest_real = static_cast<double>(std::numeric_limits<RealOf<T>>::max());
void require_triangle(Triangle triangle);

}  // namespace detail

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
  const detail::Communicator& communicator = matrix.grid().communicator();
  detail::Agreement agreement("redistribute");
  agreement.check([] { detail::require_kokkos(); });
  detail::describe_matrix<T, Exec>(agreement, a, matrix.n());
  agreement.check([&] { detail::require_shift(diag_shift, detail::largest_real<T>); });
  agreement.check([&] { detail::require_triangle(triangle); });
  agreement.same("scalar", detail::scalar_name<T>());
  agreement.same("n", std::to_string(matrix.n()) + " rows");
  agreement.same("tile", matrix.tile_size());
  agreement.same("diag_shift", diag_shift);
  agreement.same("triangle", static_cast<int>(triangle));
  agreement.settle(communicator);
  detail::Memory<typename Exec::memory_space> memory;
  detail::take_in<T>(exec, a, matrix, diag_shift, triangle, memory);
}

}  // namespace tessera
