// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/backward_error.hpp"
#include "perf/random.hpp"

#include <tessera/detail/memory.hpp>

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// The system that all contenders solve, in the memory of one execution space.
namespace tessera::perf {

/// A well-conditioned Hermitian positive definite matrix: pseudo-random numbers, of a 2-norm below sqrt(n), and a
/// diagonal that outweighs them.
template <class T>
struct RandomMatrix {
  std::int64_t n;
  std::uint64_t seed;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    if (i == j) return make_scalar<T>(2 * std::sqrt(static_cast<double>(n)), 0);
    const std::int64_t index = (i > j ? i : j) * n + (i > j ? j : i);
    const double im = uniform(seed + 1, index) - 0.5;
    return make_scalar<T>(uniform(seed, index) - 0.5, i > j ? im : -im);
  }
};

template <class T, class Space>
struct RandomColumns {
  Kokkos::View<T**, Kokkos::LayoutLeft, Space> b;

  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t c) const {
    const std::int64_t index = c * static_cast<std::int64_t>(b.extent(0)) + i;
    b(i, c) = make_scalar<T>(uniform(77, index) - 0.5, uniform(78, index) - 0.5);
  }
};

/// A part of the matrix, somebody's row r being row_of(r) of A and its column c being column_of(c).
template <class T, class Space, class Rows, class Columns>
struct FillPart {
  Kokkos::View<T**, Kokkos::LayoutLeft, Space> part;
  RandomMatrix<T> a;
  Rows row_of;
  Columns column_of;

  KOKKOS_FUNCTION void operator()(std::int64_t r, std::int64_t c) const { part(r, c) = a(row_of(r), column_of(c)); }
};

struct FromIndex {
  std::int64_t begin = 0;
  KOKKOS_FUNCTION std::int64_t operator()(std::int64_t i) const { return begin + i; }
};

template <class T, class ExecutionSpace = Kokkos::DefaultHostExecutionSpace>
struct Problem {
  using Exec = ExecutionSpace;
  using MemorySpace = typename Exec::memory_space;
  using Matrix = Kokkos::View<T**, Kokkos::LayoutLeft, MemorySpace>;

  MPI_Comm comm;
  std::int64_t n;
  std::vector<std::int64_t> nrhs;
  RandomMatrix<T> a;

  Exec exec{};
  bool large_pages = false;  ///< whether the system is asked for them, as Tessera asks for its own arrays

  /// Multiplications of real numbers and additions in one of T, per multiplication and addition of real ones.
  static constexpr double flop_factor = is_complex<T> ? 4 : 1;

  double factor_flops() const { return flop_factor * cube() / 3; }
  double invert_flops() const { return 2 * factor_flops(); }
  double solve_flops(std::int64_t columns) const {
    return flop_factor * 2 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns);
  }
  double cube() const { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

  /// A matrix of zeros.
  Matrix make(std::int64_t rows, std::int64_t columns) const {
    const Matrix matrix(Kokkos::view_alloc("tessera::compare::matrix", Kokkos::WithoutInitializing),
                        static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
    ask_for_pages(matrix);
    Kokkos::deep_copy(matrix, T{});
    return matrix;
  }

  /// Of an array that has not been written yet.
  template <class View>
  void ask_for_pages(const View& view) const {
    using Value = typename View::non_const_value_type;
    if (large_pages) detail::prefer_large_pages(view.data(), static_cast<std::int64_t>(view.size() * sizeof(Value)));
  }

  /// The right-hand sides: the same on every rank.
  Matrix make_b(std::int64_t columns) const {
    const Matrix b = make(n, columns);
    for_each(b, RandomColumns<T, MemorySpace>{b});
    return b;
  }

  template <class Rows, class Columns>
  Matrix make_part(std::int64_t rows, std::int64_t columns, Rows row_of, Columns column_of) const {
    const Matrix part = make(rows, columns);
    for_each(part, FillPart<T, MemorySpace, Rows, Columns>{part, a, row_of, column_of});
    return part;
  }

  /// The sum over the ranks, everywhere: of a solution that each has a part of, and zeros elsewhere. In the host's
  /// memory; collective.
  void add_up(const Matrix& parts) const {
    const MPI_Datatype real = sizeof(detail::RealOf<T>) == sizeof(float) ? MPI_FLOAT : MPI_DOUBLE;
    MPI_Allreduce(MPI_IN_PLACE, parts.data(), static_cast<int>(parts.size()) * (is_complex<T> ? 2 : 1), real, MPI_SUM,
                  comm);
  }

  /// Backward error of one column of a solution, the last; collective.
  double error(const Matrix& x) const {
    const auto last = x.extent(1) - 1;
    const Matrix b = make_b(static_cast<std::int64_t>(x.extent(1)));
    const auto column = Kokkos::make_pair(last, last + 1);
    const Matrix some_x = Kokkos::subview(x, Kokkos::ALL(), column);
    const Matrix some_b = Kokkos::subview(b, Kokkos::ALL(), column);
    return backward_error(exec, comm, a, some_x, some_b);
  }

 private:
  template <class Function>
  void for_each(const Matrix& matrix, const Function& function) const {
    using Policy = Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2, Kokkos::Iterate::Left, Kokkos::Iterate::Left>,
                                         Kokkos::IndexType<std::int64_t>>;
    if (matrix.size() == 0) return;
    Kokkos::parallel_for(
        "tessera::compare::fill",
        Policy(exec, {0, 0},
               {static_cast<std::int64_t>(matrix.extent(0)), static_cast<std::int64_t>(matrix.extent(1))}),
        function);
    exec.fence();
  }
};

inline void require_success(const char* routine, int info) {
  if (info != 0) throw std::runtime_error(std::string(routine) + " failed: info = " + std::to_string(info));
}

/// What a contender says of its arrays.
inline std::string describe_pages(bool large_pages) { return large_pages ? "large pages" : "default pages"; }

inline std::string solve_name(std::int64_t columns) { return "solve " + std::to_string(columns); }

}  // namespace tessera::perf
