#pragma once

#include <tessera/detail/matrix_source.hpp>
#include <tessera/redistribute.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace tessera {

/// Which product of a Jacobian J, whose rows are samples and whose columns are parameters.
enum class GramForm {
  j_jh,  ///< J J^H, samples x samples, as of a neural tangent kernel
  jh_j   ///< J^H J, parameters x parameters, as of a quantum geometric tensor
};

/// What is made of a Jacobian. All ranks pass the same.
struct GramOptions {
  GramForm form = GramForm::j_jh;
  double alpha = 1;                    ///< finite
  bool subtract_column_means = false;  ///< from each parameter's column its mean over the samples of all ranks
  bool subtract_row_means = false;     ///< from each sample's row its mean over the parameters
};

/// The matrix alpha J J^H, or alpha J^H J, of a Jacobian that is sharded by samples: for add_gram, and as the `a` of
/// cholesky_distributed, which then never stores more of J and of A than bounded chunks and the lower tiles.
///
/// `jacobian`: a rank-2 View of local samples x parameters in any layout and memory space, rank r's samples after rank
/// r-1's; ranks may hold different numbers of samples, or none (then 0 x 0 will do). Or an operator with extent(0)
/// local samples, extent(1) parameters, and to_dense(exec, first_row, first_column, block), which writes the part of
/// this rank's rows that begins there; block is a Kokkos::View<T**> in exec's memory. For J J^H it is asked for all of
/// its rows, in chunks of columns, for J^H J for all columns, in chunks of rows, each once and in order; it must not
/// communicate. Gram<Operator&>{op} refers to an operator. With both means subtracted, J is centred twice: its grand
/// mean counts once.
template <class J>
struct Gram {
  J jacobian;
  GramOptions options = {};
};
template <class J>
Gram(J, GramOptions = {}) -> Gram<J>;

namespace detail {

/// An object that writes parts of J when it is asked to.
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

/// Throws Misuse for options that are none, with `most` the largest finite number of A's scalar.
void require_gram_options(const GramOptions& options, double most);
/// Throws Misuse for this rank's part of a J that is none, or does not fit an n x n matrix.
void require_jacobian(GramForm form, std::int64_t rows, std::int64_t columns, std::int64_t n);

/// shift * I
template <class T>
struct Shift {
  RealOf<T> shift;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return T(i == j ? shift : RealOf<T>(0)); }
};

/// Collective. A += alpha J J^H, or alpha J^H J, of which `source` has this rank's samples; what one rank knows by
/// itself has been agreed on.
template <class T, class Exec>
void add_gram_blocks(const Exec& exec, const BlockSource<T>& source, const GramOptions& options,
                     ShardedMatrix<T, typename Exec::memory_space>& matrix,
                     Memory<typename Exec::memory_space>& memory);

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
    agreement.check([&] {
      require_gram_options(gram.options, largest_real<T>);
      require_jacobian(gram.options.form, static_cast<std::int64_t>(gram.jacobian.extent(0)),
                       static_cast<std::int64_t>(gram.jacobian.extent(1)), n);
    });
    agreement.same("form", static_cast<int>(gram.options.form));
    agreement.same("alpha", gram.options.alpha);
    agreement.same("subtract_column_means", static_cast<int>(gram.options.subtract_column_means));
    agreement.same("subtract_row_means", static_cast<int>(gram.options.subtract_row_means));
  }

  /// A Gram has both triangles.
  static void take_in(const Exec& exec, A& gram, Matrix& matrix, double diag_shift, Triangle,
                      Memory<typename Exec::memory_space>& memory) {
    matrix.fill(exec, Shift<T>{static_cast<RealOf<T>>(diag_shift)});
    add(exec, gram, matrix, memory);
  }

  /// Collective. Adds to what `matrix` holds.
  static void add(const Exec& exec, A& gram, Matrix& matrix, Memory<typename Exec::memory_space>& memory) {
    BlockSource<T> source;
    collectively(matrix.grid().communicator(), [&] { source = source_of(exec, gram.jacobian); });
    add_gram_blocks(exec, source, gram.options, matrix, memory);
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

/// A += alpha J J^H, or alpha J^H J, on the lower tiles: n n p real flops for n samples or parameters and p of the
/// others (complex: 4 n n p).
///
/// J is taken in chunks of parameters, or of samples (but a View is multiplied where it is, where BLAS can: on one
/// rank, without means; complex ones with samples side by side, as in LayoutLeft). Of a chunk a rank is sent what its
/// own tiles need, n (1/P + 1/Q) numbers for each parameter, or sample, on a P x Q grid, while the chunk before is
/// multiplied. Means are subtracted from J itself, before it is multiplied: those over all of the chunks by the update
/// of Chan, Golub and LeVeque (1983), as one more column for each chunk (for J^H J of each rank). `matrix` must hold
/// numbers, as of fill: A = shift I beforehand gives the shifted one. J is not changed. Collective over the matrix's
/// grid. Complete when it returns. Throws std::invalid_argument for shapes that do not fit, and what to_dense throws,
/// on every rank; then A is undefined.
template <class Exec, detail::AnyGram A, Scalar T>
void add_gram(const Exec& exec, A&& gram, ShardedMatrix<T, typename Exec::memory_space>& matrix) {
  detail::require_backend<Exec>();
  using Source = detail::MatrixSource<std::remove_reference_t<A>, T, Exec>;
  detail::Agreement agreement("add_gram");
  agreement.check([] { detail::require_kokkos(); });
  Source::describe(agreement, gram, matrix.n());
  agreement.same("scalar", detail::scalar_name<T>());
  agreement.same("n", std::to_string(matrix.n()) + " rows");
  agreement.same("tile", matrix.tile_size());
  agreement.settle(matrix.grid().communicator());
  detail::Memory<typename Exec::memory_space> memory;
  Source::add(exec, gram, matrix, memory);
}

}  // namespace tessera
