// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/block_source.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/detail/row_shards.hpp>
#include <tessera/options.hpp>
#include <tessera/row_ids.hpp>
#include <tessera/sharded_matrix.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace tessera::detail {

/// An object that writes rows of A on request.
template <class A, class T, class Exec>
concept RowOperator =
    !is_view<A> && requires(A & a, const Exec& exec, std::int64_t first_row, BlockView<T, Exec> rows) {
  a.to_dense(exec, first_row, rows);
};

/// The first row that an operator is asked for on `rank`.
constexpr std::int64_t operator_row_begin(std::int64_t n, int ranks, int rank) {
  return n / ranks * rank + n % ranks * rank / ranks;
}

/// Throws Misuse unless this rank's part of A has n columns and at most n rows, or no rows; `shape` describes it in the
/// message.
void require_shard(const std::string& shape, std::int64_t rows, std::int64_t columns, std::int64_t n);
/// Throws Misuse unless the shift is finite; `most`: the largest finite number of A's scalar.
void require_shift(double diag_shift, double most);
/// Throws Misuse unless `triangle` is one of the enumerators.
void require_triangle(Triangle triangle);

/// The largest finite number that a real or imaginary part can hold.
template <class T>
constexpr double largest_real = static_cast<double>(std::numeric_limits<RealOf<T>>::max());

/// Collective. matrix = A + diag_shift I, where `source` has this rank's rows of A, in the order of the ranks. The
/// arguments have been agreed on.
template <class T, class Exec>
void redistribute_rows(const Exec& exec, const BlockSource<T>& source, const RowShards& shards,
                       ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift, Triangle triangle,
                       Memory<typename Exec::memory_space>& memory);
template <class T, class Exec>
void redistribute_rows(const Exec& exec, const BlockSource<T>& source,
                       ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift, Triangle triangle,
                       Memory<typename Exec::memory_space>& memory) {
  const RowShards shards = row_shards(matrix.grid().communicator(), source.rows);
  redistribute_rows(exec, source, shards, matrix, diag_shift, triangle, memory);
}

/// The same of rows with numbers, which are those of `shards`.
template <class T, class Exec>
void redistribute_numbered_rows(const Exec& exec, const BlockSource<T>& source, const RowShards& shards,
                                ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift,
                                Triangle triangle, Memory<typename Exec::memory_space>& memory);

/// Bytes of a View that are in MemorySpace; those of an operator are not known.
template <class MemorySpace, class A>
std::int64_t bytes_held_by(const A& a) {
  if constexpr (is_view<A>) {
    if constexpr (std::is_same_v<typename A::memory_space, MemorySpace>) {
      return saturated_product(static_cast<std::int64_t>(a.span()), sizeof(typename A::value_type));
    }
  }
  return 0;
}

/// How each kind of argument that may be A becomes tiles: an operator here, a View and RowIds of one below, a Gram in
/// gram.hpp. A further kind is a further specialisation, for an `A` that may be const.
template <class A, class T, class Exec>
struct MatrixSource {
  /// Checks `a` against n and puts what the ranks must agree on into `agreement`, within agree().
  static void describe(Agreement& agreement, A&, std::int64_t /*n*/) {
    static_assert(RowOperator<A, T, Exec>, "a is a rank-2 View, or has to_dense(exec, first_row, rows_view)");
    agreement.same("a", std::string("an operator"));
  }

  /// Bytes of `a` in the memory of Exec, as far as they are known.
  static std::int64_t bytes_held(const A&) { return 0; }

  /// Collective. matrix = A + diag_shift I. The arguments have been agreed on.
  static void take_in(const Exec& exec, A& a, ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift,
                      Triangle triangle, Memory<typename Exec::memory_space>& memory) {
    const ProcessGrid& grid = matrix.grid();
    const std::int64_t begin = operator_row_begin(matrix.n(), grid.size(), grid.rank());
    const std::int64_t end = operator_row_begin(matrix.n(), grid.size(), grid.rank() + 1);
    BlockSource<T> source;
    collectively(grid.communicator(), [&] {
      source = written_source<T, Exec>(end - begin, matrix.n(), [exec, &a, begin](const Window& w, const auto& rows) {
        a.to_dense(exec, begin + w.row_begin, rows);
      });
    });
    redistribute_rows(exec, source, matrix, diag_shift, triangle, memory);
  }
};

template <class A, class T, class Exec>
requires is_view<A>
struct MatrixSource<A, T, Exec> {
  static void describe(Agreement& agreement, A& a, std::int64_t n) {
    static_assert(A::rank == 2, "a is a rank-2 View of local rows x n");
    static_assert(std::is_same_v<typename A::non_const_value_type, T>, "a and all leaves of b have one scalar type");
    agreement.same("a", std::string("a View of local rows"));
    require_shard(detail::describe(strided(a)), static_cast<std::int64_t>(a.extent(0)),
                  static_cast<std::int64_t>(a.extent(1)), n);
  }

  static std::int64_t bytes_held(const A& a) { return bytes_held_by<typename Exec::memory_space>(a); }

  static void take_in(const Exec& exec, A& a, ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift,
                      Triangle triangle, Memory<typename Exec::memory_space>& memory) {
    BlockSource<T> source;
    collectively(matrix.grid().communicator(), [&] { source = view_source<T>(exec, a); });
    redistribute_rows(exec, source, matrix, diag_shift, triangle, memory);
  }
};

template <class A, class T, class Exec>
requires is_row_ids<std::remove_cv_t<A>>
struct MatrixSource<A, T, Exec> {
  using Rows = decltype(A::rows);

  static void describe(Agreement& agreement, A& a, std::int64_t n) {
    agreement.same("a", std::string("RowIds"));
    Agreement of_rows;
    MatrixSource<const Rows, T, Exec>::describe(of_rows, a.rows, n);
  }

  static std::int64_t bytes_held(const A& a) { return bytes_held_by<typename Exec::memory_space>(a.rows); }

  static void take_in(const Exec& exec, A& a, ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift,
                      Triangle triangle, Memory<typename Exec::memory_space>& memory) {
    const Communicator& communicator = matrix.grid().communicator();
    BlockSource<T> source;
    std::vector<std::int64_t> ids;
    collectively(communicator, [&] {
      source = view_source<T>(exec, a.rows);
      ids = ids_on_host(exec, a.ids);
    });
    RowShards shards = row_shards(communicator, source.rows);
    number_rows(communicator, shards, ids, matrix.n(), "a");
    shards.in_order() ? redistribute_rows(exec, source, shards, matrix, diag_shift, triangle, memory)
                      : redistribute_numbered_rows(exec, source, shards, matrix, diag_shift, triangle, memory);
  }
};

}  // namespace tessera::detail
