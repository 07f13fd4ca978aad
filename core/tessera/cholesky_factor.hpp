#pragma once

#include <tessera/detail/backends.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/detail/schedule.hpp>
#include <tessera/detail/strided.hpp>
#include <tessera/errors.hpp>
#include <tessera/options.hpp>
#include <tessera/sharded_matrix.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace tessera {

/// Called during factorize as progress(done, all), in columns.
using Progress = std::function<void(std::int64_t done, std::int64_t all)>;

namespace detail {
template <class T, class MemorySpace>
struct FactorAccess;
}  // namespace detail

/// The Cholesky factor of a Hermitian positive definite matrix, where the matrix was: A = L L^H. It keeps the memory of
/// its last solve for the next one.
template <Scalar T, class MemorySpace = Kokkos::DefaultExecutionSpace::memory_space>
class CholeskyFactor {
 public:
  using value_type = T;
  using memory_space = MemorySpace;

  CholeskyFactor(CholeskyFactor&&) = default;
  CholeskyFactor& operator=(CholeskyFactor&&) = default;

  /// b = A^-1 b, in place; the same bits on every rank.
  ///
  /// `b`: a rank-1 View (n) or a rank-2 View (n x nrhs), of any layout, in any memory space, replicated on every rank.
  /// Collective over the factor's grid. Enqueued on `exec`, and in its order.
  /// Throws std::invalid_argument, on every rank, if b does not have n rows or the ranks disagree on its shape.
  template <class Exec, class B>
  void solve(const Exec& exec, const B& b) const;

  /// log det A = 2 sum log L(k, k). Local.
  double log_determinant() const { return log_determinant_; }

  const ProcessGrid& grid() const { return l_.grid(); }
  std::int64_t n() const { return l_.n(); }
  std::int64_t tile_size() const { return l_.tile_size(); }

  /// L, in the lower triangle of its tiles; above the diagonal stands nothing that counts.
  const ShardedMatrix<T, MemorySpace>& matrix() const { return l_; }

 private:
  friend struct detail::FactorAccess<T, MemorySpace>;

  explicit CholeskyFactor(ShardedMatrix<T, MemorySpace>&& a) : l_(std::move(a)) {}

  ShardedMatrix<T, MemorySpace> l_;
  Kokkos::View<char*, MemorySpace> inverses_;
  mutable detail::Memory<MemorySpace> memory_;
  double log_determinant_ = 0;
};

namespace detail {

/// What the library itself does with a factor.
template <class T, class MemorySpace>
struct FactorAccess {
  using Factor = CholeskyFactor<T, MemorySpace>;

  /// Of a matrix that is still to be factored.
  static Factor make(ShardedMatrix<T, MemorySpace>&& a) { return Factor(std::move(a)); }
  static ShardedMatrix<T, MemorySpace>& matrix(Factor& factor) { return factor.l_; }
  static void set_log_determinant(Factor& factor, double value) { factor.log_determinant_ = value; }
  /// What a device keeps of the diagonal blocks that this rank owns, as Leaves has them.
  static void set_inverses(Factor& factor, const Kokkos::View<char*, MemorySpace>& inverses) {
    factor.inverses_ = inverses;
  }
  static T* inverses(const Factor& factor) { return reinterpret_cast<T*>(factor.inverses_.data()); }
  /// That solves work in, and the next one finds.
  static void keep(Factor& factor, Memory<MemorySpace>&& memory) { factor.memory_ = std::move(memory); }
};

/// A factor, or what it failed at: then leading_minor > 0, and the factor is of no use.
template <class T, class MemorySpace>
struct Factored {
  CholeskyFactor<T, MemorySpace> factor;
  std::int64_t leading_minor = 0;
  PhaseSeconds seconds = {};  ///< of the parts of the factorisation
};

/// Collective. factorize, but that failure is a value, and that it takes its memory from `memory`.
template <class T, class Exec>
Factored<T, typename Exec::memory_space> try_factorize(const Exec& exec,
                                                       ShardedMatrix<T, typename Exec::memory_space>&& a,
                                                       const Progress& progress,
                                                       Memory<typename Exec::memory_space>& memory,
                                                       const Schedule& schedule = {});

/// Room for n x nrhs numbers.
template <class T, class MemorySpace>
T* right_hand_sides(Memory<MemorySpace>& memory, std::int64_t n, std::int64_t nrhs) {
  return reinterpret_cast<T*>(
      Memory<MemorySpace>::reserve(memory.right_hand_sides, "tessera::solve::b", n * nrhs * std::int64_t{sizeof(T)})
          .data());
}

/// Collective. b = A^-1 b for the n x nrhs column-major `b` in the memory of `exec`.
template <class T, class Exec>
void solve(const Exec& exec, const CholeskyFactor<T, typename Exec::memory_space>& factor, T* b, std::int64_t nrhs,
           Memory<typename Exec::memory_space>& memory, const Schedule& schedule = {});

}  // namespace detail

/// A = L L^H by a left-looking tiled Cholesky; the factor takes over the storage of `a`.
///
/// n^3 / 3 flops in all (complex: 4 n^3 / 3). Only the lower triangle of `a` is read, and the real
/// part of its diagonal. `progress(done, all)` is called on this thread, on the ranks that pass one; done never falls,
/// and is `all` at the end. Collective over a's grid; complete when it returns. Throws NotPositiveDefinite on every
/// rank if a leading minor is not positive definite (compare LAPACK's potrf), and what `progress` throws.
template <Scalar T, class Exec>
CholeskyFactor<T, typename Exec::memory_space> factorize(const Exec& exec,
                                                         ShardedMatrix<T, typename Exec::memory_space>&& a,
                                                         const Progress& progress = {}) {
  detail::require_backend<Exec>();
  detail::Agreement agreement("factorize");
  agreement.same("scalar", detail::scalar_name<T>());
  agreement.same("memory space of exec", std::string(Exec::memory_space::name()));
  agreement.same("n", std::to_string(a.n()) + " rows");
  agreement.same("tile", a.tile_size());
  agreement.same("slab", a.slab());
  agreement.settle(a.grid().communicator());
  detail::Memory<typename Exec::memory_space> memory;
  auto factored = detail::try_factorize<T>(exec, std::move(a), progress, memory);
  if (factored.leading_minor > 0) throw NotPositiveDefinite(factored.leading_minor);
  detail::FactorAccess<T, typename Exec::memory_space>::keep(factored.factor, std::move(memory));
  return std::move(factored.factor);
}

template <Scalar T, class MemorySpace>
template <class Exec, class B>
void CholeskyFactor<T, MemorySpace>::solve(const Exec& exec, const B& b) const {
  detail::require_backend<Exec>();
  static_assert(std::is_same_v<typename Exec::memory_space, MemorySpace>, "exec works where the factor is");
  static_assert(B::rank == 1 || B::rank == 2, "b is a View of n, or of n x nrhs");
  static_assert(std::is_same_v<typename B::value_type, T>, "b is solved in place, and has the scalar of A");
  auto columns = detail::strided(b);
  if (columns.rank == 1) {
    columns.rank = 2;
    columns.extent[1] = 1;
  }
  const std::int64_t nrhs = columns.extent[1];
  detail::Agreement agreement("solve");
  agreement.check([&] {
    if (columns.extent[0] != n()) {
      detail::throw_misuse(
          "b", "must have n = " + std::to_string(n()) + " rows, got " + detail::describe(detail::strided(b)));
    }
  });
  agreement.same("scalar", detail::scalar_name<T>());
  agreement.same("n", std::to_string(n()) + " rows");
  agreement.same("tile", tile_size());
  agreement.same("b", detail::describe(detail::strided(b)));
  agreement.settle(grid().communicator());

  columns = detail::transposed(columns);
  T* work = nullptr;
  detail::collectively(grid().communicator(), [&] {
    work = detail::right_hand_sides<T>(memory_, n(), nrhs);
    detail::gather_from<typename B::memory_space, T>(exec, detail::read_only(columns), work);
  });
  detail::solve<T>(exec, *this, work, nrhs, memory_);
  detail::scatter_to<typename B::memory_space, T>(exec, work, columns);
  // The next solve may be on another instance, and works in the same memory.
  exec.fence();
}

}  // namespace tessera
