// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/matrix_source.hpp>
#include <tessera/redistribute.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace tessera {
/// @addtogroup gram
/// @{

/// Which product of a Jacobian J, whose rows are samples and whose columns are parameters.
enum class GramForm {
  j_jh,  ///< J J^H, samples x samples: a neural tangent kernel
  jh_j   ///< J^H J, parameters x parameters: a quantum geometric tensor
};

/// Options of Gram. All ranks pass the same.
struct GramOptions {
  GramForm form = GramForm::j_jh;      ///< J J^H or J^H J
  double alpha = 1;                    ///< factor of the product; finite
  bool subtract_column_means = false;  ///< centre each parameter's column: subtract its mean over all ranks' samples
  bool subtract_row_means = false;     ///< centre each sample's row: subtract its mean over the parameters
  /// What the products are made of, as for a factorisation: `native`; `integer`, of rows that are scaled for their
  /// norm and rounded, once; or `fastest`, where there is memory for it. With rows that are not finite,
  /// or of norms below about 1e-284, the products are native. Unset: CholeskyOptions::arithmetic counts in
  /// cholesky_distributed, and its moduli unless there are some here; add_gram is native.
  std::optional<Arithmetic> arithmetic = std::nullopt;
  /// Of integer products, from 4 to 15; 0: as many as keep native accuracy, 6 in single precision, in double 13, or 14
  /// of a sum of less than 32768 terms.
  int moduli = 0;
};

/// The matrix alpha J J^H or alpha J^H J of a Jacobian whose samples are distributed over the ranks: an argument of
/// add_gram and, as `a`, of cholesky_distributed.
///
/// The Jacobian is a View or an operator. A rank-2 View holds this rank's samples x parameters in any layout and memory
/// space; rank r's samples follow rank r-1's. Ranks may hold different numbers of samples, or none, for which 0 x 0
/// will do.
///
/// An operator has extent(0) samples on this rank, extent(1) parameters, and
/// to_dense(exec, first_row, first_column, block), which writes the part of this rank's rows that begins there into a
/// Kokkos::View<T**> in the memory of `exec`. For J J^H it is called with all rows and chunks of columns, for J^H J
/// with all columns and chunks of rows, each once and in order; where products are of integers all of them once more
/// before, for the norms of the rows. It must not communicate.
/// @tparam J the View or the operator; Gram<Operator&>{op} refers to an operator instead of copying it
template <class J>
struct Gram {
  J jacobian;                ///< this rank's samples
  GramOptions options = {};  ///< the same on all ranks
};
/// Gram{jacobian, options} copies `jacobian`.
template <class J>
Gram(J, GramOptions = {}) -> Gram<J>;

namespace detail {

template <class A>
inline constexpr bool is_gram = false;
template <class J>
inline constexpr bool is_gram<Gram<J>> = true;

/// An object that writes blocks of J on request.
template <class J, class T, class Exec>
concept BlockOperator = !is_view<J> && requires(J & j, const Exec& exec, std::int64_t i, BlockView<T, Exec> block) {
  j.extent(0);
  j.extent(1);
  j.to_dense(exec, i, i, block);
};

template <class A>
struct IsGram : std::false_type {};
template <class J>
struct IsGram<Gram<J>> : std::true_type {};
template <class A>
concept AnyGram = IsGram<std::remove_cvref_t<A>>::value;

/// The most samples or parameters that are accepted, so that sums stay exact.
inline constexpr std::int64_t most_terms = std::int64_t{1} << 40;

/// The options of a Gram in a call whose own arithmetic and moduli are these.
inline GramOptions in_call(GramOptions options, Arithmetic arithmetic, int moduli) {
  if (!options.arithmetic) {
    options.arithmetic = arithmetic;
    if (options.moduli == 0) options.moduli = moduli;
  }
  return options;
}

/// Throws Misuse for invalid options; `most`: the largest finite number of A's scalar.
void require_gram_options(const GramOptions& options, double most);
/// Throws Misuse if this rank's part of J, `rows x columns`, is no matrix or does not fit an n x n product.
void require_jacobian(GramForm form, std::int64_t rows, std::int64_t columns, std::int64_t n);

/// shift * I
template <class T>
struct Shift {
  RealOf<T> shift;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return T(i == j ? shift : RealOf<T>(0)); }
};

/// Collective. A += alpha J J^H or alpha J^H J, where `source` has this rank's samples of J. The arguments have passed
/// an Agreement; whether the ranks' samples fit together is checked here.
/// @param bytes_free as of CholeskyOptions, for Arithmetic::fastest
/// @param beside bytes that this rank has beside the matrix and the assembly
/// @return CholeskyInfo::gram_moduli
template <class T, class Exec>
int add_gram_blocks(const Exec& exec, const BlockSource<T>& source, const GramOptions& options,
                    ShardedMatrix<T, typename Exec::memory_space>& matrix, Memory<typename Exec::memory_space>& memory,
                    const std::optional<std::int64_t>& bytes_free = std::nullopt, std::int64_t beside = 0);

template <AnyGram A, class T, class Exec>
struct MatrixSource<A, T, Exec> {
  using Matrix = ShardedMatrix<T, typename Exec::memory_space>;
  using J = std::remove_reference_t<decltype((std::declval<A&>().jacobian))>;

  static void describe(Agreement& agreement, A& gram, std::int64_t n) {
    static_assert(is_view<J> || BlockOperator<J, T, Exec>,
                  "jacobian is a rank-2 View, or has extent(r) and to_dense(exec, first_row, first_column, block)");
    if constexpr (is_view<J>) {
      static_assert(J::rank == 2, "jacobian is a rank-2 View of local samples x parameters");
      static_assert(std::is_same_v<typename J::non_const_value_type, T>, "jacobian and A have one scalar type");
    }
    agreement.same("jacobian", std::string(is_view<J> ? "a View of local samples" : "an operator"));
    require_gram_options(gram.options, largest_real<T>);
    require_jacobian(gram.options.form, static_cast<std::int64_t>(gram.jacobian.extent(0)),
                     static_cast<std::int64_t>(gram.jacobian.extent(1)), n);
    agreement.same("form", static_cast<int>(gram.options.form));
    agreement.same("alpha", gram.options.alpha);
    agreement.same("subtract_column_means", static_cast<int>(gram.options.subtract_column_means));
    agreement.same("subtract_row_means", static_cast<int>(gram.options.subtract_row_means));
    agreement.same("arithmetic", gram.options.arithmetic ? static_cast<int>(*gram.options.arithmetic) : -1);
    agreement.same("moduli", gram.options.moduli);
  }

  static std::int64_t bytes_held(const A& gram) { return bytes_held_by<typename Exec::memory_space>(gram.jacobian); }

  /// The triangle does not matter: a Gram is not stored. Returns CholeskyInfo::gram_moduli.
  static int take_in(const Exec& exec, A& gram, Matrix& matrix, double diag_shift, Triangle,
                     Memory<typename Exec::memory_space>& memory, Arithmetic arithmetic, int moduli,
                     const std::optional<std::int64_t>& bytes_free, std::int64_t beside) {
    BlockSource<T> source;
    collectively(matrix.grid().communicator(), [&] {
      matrix.fill(exec, Shift<T>{static_cast<RealOf<T>>(diag_shift)});
      source = source_of(exec, gram.jacobian);
    });
    return add_gram_blocks(exec, source, in_call(gram.options, arithmetic, moduli), matrix, memory, bytes_free, beside);
  }

  /// Collective. Adds the product to what `matrix` holds.
  static void add(const Exec& exec, A& gram, Matrix& matrix, Memory<typename Exec::memory_space>& memory) {
    BlockSource<T> source;
    collectively(matrix.grid().communicator(), [&] { source = source_of(exec, gram.jacobian); });
    add_gram_blocks(exec, source, in_call(gram.options, Arithmetic::native, 0), matrix, memory, std::nullopt,
                    bytes_held(gram));
  }

 private:
  static BlockSource<T> source_of(const Exec& exec, J& jacobian) {
    if constexpr (is_view<J>) {
      return view_source<T>(exec, jacobian);
    } else {
      return written_source<T, Exec>(static_cast<std::int64_t>(jacobian.extent(0)),
                                     static_cast<std::int64_t>(jacobian.extent(1)),
                                     [exec, &jacobian](const Window& w, const auto& block) {
                                       jacobian.to_dense(exec, w.row_begin, w.column_begin, block);
                                     });
    }
  }
};

}  // namespace detail

/// A += alpha J J^H or A += alpha J^H J, on the lower tiles.
///
/// For an n x n product over p terms (J J^H: p parameters; J^H J: p samples) this takes n*n*p real flops; complex
/// 4*n*n*p. J is taken in chunks of its terms. While one chunk is multiplied, each rank receives of the next one what
/// its tiles need: n (1/P + 1/Q) numbers per term on a P x Q grid. On one rank and without means a View is multiplied
/// in place, if BLAS can: if it is column-major, or real and row-major.
///
/// Means are subtracted from J before the product, so nothing cancels in A. If both are, the grand mean is subtracted
/// once. Means over the terms are updated from chunk to chunk, and between ranks (Chan, Golub, LeVeque, Algorithms for
/// computing the sample variance, Am. Stat. 37 (1983), eq. 2.1b).
///
/// Collective over the matrix's grid; complete when it returns. If to_dense throws, every rank throws (see errors.hpp),
/// and the elements of `matrix` are undefined.
/// @param exec runs the kernels, in the memory space of `matrix`
/// @param gram is not changed
/// @param matrix must hold an A to add to; fill it with shift I for a shifted product
/// @throws std::invalid_argument on every rank, for shapes that do not fit, an alpha that is not finite, an arithmetic
///   or moduli that are none, or ranks that disagree
template <class Exec, detail::AnyGram A, Scalar T>
void add_gram(const Exec& exec, A&& gram, ShardedMatrix<T, typename Exec::memory_space>& matrix) {
  detail::require_backend<Exec>();
  using Source = detail::MatrixSource<std::remove_reference_t<A>, T, Exec>;
  detail::agree(matrix.grid().communicator(), "add_gram", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    Source::describe(agreement, gram, matrix.n());
    detail::note_matrix(agreement, matrix);
  });
  detail::Memory<typename Exec::memory_space> memory;
  Source::add(exec, gram, matrix, memory);
}

/// @}
}  // namespace tessera
