// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/cholesky_factor.hpp>
#include <tessera/detail/pytree.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

// The calls of CholeskyFactor: what they check, and where their arguments go.
namespace tessera {

template <Scalar T, class MemorySpace>
template <class Exec>
CholeskyFactor<T, MemorySpace> CholeskyFactor<T, MemorySpace>::adopt(const Exec& exec,
                                                                     ShardedMatrix<T, MemorySpace>&& l) {
  detail::require_backend<Exec>();
  static_assert(std::is_same_v<typename Exec::memory_space, MemorySpace>, "exec works where the matrix is");
  detail::agree(l.grid().communicator(), "CholeskyFactor::adopt", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    detail::note_matrix(agreement, l);
  });
  detail::Memory<MemorySpace> memory;
  const double log_determinant = detail::complete_factor<T>(exec, l, memory);
  CholeskyFactor factor(std::move(l));
  factor.log_determinant_ = log_determinant;
  factor.memory_ = std::move(memory);
  return factor;
}

template <Scalar T, class MemorySpace>
template <class Exec, class B>
void CholeskyFactor<T, MemorySpace>::apply(detail::FactorOperation operation, const Exec& exec, const B& b) const {
  detail::require_backend<Exec>();
  static_assert(std::is_same_v<typename Exec::memory_space, MemorySpace>, "exec works where the factor is");
  using View = std::remove_cvref_t<decltype(detail::view_of(b))>;
  static_assert(View::rank == 1 || View::rank == 2, "b is a View of n, or of n x nrhs, or ByRows of a View");
  static_assert(std::is_same_v<typename View::value_type, T>, "b changes in place, and has the scalar of A");
  constexpr bool by_rows = detail::is_by_rows<B>;
  const auto here = detail::strided(detail::view_of(b));
  auto columns = here;
  if (columns.rank == 1) {
    columns.rank = 2;
    columns.extent[1] = 1;
  }
  detail::agree(grid().communicator(), detail::name_of(operation), [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    if (!by_rows && here.extent[0] != n()) {
      detail::throw_misuse("b", "must have n = " + std::to_string(n()) + " rows, got " + detail::describe(here));
    }
    detail::note_matrix(agreement, l_);
    agreement.same("b", by_rows ? detail::describe_rows(here, detail::has_ids<B>) : detail::describe(here));
  });
  const detail::RowShards shards = detail::shards_of(exec, grid().communicator(), b, n());

  MatrixView<T, MemorySpace> work;
  detail::collectively(grid().communicator(), [&] {
    detail::require_all_rows(shards, n(), "b");
    work = detail::right_hand_sides<T>(memory_, columns.extent[0], columns.extent[1]);
    detail::gather_from<typename View::memory_space, T>(exec, detail::read_only(columns), detail::strided(work));
  });
  const auto deliver = [&] {
    detail::scatter_to<typename View::memory_space, T>(exec, detail::read_only(detail::strided(work)), columns);
    // The next solve works in the same memory, and may be on another instance.
    exec.fence();
  };
  detail::apply<T>(exec, operation, *this, work, memory_, std::cref(deliver), {}, shards);
}

template <Scalar T, class MemorySpace>
template <class Exec>
double CholeskyFactor<T, MemorySpace>::reciprocal_condition(const Exec& exec, double norm_of_a) const {
  detail::require_backend<Exec>();
  static_assert(std::is_same_v<typename Exec::memory_space, MemorySpace>, "exec works where the factor is");
  detail::agree(grid().communicator(), "reciprocal_condition", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    if (!(norm_of_a >= 0)) {  // nor is a NaN
      detail::throw_misuse("norm_of_a", "must not be negative or NaN, got " + std::to_string(norm_of_a));
    }
    detail::note_matrix(agreement, l_);
    agreement.same("norm_of_a", norm_of_a);
  });
  return detail::reciprocal_condition<T>(exec, *this, norm_of_a, memory_);
}

template <Scalar T, class MemorySpace>
template <class Exec, class Rows>
void CholeskyFactor<T, MemorySpace>::append(const Exec& exec, const Rows& rows) {
  detail::require_backend<Exec>();
  static_assert(std::is_same_v<typename Exec::memory_space, MemorySpace>, "exec works where the factor is");
  static_assert(Rows::rank == 2, "rows is a View of k x (n + k)");
  static_assert(std::is_same_v<typename Rows::non_const_value_type, T>, "rows has the scalar of A");
  const auto numbers = detail::read_only(detail::strided(rows));
  detail::agree(grid().communicator(), "append", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    const std::int64_t k = numbers.extent[0];
    if (numbers.extent[1] - k != n()) {
      detail::throw_misuse(
          "rows", "must have n = " + std::to_string(n()) + " columns more than rows, got " + detail::describe(numbers));
    }
    if (k > l_.reserve()) {
      detail::throw_misuse("rows", "are " + std::to_string(k) + " to append, but memory is reserved for " +
                                       std::to_string(l_.reserve()) + ": see reserve of ShardedMatrix");
    }
    detail::note_matrix(agreement, l_);
    agreement.same("reserve", l_.reserve());
    agreement.same("rows", detail::describe(numbers));
  });
  detail::append<T, Exec>(exec, *this, numbers, detail::gather_from<typename Rows::memory_space, T, Exec>, memory_);
}

template <Scalar T, class MemorySpace>
template <class Exec, class D>
void CholeskyFactor<T, MemorySpace>::inverse_diagonal(const Exec& exec, const D& d) const {
  detail::require_backend<Exec>();
  static_assert(std::is_same_v<typename Exec::memory_space, MemorySpace>, "exec works where the factor is");
  static_assert(D::rank == 1, "d is a View of n");
  static_assert(std::is_same_v<typename D::value_type, detail::RealOf<T>>, "d has the real type of A's scalar");
  const auto numbers = detail::strided(d);
  detail::agree(grid().communicator(), "inverse_diagonal", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    if (numbers.extent[0] != n()) {
      detail::throw_misuse("d", "must have n = " + std::to_string(n()) + " numbers, got " + detail::describe(numbers));
    }
    detail::note_matrix(agreement, l_);
  });
  const auto deliver = [&](const detail::RealOf<T>* diagonal) {
    detail::scatter_to<typename D::memory_space, detail::RealOf<T>>(exec, detail::contiguous(diagonal, numbers),
                                                                    numbers);
    exec.fence();
  };
  detail::inverse_diagonal<T>(exec, *this, memory_, std::cref(deliver));
}

}  // namespace tessera
