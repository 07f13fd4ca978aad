// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/cholesky_factor.hpp>
#include <tessera/detail/backends.hpp>
#include <tessera/detail/kept_memory.hpp>
#include <tessera/detail/pytree.hpp>
#include <tessera/detail/region.hpp>
#include <tessera/gram.hpp>
#include <tessera/options.hpp>
#include <tessera/redistribute.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace tessera {
/// @addtogroup one_call
/// @{

/// What cholesky_distributed returns.
/// @tparam X the type of b, with a non-const and managed View of the same layout and memory space for one that is not
template <class X>
struct Solution {
  X x;                ///< A^-1 b, in new Views
  CholeskyInfo info;  ///< what the call did
};

namespace detail {

/// Checks `options` on this many ranks and notes them in `agreement`, within agree().
void describe_options(Agreement& agreement, const CholeskyOptions& options, int ranks);

/// The shift of try `number`, counted from 0.
double shift_of_try(const CholeskyOptions& options, std::size_t number);

/// Throws Misuse for an invalid ladder, or if the magnitude of a shift is not at most `most`.
void require_shifts(const CholeskyOptions& options, double most);

/// Collective. The library's duplicate of `comm`, after `prepare` on each rank; throws Misuse on every rank if Kokkos
/// is not running on one.
template <std::invocable Prepare>
std::shared_ptr<const Communicator> begin_call(MPI_Comm comm, Prepare&& prepare) {
  auto communicator = duplicate(comm);
  agree(*communicator, "cholesky_distributed", [&](Agreement&) {
    require_kokkos();
    std::forward<Prepare>(prepare)();
  });
  return communicator;
}

int size_of(const Communicator& communicator);

/// Whether a call that solves for so many right-hand sides gives all of A to one of several devices, as one tile that
/// it factors in one launch: so a small system is solved faster.
template <class T, class Exec>
bool is_for_one_device(std::int64_t n, std::int64_t nrhs, GridShape grid, Arithmetic arithmetic, int moduli);

/// Collective. Whether each rank's device has what that launch takes.
template <class T, class Exec>
bool takes_one_launch(const Exec& exec, const Communicator& communicator);

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Collective. Takes A in and factors it, with one shift of `options` after the other until one succeeds. The arguments
/// have been agreed on, `info` has the tile size and room for a try.
/// @param beside bytes of right-hand sides, as for try_factorize
template <class T, class Exec, class A>
Factored<T, typename Exec::memory_space> factor_with_shifts(const Exec& exec, const ProcessGrid& grid, A& a,
                                                            std::int64_t n, const CholeskyOptions& options,
                                                            Memory<typename Exec::memory_space>& memory,
                                                            CholeskyInfo& info, std::int64_t beside = 0) {
  using MemorySpace = typename Exec::memory_space;
  auto start = std::chrono::steady_clock::now();
  const auto lap = [&start] { return seconds_since(std::exchange(start, std::chrono::steady_clock::now())); };
  std::optional<Factored<T, MemorySpace>> factored;
  if (!options.bytes_free) beside = saturated_sum(beside, MatrixSource<A, T, Exec>::bytes_held(a));
  do {
    if (!info.tries.empty()) {
      collectively(grid.communicator(), [&] { info.tries.reserve(info.tries.size() + 1); });
    }
    const double shift = shift_of_try(options, info.tries.size());
    const bool is_new = info.tries.empty() || static_cast<RealOf<T>>(shift) != static_cast<RealOf<T>>(info.diag_shift);
    info.diag_shift = shift;
    if (!is_new) {  // the same matrix, which fails as it did
      info.tries.push_back({shift, info.leading_minor});
      continue;
    }
    factored.reset();  // its memory is taken again
    ShardedMatrix<T, MemorySpace> matrix(grid, n, info.tile_size, 0, 0, memory);
    const auto take_in = [&](auto... of_products) {
      return MatrixSource<A, T, Exec>::take_in(exec, a, matrix, info.diag_shift, options.triangle, memory,
                                               of_products...);
    };
    if constexpr (is_gram<std::remove_cv_t<A>>) {
      info.gram_moduli = take_in(options.arithmetic, options.moduli, options.bytes_free, beside);
    } else {
      take_in();
    }
    info.seconds.redistribute += lap();
    const FactorizeOptions of_factor{.progress = by_reference(options.progress),
                                     .arithmetic = options.arithmetic,
                                     .moduli = options.moduli,
                                     .bytes_free = options.bytes_free};
    factored.emplace(try_factorize<T>(exec, std::move(matrix), of_factor, memory, {}, beside));
    info.seconds.factorize += lap();
    info.seconds.update += factored->seconds.update;
    info.seconds.panel += factored->seconds.panel;
    info.seconds.exchange += factored->seconds.exchange;
    info.seconds.waiting += factored->seconds.waiting;
    info.leading_minor = factored->leading_minor;
    info.arithmetic = factored->integers.moduli > 0 ? Arithmetic::integer : Arithmetic::native;
    info.moduli = factored->integers.moduli;
    info.integer_columns = factored->integers.columns;
    info.tries.push_back({info.diag_shift, info.leading_minor});
  } while (info.leading_minor > 0 && static_cast<int>(info.tries.size()) < options.shifts.tries);
  if (info.leading_minor == 0) info.log_determinant = factored->factor.log_determinant();
  return std::move(*factored);
}

template <class Exec, class A, class B>
Solution<typename Tree<B>::Solution> solve_once(const Exec& exec, std::shared_ptr<const Communicator> communicator,
                                                A& a, const B& b, const CholeskyOptions& options,
                                                Memory<typename Exec::memory_space>& memory) {
  require_backend<Exec>();
  using T = typename Tree<B>::Scalar;
  using MemorySpace = typename Exec::memory_space;
  static_assert(Scalar<T>, "b holds float, double or Kokkos::complex of these");
  const Region region("tessera::cholesky_distributed");
  const int ranks = size_of(*communicator);
  const Shape shape = shape_of(b);
  const char* const operation = "the arguments of cholesky_distributed";
  const auto describe_b = [&](Agreement& agreement) {
    agreement.same("scalar of a and b", scalar_name<T>());
    agreement.same("memory space of exec", std::string(MemorySpace::name()));
    agreement.same("b", Tree<B>::describe(b));
  };
  if constexpr (is_by_rows<B>) agree(*communicator, operation, describe_b);
  const RowShards shards = shards_of(exec, *communicator, b);
  const std::int64_t n = shards.by_rows() ? shards.all() : shape.n;
  agree(*communicator, operation, [&](Agreement& agreement) {
    describe_b(agreement);
    require_dimensions(n, 1, 0, 0);
    MatrixSource<A, T, Exec>::describe(agreement, a, n);
    describe_options(agreement, options, ranks);
    require_shifts(options, largest_real<T>);
  });

  CholeskyInfo info;
  info.grid = options.grid.value_or(nearly_square(ranks));
  // All devices assemble a Gram matrix, which takes longer than the rest.
  const bool for_one = !is_gram<std::remove_cv_t<A>> && options.local_tile_size == 0 &&
                       is_for_one_device<T, Exec>(n, shape.nrhs, info.grid, options.arithmetic, options.moduli) &&
                       takes_one_launch<T>(exec, *communicator);
  info.tile_size = for_one ? n : tile_size_for<T, MemorySpace>(options.local_tile_size, n, info.grid);
  std::optional<typename Tree<B>::Solution> x;
  MatrixView<T, MemorySpace> work;
  collectively(*communicator, [&] {
    work = right_hand_sides<T>(memory, shape.n, shape.nrhs);  // before x: Kokkos does not see extents that overflow
    x = Tree<B>::map(b, [](const auto& leaf) { return make_solution(leaf); });
    ravel<T>(exec, b, work);
    info.tries.reserve(1);
  });

  const ProcessGrid grid(std::move(communicator), info.grid, options.mpi_buffers);
  const auto bytes_of_rows = [&](std::int64_t rows) {
    return saturated_round_up(saturated_product(saturated_product(rows, shape.nrhs), sizeof(T)), 8);
  };
  // x and b, which is no part of what is free, and `work`
  const std::int64_t copies = (is_replaced<B> ? 0 : 1) + (options.bytes_free ? 0 : 1);
  const std::int64_t beside = saturated_sum(saturated_product(copies, bytes_of_rows(shape.n)),
                                            bytes_of_rows(shape.n > 0 ? static_cast<std::int64_t>(work.stride(1)) : 0));
  const auto factored = factor_with_shifts<T>(exec, grid, a, n, options, memory, info, beside);
  const auto start = std::chrono::steady_clock::now();
  const auto deliver = [&] {
    unravel<T>(exec, work, *x);
    exec.fence();
  };
  if (info.leading_minor == 0) {
    apply<T>(exec, FactorOperation::solve, factored.factor, work, memory, std::cref(deliver), {}, shards);
  } else if (options.on_failure == Failure::raise) {
    throw NotPositiveDefinite(info.leading_minor);
  } else {
    collectively(grid.communicator(), [&] {
      fill("tessera::solve::fill_nan", exec, work.data(), strided(work).span(),
           T(std::numeric_limits<RealOf<T>>::quiet_NaN()));
      deliver();
    });
  }
  info.seconds.solve = seconds_since(start);
  return {std::move(*x), std::move(info)};
}

}  // namespace detail

/// Solves A x = b for a Hermitian positive definite A whose rows are distributed over the ranks of `comm`.
///
/// Collective over `comm`; complete when it returns. A is factored in the memory of `exec`, which takes about n*n/2
/// numbers over all ranks, and buffers (see memory_plan).
///
/// `a` is one of four:
/// - A rank-2 View of local rows x n, in any layout and memory space. Rank r's rows follow rank r-1's; ranks may hold
///   different numbers of rows, or none.
/// - RowIds of such a View, whose rows may be any rows of A.
/// - An operator with to_dense(exec, first_row, rows), which writes rows first_row, first_row + 1, ... of A into the
///   Kokkos::View<T**> `rows` in the memory of `exec`. Rank r of R is asked for rows r n / R to (r+1) n / R, both
///   rounded down, in chunks and in order. It must not communicate.
/// - A Gram.
///
/// Of a View and an operator only options.triangle is read, and the real part of the diagonal. Each try of
/// options.shifts reads `a` again.
///
/// If to_dense or options.progress throws, every rank throws (see errors.hpp). The last argument is an initial guess,
/// which drivers may pass and Tessera ignores.
/// @param exec the execution space that the kernels run on
/// @param comm an intra-communicator; Tessera works on a duplicate, which its first call makes
/// @param a this rank's part of A; a View is not changed
/// @param b a rank-1 View (n), a rank-2 View (n x nrhs), or a std::tuple, std::array or std::vector of Views of any
///   rank, read one after the other in C order; the same on every rank. Or ByRows of a View of this rank's rows, of any
///   rows with ids. It is not changed
/// @param options the same on every rank, but for options.progress
/// @return x, the same bits on every rank or ByRows with each rank's rows, and what the call did; a Solution
/// @pre what writes `a` and `b` is complete, or enqueued on an `exec` that can access them
/// @throws NotPositiveDefinite on every rank, if the last try fails, unless options.on_failure is Failure::fill_nan
/// @throws std::invalid_argument on every rank, for misuse; on this rank alone, if `comm` is null or an
///   inter-communicator, or MPI is not running
/// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
/// @throws MpiError on the rank whose MPI call failed
template <class Exec, class A, class B, class X0 = std::nullopt_t>
requires Kokkos::is_execution_space<Exec>::value auto cholesky_distributed(const Exec& exec, MPI_Comm comm, A&& a,
                                                                           const B& b,
                                                                           const CholeskyOptions& options = {},
                                                                           const X0& /*x0*/ = std::nullopt) {
  detail::Memory<typename Exec::memory_space> memory;
  return detail::solve_once(exec, detail::begin_call(comm, [] {}), a, b, options, memory);
}

/// The same, with a Kokkos::DefaultExecutionSpace as `exec`.
template <class A, class B, class X0 = std::nullopt_t>
auto cholesky_distributed(MPI_Comm comm, A&& a, const B& b, const CholeskyOptions& options = {},
                          const X0& /*x0*/ = std::nullopt) {
  std::optional<Kokkos::DefaultExecutionSpace> exec;  // which needs a running Kokkos
  auto communicator = detail::begin_call(comm, [&] { exec.emplace(); });
  detail::Memory<Kokkos::DefaultExecutionSpace::memory_space> memory;
  return detail::solve_once(*exec, std::move(communicator), a, b, options, memory);
}

/// cholesky_distributed as an object, for drivers that take a linear solver.
///
/// It keeps the memory of its last call: one with the same shapes allocates nothing but x. A copy starts without any,
/// and an object that is assigned to keeps its own. Calls are const but work in that memory, so two threads must not
/// use one object at the same time.
///
/// Call clear(), or let the object end, before Kokkos::finalize. It may end later, but then leaks its memory, as Kokkos
/// can no longer free a View; if clear() is called then, Kokkos ends the program.
struct CholeskyDistributed {
  MPI_Comm comm = MPI_COMM_NULL;           ///< the first call duplicates it
  CholeskyOptions options = {};            ///< the same on every rank, but for options.progress
  mutable detail::KeptMemory memory = {};  ///< not public

  /// Frees the kept memory. Local.
  /// @pre Kokkos is not finalised, or no memory is kept
  void clear() { memory.clear(); }

  /// cholesky_distributed(comm, a, b, options). Collective over `comm`.
  template <class A, class B, class X0 = std::nullopt_t>
  requires(!Kokkos::is_execution_space<std::remove_cvref_t<A>>::value) auto operator()(
      A&& a, const B& b, const X0& /*x0*/ = std::nullopt) const {
    std::optional<Kokkos::DefaultExecutionSpace> exec;  // which needs a running Kokkos
    return call(
        [&]() -> auto& { return exec.emplace(); }, a, b);
  }

  /// cholesky_distributed(exec, comm, a, b, options). Collective over `comm`.
  template <class Exec, class A, class B, class X0 = std::nullopt_t>
  requires Kokkos::is_execution_space<Exec>::value auto operator()(const Exec& exec, A&& a, const B& b,
                                                                   const X0& /*x0*/ = std::nullopt) const {
    return call(
        [&]() -> auto& { return exec; }, a, b);
  }

 private:
  /// `exec_of()`: the execution space.
  template <class ExecOf, class A, class B>
  auto call(const ExecOf& exec_of, A& a, const B& b) const {
    using Exec = std::remove_cvref_t<decltype(exec_of())>;
    const Exec* exec = nullptr;
    std::optional<decltype(memory.lend<typename Exec::memory_space>())> lent;
    auto communicator = detail::begin_call(comm, [&] {
      exec = &exec_of();
      lent.emplace(memory.lend<typename Exec::memory_space>());
    });
    return detail::solve_once(*exec, std::move(communicator), a, b, options, **lent);
  }
};

/// @}
}  // namespace tessera
