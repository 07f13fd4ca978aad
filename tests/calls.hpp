// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include <cstdint>
#include <exception>
#include <new>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>

// What surrounds a call, rather than what it computes: what it throws, and whether the next one works.
namespace tessera::testing {

/// The kinds of exception that the contract tells apart.
enum class Kind { nothing, invalid_argument, bad_alloc, not_positive_definite, mpi_error, runtime_error, other };

inline std::ostream& operator<<(std::ostream& out, Kind kind) {
  static constexpr const char* names[] = {"nothing",  "std::invalid_argument", "std::bad_alloc", "NotPositiveDefinite",
                                          "MpiError", "std::runtime_error",    "something else"};
  return out << names[static_cast<int>(kind)];
}

struct Thrown {
  Kind kind = Kind::nothing;
  std::string message;
};

inline std::ostream& operator<<(std::ostream& out, const Thrown& thrown) {
  return out << thrown.kind << " \"" << thrown.message << "\"";
}

template <class Call>
Thrown thrown_by(Call&& call) {
  try {
    std::forward<Call>(call)();
    return {};
  } catch (const NotPositiveDefinite& e) {
    return {Kind::not_positive_definite, e.what()};
  } catch (const MpiError& e) {
    return {Kind::mpi_error, e.what()};
  } catch (const std::runtime_error& e) {
    return {Kind::runtime_error, e.what()};
  } catch (const std::invalid_argument& e) {
    return {Kind::invalid_argument, e.what()};
  } catch (const std::bad_alloc& e) {
    return {Kind::bad_alloc, e.what()};
  } catch (const std::exception& e) {
    return {Kind::other, e.what()};
  } catch (...) {
    return {Kind::other, "no std::exception"};
  }
}

/// One system on the ranks of a communicator: evenly sharded rows and one right-hand side.
template <class T>
struct System {
  MPI_Comm comm;
  std::int64_t n;
  Dominant<T> f;
  Kokkos::View<T**> a;
  Kokkos::View<T*> b;

  explicit System(MPI_Comm communicator, std::int64_t size = 24, std::uint64_t seed = 1)
      : comm(communicator),
        n(size),
        f{size, seed},
        a(make_rows<Kokkos::View<T**>>(even_shards(size, size_of(communicator)), rank_in(communicator), size, f)),
        b("b", static_cast<std::size_t>(size)) {
    set_noise(b, seed + 1);
  }

  /// Minor n of the matrix fails.
  void spoil() {
    if (a.extent(0) == 0 || rank_in(comm) + 1 < size_of(comm)) return;
    Kokkos::deep_copy(Kokkos::subview(a, a.extent(0) - 1, a.extent(1) - 1), T(-1));
  }

  HostMatrix<T> solve(const CholeskyOptions& options = {.local_tile_size = 4}) const {
    return to_host(cholesky_distributed(comm, a, b, options).x);
  }

  /// A bound far above rounding: whether something went wrong around the call, not how accurate it is.
  ::testing::AssertionResult is_solved_by(const HostMatrix<T>& x) const {
    const double error = backward_error(n, f, 0, x, to_host(b));
    if (error <= 100 * epsilon<T>()) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "x has a backward error of " << error;
  }
};

/// Whether a plain call on `comm` works. Collective.
inline ::testing::AssertionResult solves(MPI_Comm comm) {
  const System<double> system(comm);
  HostMatrix<double> x;
  const Thrown thrown = thrown_by([&] { x = system.solve(); });
  if (thrown.kind != Kind::nothing) return ::testing::AssertionFailure() << "it threw " << thrown;
  return system.is_solved_by(x);
}

/// The matrix of a System in tiles, for the pieces.
template <class T>
ShardedMatrix<T> sharded(const ProcessGrid& grid, const System<T>& system, std::int64_t tile) {
  ShardedMatrix<T> matrix(grid, system.n, tile);
  redistribute(Kokkos::DefaultExecutionSpace{}, system.a, matrix, 0);
  return matrix;
}

}  // namespace tessera::testing
