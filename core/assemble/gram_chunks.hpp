// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/tuning.hpp"
#include "tessera/detail/arithmetic.hpp"
#include "tessera/gram.hpp"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace tessera::detail {

/// How a Jacobian is cut into chunks. A = X X^H, where X has a row for each row of A and a column for each term
/// x_k x_k^H of the sum: X = J, whose terms are the parameters, or X = J^H, whose terms are the samples.
class GramChunks {
 public:
  /// What one rank contributes to a chunk.
  struct Piece {
    std::int64_t begin = 0;  ///< of its own terms, as it counts them
    std::int64_t end = 0;
    std::int64_t offset = 0;  ///< of its first one among the chunk's
    std::int64_t terms = 0;   ///< with the one that moves the mean

    std::int64_t own_terms() const { return end - begin; }
  };

  /// `first_sample`: where the samples of each rank begin, and where the last one's end.
  GramChunks(const GramOptions& options, std::int64_t parameters, std::vector<std::int64_t> first_sample,
             std::int64_t wished_terms)
      : sharded_rows_(options.form == GramForm::j_jh),
        term_means_(sharded_rows_ ? options.subtract_column_means : options.subtract_row_means),
        row_means_(sharded_rows_ ? options.subtract_row_means : options.subtract_column_means),
        parameters_(parameters),
        first_sample_(std::move(first_sample)),
        cuts_((all_terms() + wished_terms - 1) / wished_terms) {}

  bool sharded_rows() const { return sharded_rows_; }  ///< a rank has some rows of X, not some columns
  bool term_means() const { return term_means_; }      ///< from each column of X its mean is subtracted
  bool row_means() const { return row_means_; }        ///< from each row of X
  bool has_means() const { return term_means_ || row_means_; }
  std::int64_t rows() const { return sharded_rows_ ? samples() : parameters_; }
  std::int64_t all_terms() const { return sharded_rows_ ? parameters_ : samples(); }
  std::int64_t samples() const { return first_sample_.back(); }
  std::int64_t samples_of(int rank) const { return first_sample(rank + 1) - first_sample(rank); }

  /// Rows of X that a rank has.
  std::int64_t row_begin(int rank) const { return sharded_rows_ ? first_sample(rank) : 0; }
  std::int64_t row_end(int rank) const { return sharded_rows_ ? first_sample(rank + 1) : parameters_; }
  std::int64_t rows_of(int rank) const { return row_end(rank) - row_begin(rank); }

  std::int64_t count() const { return cuts_ + (merges() ? 1 : 0); }
  /// The last chunk has the distance of each rank's mean from that of all, where a rank knows only its own.
  bool is_merge(std::int64_t chunk) const { return chunk == cuts_; }

  /// Of each rank.
  std::vector<Piece> pieces(std::int64_t chunk) const {
    std::vector<Piece> result;
    std::int64_t offset = 0;
    for (int rank = 0; rank < ranks(); ++rank) {
      Piece piece{0, 0, offset};
      if (is_merge(chunk)) {
        piece.terms = samples_of(rank) > 0 ? 1 : 0;
      } else {
        std::tie(piece.begin, piece.end) = sharded_rows_ ? cut(parameters_, chunk) : cut(samples_of(rank), chunk);
        const bool moves_mean = row_means_ && piece.begin > 0 && piece.own_terms() > 0;
        piece.terms = piece.own_terms() + (moves_mean ? 1 : 0);
      }
      if (!sharded_rows_) offset += piece.terms;
      result.push_back(piece);
    }
    return result;
  }
  /// Columns of X in a chunk.
  std::int64_t terms(std::int64_t chunk) const {
    const Piece last = pieces(chunk).back();
    return last.offset + last.terms;
  }

  /// body(piece, first) for the columns of X in a chunk, piece by piece: the number of its first one among all terms;
  /// one that moves a mean has that of the term after the piece.
  template <class Body>
  void for_each_numbered(std::int64_t chunk, const Body& body) const {
    int rank = 0;
    for (const Piece& piece : pieces(chunk)) {
      body(piece, sharded_rows_ ? piece.begin : first_sample(rank++) + piece.begin);
      if (sharded_rows_) return;  // all ranks have the same terms
    }
  }

  /// No chunk has more of them,
  std::int64_t most_terms() const {
    if (sharded_rows_) return most_terms_of(0);
    std::int64_t sum = 0;
    for (int rank = 0; rank < ranks(); ++rank) sum += most_terms_of(rank);
    return sum;
  }
  /// nor more of one rank, with the one that moves the mean or without.
  std::int64_t most_terms_of(int rank) const {
    const std::int64_t own = most_own_terms_of(rank);
    return own + (row_means_ && own > 0 ? 1 : 0);
  }
  std::int64_t most_own_terms_of(int rank) const {
    return cuts_ == 0 ? 0 : ((sharded_rows_ ? parameters_ : samples_of(rank)) + cuts_ - 1) / cuts_;
  }
  /// Numbers that are summed over the ranks at a time: no more than this.
  std::int64_t most_sums() const {
    if (ranks() == 1) return 0;
    return std::max(sharded_rows_ && term_means_ ? most_own_terms_of(0) : 0, merges() ? rows() : 0);
  }

 private:
  bool merges() const {
    if (!row_means_ || sharded_rows_) return false;
    int with_samples = 0;
    for (int rank = 0; rank < ranks(); ++rank) with_samples += samples_of(rank) > 0 ? 1 : 0;
    return with_samples > 1;
  }
  int ranks() const { return static_cast<int>(first_sample_.size()) - 1; }
  std::int64_t first_sample(int rank) const { return first_sample_[static_cast<std::size_t>(rank)]; }
  /// Cut `chunk` of a rank's terms, as even as they go.
  std::pair<std::int64_t, std::int64_t> cut(std::int64_t own, std::int64_t chunk) const {
    const auto begin = [&](std::int64_t c) { return own / cuts_ * c + std::min(own % cuts_, c); };
    return {begin(chunk), begin(chunk + 1)};
  }

  bool sharded_rows_;
  bool term_means_;
  bool row_means_;
  std::int64_t parameters_;
  std::vector<std::int64_t> first_sample_;
  std::int64_t cuts_;
};

/// Whether BLAS takes J's windows where they are: one rank has all of it, nothing is subtracted, and it is not the
/// conjugate that BLAS would need.
template <class T>
bool is_multiplied_in_place(const GramOptions& options, int ranks, Order order) {
  if (ranks > 1 || options.subtract_column_means || options.subtract_row_means) return false;
  return order == Order::column_major || (order == Order::row_major && std::is_same_v<T, RealOf<T>>);
}

/// With fewer terms a Gram matrix in double precision takes one modulus more: the rounding of X errs as much, native
/// sums less. Measured with rows of many kinds, of which complex ones need the most terms; real ones need 8192.
inline constexpr std::int64_t fewest_terms_of_13_moduli = 32768;

/// The moduli of a Gram matrix's products; 0: they are native.
template <class T, class Exec>
int gram_moduli(const GramOptions& options, std::int64_t n, std::int64_t terms) {
  Arithmetic arithmetic = options.arithmetic.value_or(Arithmetic::native);
  if (arithmetic == Arithmetic::fastest) {
    const bool gains = Tuning<typename Exec::memory_space>::template gram_gains_by_integers<T>(n, terms);
    arithmetic = gains ? Arithmetic::integer : Arithmetic::native;
  }
  const bool is_default = arithmetic == Arithmetic::integer && options.moduli == 0;
  if (is_default && std::is_same_v<RealOf<T>, double> && terms < fewest_terms_of_13_moduli) return 14;
  return moduli_for<T, Exec>(arithmetic, options.moduli, terms, 1);
}

/// Terms that are multiplied together: of a View that is multiplied where it is, all that BLAS can count. `moduli`: of
/// integer products.
template <class MemorySpace>
std::int64_t terms_per_chunk(std::int64_t n, bool buffered, bool in_place, int moduli = 0) {
  if (moduli > 0) return Tuning<MemorySpace>::integer_gram_depth(n);
  return in_place && !buffered ? std::int64_t{1} << 30 : Tuning<MemorySpace>::gram_depth(n);
}

}  // namespace tessera::detail
