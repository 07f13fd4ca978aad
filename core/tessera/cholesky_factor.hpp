// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/by_rows.hpp>
#include <tessera/detail/arithmetic.hpp>
#include <tessera/detail/backends.hpp>
#include <tessera/detail/integers.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/detail/row_shards.hpp>
#include <tessera/detail/saturated.hpp>
#include <tessera/detail/schedule.hpp>
#include <tessera/detail/strided.hpp>
#include <tessera/errors.hpp>
#include <tessera/options.hpp>
#include <tessera/sharded_matrix.hpp>

#include <Kokkos_Core.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace tessera {
/// @addtogroup factor
/// @{

/// Options of factorize. All ranks pass the same but for `progress`.
struct FactorizeOptions {
  Progress progress = {};                      ///< as for the factorize that takes it alone
  Arithmetic arithmetic = Arithmetic::native;  ///< what the products are made of
  int moduli = 0;                              ///< as CholeskyOptions::moduli
  /// As CholeskyOptions::bytes_free: for what the matrix has, too, but without right-hand sides.
  std::optional<std::int64_t> bytes_free = std::nullopt;
};

namespace detail {
template <class T, class MemorySpace>
struct FactorAccess;

/// Calls `progress`, which must live on, in place of a copy, whose making may throw on one rank alone; empty if it is.
inline Progress by_reference(const Progress& progress) { return progress ? Progress(std::cref(progress)) : Progress(); }

/// What is done to right-hand sides with a factor.
enum class FactorOperation { solve, solve_lower, solve_upper, multiply_lower, multiply_upper };
constexpr const char* name_of(FactorOperation operation) {
  constexpr const char* names[] = {"solve", "solve_lower", "solve_upper", "multiply_lower", "multiply_upper"};
  return names[static_cast<int>(operation)];
}
}  // namespace detail

/// The Cholesky factor L of a Hermitian positive definite matrix, A = L L^H, in the memory that held A. factorize makes
/// it.
///
/// It keeps the memory of its last solve or product for the next one, so two threads must not use it at the same time.
/// It must end before Kokkos::finalize, as a View must: Kokkos ends the program otherwise. A moved-from factor owns no
/// memory, and may only be destroyed or assigned to.
template <Scalar T, class MemorySpace = Kokkos::DefaultExecutionSpace::memory_space>
class CholeskyFactor {
 public:
  using value_type = T;              ///< the scalar
  using memory_space = MemorySpace;  ///< where L is

  /// The factor L of a matrix that was factored elsewhere: `l` holds it in its lower triangle, in its own memory or in
  /// an array that is adopted. Its log-determinant is made here, and on a device the inverses of its diagonal blocks.
  ///
  /// Collective over the grid of `l`; complete when it returns.
  /// @param exec runs the kernels, in the memory space of `l`
  /// @param l the factor takes over its memory; `l` is a 0 x 0 matrix afterwards, and unchanged if the call throws.
  ///   Its diagonal is real.
  /// @throws std::invalid_argument on every rank, if an element of the diagonal is not positive and finite, or the
  ///   ranks disagree
  /// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
  template <class Exec>
  static CholeskyFactor adopt(const Exec& exec, ShardedMatrix<T, MemorySpace>&& l);
  /// The same on the default instance of MemorySpace's execution space.
  static CholeskyFactor adopt(ShardedMatrix<T, MemorySpace>&& l) {
    return adopt(typename MemorySpace::execution_space{}, std::move(l));
  }

  /// Takes over the memory. A View that is moved from may still own what it had.
  CholeskyFactor(CholeskyFactor&& other) noexcept
      : l_(std::move(other.l_)),
        memory_(std::exchange(other.memory_, {})),
        log_determinant_(other.log_determinant_),
        integers_(other.integers_) {}
  /// Takes over the memory.
  CholeskyFactor& operator=(CholeskyFactor&& other) noexcept {
    l_ = std::move(other.l_);
    memory_ = std::exchange(other.memory_, {});
    log_determinant_ = other.log_determinant_;
    integers_ = other.integers_;
    return *this;
  }

  /// b = A^-1 b, in place, as LAPACK's potrs; the same bits on every rank, or ByRows each rank's rows.
  ///
  /// Collective over the factor's grid. It begins after what `exec` has been given, and is complete when it returns.
  /// @param exec works in the factor's memory space
  /// @param b a rank-1 View (n) or a rank-2 View (n x nrhs) of T in any layout and memory space, the same on every
  ///   rank, or ByRows of a View of this rank's rows; if `exec` cannot access it, what writes it must be complete
  /// @throws std::invalid_argument on every rank, if b does not have n rows (ByRows: on all ranks together), or the
  ///   ranks disagree on its shape
  /// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
  template <class Exec, class B>
  void solve(const Exec& exec, const B& b) const {
    apply(detail::FactorOperation::solve, exec, b);
  }

  /// b = L^-1 b, in place, as LAPACK's trtrs; half of solve, and in all else like it. It whitens: if the covariance of
  /// b is A, that of L^-1 b is the identity.
  template <class Exec, class B>
  void solve_lower(const Exec& exec, const B& b) const {
    apply(detail::FactorOperation::solve_lower, exec, b);
  }

  /// b = L^-H b, in place, as solve_lower; after that it comes to the bits of solve.
  template <class Exec, class B>
  void solve_upper(const Exec& exec, const B& b) const {
    apply(detail::FactorOperation::solve_upper, exec, b);
  }

  /// b = L b, in place, as BLAS's trmm; arguments and errors are solve's. Of independent standard normal numbers it
  /// makes a sample whose covariance is A.
  template <class Exec, class B>
  void multiply_lower(const Exec& exec, const B& b) const {
    apply(detail::FactorOperation::multiply_lower, exec, b);
  }

  /// b = L^H b, in place, as multiply_lower; b^H A b is the squared norm of the result.
  template <class Exec, class B>
  void multiply_upper(const Exec& exec, const B& b) const {
    apply(detail::FactorOperation::multiply_upper, exec, b);
  }

  /// An estimate of 1 / (||A||_1 ||A^-1||_1), as LAPACK's pocon: but for rounding never too small, and hardly ever more
  /// than three times too large (N. J. Higham, ACM TOMS 14 (1988), algorithm 4.1). It takes 4 to 11 solves of one
  /// column.
  ///
  /// It does not overflow where A or its inverse does, as long as `norm_of_a` belongs to A; where the numbers are not
  /// finite nevertheless, it is 0. Collective over the factor's grid; complete when it returns.
  /// @param exec works in the factor's memory space
  /// @param norm_of_a ||A||_1, which norm_one takes of the matrix before it is factored; the same on every rank
  /// @return the same bits on every rank; 0 if norm_of_a is 0, and 1 if n = 0
  /// @throws std::invalid_argument on every rank, if norm_of_a is negative or NaN, or the ranks disagree
  /// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
  template <class Exec>
  double reciprocal_condition(const Exec& exec, double norm_of_a) const;

  /// Makes it the factor of the matrix with k more rows and columns, in its memory: O(n^2 k), where factoring the
  /// larger matrix would be O(n^3). Of no rows it does nothing.
  ///
  /// Collective over the factor's grid; complete when it returns. If it throws, L is as before, to the last bit;
  /// on a device solves may then differ by rounding.
  /// @param exec works in the factor's memory space
  /// @param rows the new rows of the Hermitian matrix: a View (k x (n + k)) of T in any layout and memory space, the
  ///   same on every rank; if `exec` cannot access it, what writes it must be complete. Of its last k columns the lower
  ///   triangle is read, and the real part of the diagonal.
  /// @throws NotPositiveDefinite on every rank, if a leading minor of the larger matrix is not positive definite
  /// @throws std::invalid_argument on every rank, if `rows` does not have n + k columns, if the ShardedMatrix was made
  ///   with too small a `reserve`, or the ranks disagree
  /// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
  template <class Exec, class Rows>
  void append(const Exec& exec, const Rows& rows);

  /// d = the diagonal of A^-1, without the rest of it: n^3 / 3 flops, as the factorisation, and as much is sent.
  ///
  /// Sums are in double. Collective over the factor's grid; it begins after what `exec` has been given, and is complete
  /// when it returns. A rank takes memory for some hundred columns of A, which memory_plan knows.
  /// @param exec works in the factor's memory space
  /// @param d a rank-1 View of n real numbers, of the real type of T, in any layout and memory space; it comes to the
  ///   same bits on every rank, and from run to run
  /// @throws std::invalid_argument on every rank, if d does not have n numbers or the ranks disagree
  /// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
  template <class Exec, class D>
  void inverse_diagonal(const Exec& exec, const D& d) const;

  /// log det A = 2 sum over k of log L(k, k), the same bits on every rank. Local.
  double log_determinant() const { return log_determinant_; }

  /// `native` or `integer`: what the products of factorize were made of, the same on every rank. Rows that are appended
  /// change nothing of it; a factor that is adopted counts as `native`.
  Arithmetic arithmetic() const { return moduli() > 0 ? Arithmetic::integer : Arithmetic::native; }
  int moduli() const { return integers_.moduli; }                     ///< of `integer`; 0: `native`
  std::int64_t integer_columns() const { return integers_.columns; }  ///< CholeskyInfo::integer_columns

  const ProcessGrid& grid() const { return l_.grid(); }      ///< the process grid
  std::int64_t n() const { return l_.n(); }                  ///< rows and columns of A
  std::int64_t tile_size() const { return l_.tile_size(); }  ///< rows and columns of a tile

  /// L, in the lower triangle; elements above the diagonal are undefined.
  const ShardedMatrix<T, MemorySpace>& matrix() const { return l_; }

 private:
  friend struct detail::FactorAccess<T, MemorySpace>;

  explicit CholeskyFactor(ShardedMatrix<T, MemorySpace>&& a) : l_(std::move(a)) {}

  template <class Exec, class B>
  void apply(detail::FactorOperation operation, const Exec& exec, const B& b) const;

  ShardedMatrix<T, MemorySpace> l_;
  mutable detail::Memory<MemorySpace> memory_;
  double log_determinant_ = 0;
  detail::Integers integers_ = {};
};

namespace detail {

/// The library's access to a factor.
template <class T, class MemorySpace>
struct FactorAccess {
  using Factor = CholeskyFactor<T, MemorySpace>;

  /// A factor around a matrix that is still to be factored.
  static Factor make(ShardedMatrix<T, MemorySpace>&& a) { return Factor(std::move(a)); }
  static ShardedMatrix<T, MemorySpace>& matrix(Factor& factor) { return factor.l_; }
  static void set_log_determinant(Factor& factor, double value) { factor.log_determinant_ = value; }
  static void set_integers(Factor& factor, const Integers& integers) { factor.integers_ = integers; }
  static Memory<MemorySpace>& memory(Factor& factor) { return factor.memory_; }
  /// Gives the factor the memory for its solves, which need little where residues were kept.
  static void keep(Factor& factor, Memory<MemorySpace>&& memory) {
    if (factor.moduli() > 0) memory.workspace = memory.messages = {};
    factor.memory_ = std::move(memory);
  }
};

/// The result of try_factorize. If leading_minor > 0, the factorisation failed there, and the factor is invalid.
template <class T, class MemorySpace>
struct Factored {
  CholeskyFactor<T, MemorySpace> factor;
  std::int64_t leading_minor = 0;
  Integers integers = {};     ///< what was multiplied by integers
  PhaseSeconds seconds = {};  ///< update, panel, exchange and waiting
};

/// Throws Misuse for a negative number.
void require_bytes_free(const std::optional<std::int64_t>& bytes);
/// Checks it and notes it in `agreement`, within agree().
void describe_bytes_free(Agreement& agreement, const std::optional<std::int64_t>& bytes);

/// Collective. factorize, except that it returns a failure instead of throwing, and takes its memory from `memory`.
/// @param beside bytes that this rank has beside the matrix and the factorisation
template <class T, class Exec>
Factored<T, typename Exec::memory_space> try_factorize(const Exec& exec,
                                                       ShardedMatrix<T, typename Exec::memory_space>&& a,
                                                       const FactorizeOptions& options,
                                                       Memory<typename Exec::memory_space>& memory,
                                                       const Schedule& schedule = {}, std::int64_t beside = 0);

/// Collective. Makes what a factor has beside L, of which it returns the log-determinant. Throws Misuse, the same on
/// every rank, unless the diagonal is that of a factor.
template <class T, class Exec>
double complete_factor(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& l,
                       Memory<typename Exec::memory_space>& memory);

/// Memory for rows x nrhs numbers, with a leading dimension that is fast in products; std::bad_alloc where no memory
/// could have them.
template <class T, class MemorySpace>
MatrixView<T, MemorySpace> right_hand_sides(Memory<MemorySpace>& memory, std::int64_t rows, std::int64_t nrhs);

/// Collective. Does `operation` to `b`, which has all rows, or those of `shards`; then each rank calls `deliver`, which
/// takes b from there.
template <class T, class Exec>
void apply(const Exec& exec, FactorOperation operation, const CholeskyFactor<T, typename Exec::memory_space>& factor,
           const MatrixView<T, typename Exec::memory_space>& b, Memory<typename Exec::memory_space>& memory,
           const std::function<void()>& deliver, const Schedule& schedule = {}, const RowShards& shards = {});

/// Collective. CholeskyFactor::reciprocal_condition, in the memory of `memory`.
template <class T, class Exec>
double reciprocal_condition(const Exec& exec, const CholeskyFactor<T, typename Exec::memory_space>& factor,
                            double norm_of_a, Memory<typename Exec::memory_space>& memory);

/// gather_from of one memory space.
template <class T, class Exec>
using GatherFrom = void (*)(const Exec& exec, const Strided<const T>& from, const Strided<T>& to);

/// Collective. CholeskyFactor::append of rows that `gather` reads, for which there is memory.
template <class T, class Exec>
void append(const Exec& exec, CholeskyFactor<T, typename Exec::memory_space>& factor, const Strided<const T>& rows,
            const GatherFrom<T, Exec>& gather, Memory<typename Exec::memory_space>& memory);

/// Collective. The diagonal of A^-1, in the memory of `exec`; then each rank calls `deliver`, which takes it from
/// there.
template <class T, class Exec>
void inverse_diagonal(const Exec& exec, const CholeskyFactor<T, typename Exec::memory_space>& factor,
                      Memory<typename Exec::memory_space>& memory, const std::function<void(const RealOf<T>*)>& deliver,
                      const Schedule& schedule = {});

}  // namespace detail

/// A = L L^H by a left-looking tiled Cholesky factorisation, as LAPACK's potrf; n^3 / 3 real flops over all ranks
/// (complex: 4 n^3 / 3).
///
/// Collective over the grid of `a`; complete when it returns. Only the lower triangle is read, and the real part of the
/// diagonal.
/// @param exec runs the kernels, in the memory space of `a`
/// @param a the factor takes over its memory; `a` is a 0 x 0 matrix afterwards, also if the factorisation throws
/// @param progress may be empty, or passed on some ranks only; it is called on this thread, after each step, with
///   `done` increasing up to `all`. What it throws is thrown on every rank in the end (see errors.hpp), and it is
///   not called again.
/// @throws NotPositiveDefinite on every rank, if a leading minor is not positive definite
/// @throws std::invalid_argument on every rank, if the ranks disagree; `a` is then unchanged
/// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
template <Scalar T, class Exec>
CholeskyFactor<T, typename Exec::memory_space> factorize(const Exec& exec,
                                                         ShardedMatrix<T, typename Exec::memory_space>&& a,
                                                         const Progress& progress = {}) {
  return factorize(exec, std::move(a), FactorizeOptions{.progress = detail::by_reference(progress)});
}

/// The same with other options than `progress`.
/// @throws std::invalid_argument on every rank, also if an option is invalid or the ranks disagree; `a` is then
///   unchanged
/// @throws NotPositiveDefinite, std::bad_alloc and std::runtime_error as above
template <Scalar T, class Exec, std::same_as<FactorizeOptions> Options>
CholeskyFactor<T, typename Exec::memory_space> factorize(const Exec& exec,
                                                         ShardedMatrix<T, typename Exec::memory_space>&& a,
                                                         const Options& options) {
  detail::require_backend<Exec>();
  detail::agree(a.grid().communicator(), "factorize", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    agreement.same("scalar", detail::scalar_name<T>());
    agreement.same("memory space of exec", std::string(Exec::memory_space::name()));
    agreement.same("n", std::to_string(a.n()) + " rows");
    agreement.same("tile", a.tile_size());
    agreement.same("slab", a.slab());
    detail::require_arithmetic(options.arithmetic, options.moduli);
    detail::describe_bytes_free(agreement, options.bytes_free);
    agreement.same("arithmetic", static_cast<int>(options.arithmetic));
    agreement.same("moduli", options.moduli);
  });
  detail::Memory<typename Exec::memory_space> memory;
  auto factored = detail::try_factorize<T>(exec, std::move(a), options, memory);
  if (factored.leading_minor > 0) throw NotPositiveDefinite(factored.leading_minor);
  detail::FactorAccess<T, typename Exec::memory_space>::keep(factored.factor, std::move(memory));
  return std::move(factored.factor);
}

/// @}
}  // namespace tessera

#include <tessera/detail/cholesky_factor_calls.hpp>
