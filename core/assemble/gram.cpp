// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/gram.hpp"

#include "core/assemble/gram_chunks.hpp"
#include "core/assemble/gram_exchange.hpp"
#include "core/assemble/gram_integers.hpp"
#include "core/assemble/gram_means.hpp"
#include "core/assemble/gram_memory.hpp"
#include "core/assemble/gram_norms.hpp"
#include "core/assemble/gram_product.hpp"
#include "core/bytes_free.hpp"
#include "core/exchange/rank_sum.hpp"
#include "core/exchange/transfers.hpp"
#include "core/matrix/leaves.hpp"
#include "core/timed.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/queue.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tessera::detail {
namespace {

/// A += alpha X X^H, a chunk of X's columns after the other.
template <class T, class Exec>
class GramAssembly {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;
  using Piece = GramChunks::Piece;
  using Contribution = typename GramExchange<T, Exec>::Contribution;

  GramAssembly(const Exec& exec, const BlockSource<T>& source, GramChunks chunks, const GramOptions& options,
               bool in_place, int moduli, Matrix& matrix, Memory<MemorySpace>& memory)
      : source_(source),
        chunks_(std::move(chunks)),
        in_place_(in_place),
        grid_(matrix.grid()),
        transfers_(grid_, memory),
        buffers_(buffers_in<GramBuffers<T, Exec>>(memory, matrix.layout(), chunks_, grid_.rank(), source.buffered,
                                                  in_place, moduli)),
        queue_(exec, buffers_.blas, memory.blas_handles.updates),
        means_(exec, chunks_, grid_, buffers_, transfers_),
        exchange_(exec, chunks_, matrix, buffers_, transfers_),
        product_(queue_, static_cast<RealOf<T>>(options.alpha), matrix, transfers_) {
    if (moduli > 0) {
      integers_.emplace(queue_, *buffers_.residues, static_cast<RealOf<T>>(options.alpha), matrix, transfers_);
    }
  }

  /// With rows that integers do not represent, as they are not finite, all is native.
  void run() {
    if (integers_) {
      sum_squares();
      if (!integers_->make_scales()) integers_.reset();
    }
    means_.begin();
    in_place_ ? multiply_in_place() : add_chunks();
    if (integers_) integers_->finish();
    queue_.exec().fence();
  }

  bool is_native() const { return !integers_; }  ///< whether it was, after run()

 private:
  /// Of the rows of X, as they are multiplied.
  void sum_squares() {
    auto* const sums = reinterpret_cast<double*>(buffers_.residues->squares);
    const std::int64_t count = chunks_.rows() * kernels::SquareSum::parts;
    fill("tessera::gram::no_squares", queue_.exec(), sums, count, 0.0);
    means_.begin();
    for (std::int64_t chunk = 0; chunk < chunks_.count(); ++chunk) {
      const Piece piece = chunks_.pieces(chunk)[static_cast<std::size_t>(grid_.rank())];
      const Strided<const T> window = ask(piece);
      add_squares({piece, window, means_.of(window, chunk, piece)});
    }
    if (grid_.size() > 1) sum_over_ranks(queue_.exec(), grid_, transfers_, sums, count, buffers_.sums);
  }

  void add_squares(const Contribution& mine) {
    const int row = chunks_.sharded_rows() ? 0 : 1;
    const Strided<const T>& j = mine.window;
    const auto add = [&]<class Element>(const Element& element) {
      AddSquares<T, Exec, Element>{j.data,
                                   j.stride[row],
                                   j.stride[1 - row],
                                   chunks_.rows_of(grid_.rank()),
                                   mine.piece.terms,
                                   element,
                                   buffers_.residues->squares + chunks_.row_begin(grid_.rank())}
          .run(queue_.exec());
    };
    chunks_.has_means() ? add(mine.centring) : add(Conjugated<T>{});
  }

  /// A J that BLAS takes as it is.
  void multiply_in_place() {
    const bool column_major = source_.order == Order::column_major;
    const int inside = column_major ? 0 : 1;
    for (std::int64_t chunk = 0; chunk < chunks_.count(); ++chunk) {
      const Strided<const T> window = ask(chunks_.pieces(chunk).front());
      if (window.size() == 0) continue;
      const auto j = make_matrix_view<MemorySpace>(window.data, window.extent[inside], window.extent[1 - inside],
                                                   window.stride[1 - inside]);
      add({j, j, chunks_.sharded_rows() != column_major}, chunk);
    }
  }

  /// While a chunk is multiplied, the next one is on its way.
  void add_chunks() {
    const std::int64_t ahead = grid_.size() > 1 ? 1 : 0;
    for (std::int64_t chunk = 0; chunk < chunks_.count() + ahead; ++chunk) {
      transfers_.wait();
      if (chunk < chunks_.count()) bring(chunk);
      if (chunk >= ahead) multiply(chunk - ahead);
    }
  }

  void bring(std::int64_t chunk) {
    const std::vector<Piece> pieces = chunks_.pieces(chunk);
    const Piece& piece = pieces[static_cast<std::size_t>(grid_.rank())];
    exchange_.receive(chunk, pieces);
    const Strided<const T> window = ask(piece);
    const Contribution mine{piece, window, means_.of(window, chunk, piece)};
    exchange_.send(mine);
    exchange_.keep(chunk, mine);
  }

  void multiply(std::int64_t chunk) {
    const std::int64_t terms = chunks_.terms(chunk);
    if (terms > 0) add(exchange_.strips(chunk, terms), chunk);
  }

  void add(const typename GramProduct<T, Exec>::Operands& x, std::int64_t chunk) {
    integers_ ? integers_->add(x, chunks_, chunk) : product_.add(x);
  }

  /// This rank's part of J in a chunk.
  Strided<const T> ask(const Piece& piece) {
    const Window window = chunks_.sharded_rows() ? Window{0, source_.rows, piece.begin, piece.end}
                                                 : Window{piece.begin, piece.end, 0, chunks_.rows()};
    return source_.ask(buffers_.window, window);
  }

  const BlockSource<T>& source_;
  GramChunks chunks_;
  bool in_place_;
  const ProcessGrid& grid_;
  Transfers<Exec> transfers_;
  GramBuffers<T, Exec> buffers_;
  kernels::Queue<Exec> queue_;
  GramMeans<T, Exec> means_;
  GramExchange<T, Exec> exchange_;
  GramProduct<T, Exec> product_;
  std::optional<GramIntegers<T, Exec>> integers_;
};

/// What each rank has of J.
struct Jacobians {
  std::vector<std::int64_t> samples;
  std::vector<std::int64_t> parameters;

  /// Where the samples of each rank begin, and where the last one's end.
  std::vector<std::int64_t> first_samples() const {
    std::vector<std::int64_t> first{0};
    for (const std::int64_t count : samples) first.push_back(first.back() + count);
    return first;
  }

  /// Their number, on which all ranks that have samples agree.
  std::int64_t agreed_parameters() const {
    std::optional<std::size_t> first;
    for (std::size_t rank = 0; rank < samples.size(); ++rank) {
      if (samples[rank] == 0) continue;
      if (!first) first = rank;
      if (parameters[rank] != parameters[*first]) {
        throw_misuse("jacobian", "has " + std::to_string(parameters[*first]) + " columns on rank " +
                                     std::to_string(*first) + ", but " + std::to_string(parameters[rank]) +
                                     " on rank " + std::to_string(rank));
      }
    }
    return first ? parameters[*first] : 0;
  }
};

}  // namespace

template <class T, class Exec>
int add_gram_blocks(const Exec& exec, const BlockSource<T>& source, const GramOptions& options,
                    ShardedMatrix<T, typename Exec::memory_space>& matrix, Memory<typename Exec::memory_space>& memory,
                    const std::optional<std::int64_t>& bytes_free, std::int64_t beside) {
  using MemorySpace = typename Exec::memory_space;
  const Region region("tessera::gram");
  const Communicator& communicator = matrix.grid().communicator();
  Jacobians all;
  collectively(communicator, [&] {
    all.samples.resize(static_cast<std::size_t>(communicator.size()));
    all.parameters.resize(static_cast<std::size_t>(communicator.size()));
  });
  communicator.all_gather(source.rows, all.samples.data());
  communicator.all_gather(source.columns, all.parameters.data());
  const std::int64_t n = matrix.n();
  const bool in_place = is_multiplied_in_place<T>(options, communicator.size(), source.order);
  int moduli = 0;
  const auto make_chunks = [&] {
    return GramChunks(options, options.form == GramForm::jh_j ? n : all.agreed_parameters(), all.first_samples(),
                      terms_per_chunk<MemorySpace>(n, source.buffered, in_place, moduli));
  };
  collectively(communicator, [&] { moduli = gram_moduli<T, Exec>(options, n, make_chunks().all_terms()); });
  if (options.arithmetic == Arithmetic::fastest && moduli > 0) {
    const std::int64_t bytes = bytes_free_for(exec, communicator, bytes_free);
    std::int64_t fits = 0;
    collectively(communicator, [&] {
      const std::int64_t buffers = bytes_of<GramBuffers<T, Exec>, MemorySpace>(
          matrix.layout(), make_chunks(), communicator.rank(), source.buffered, in_place, moduli);
      fits = saturated_sum(saturated_sum(bytes_with_inverses(matrix), beside), buffers) <= bytes ? 1 : 0;
    });
    communicator.all_reduce_min(&fits, 1);
    if (fits == 0) moduli = 0;
  }
  std::optional<GramAssembly<T, Exec>> assembly;
  collectively(communicator, [&] {
    GramChunks chunks = make_chunks();
    if (chunks.rows() != n) {
      throw_misuse("jacobian",
                   "the ranks hold " + std::to_string(chunks.rows()) + " rows in all, but n is " + std::to_string(n));
    }
    assembly.emplace(exec, source, std::move(chunks), options, in_place, moduli, matrix, memory);
    assembly->run();
    if (assembly->is_native()) moduli = 0;
  });
  return moduli;
}

#define TESSERA_INSTANTIATE_GRAM(T, Exec)                                                                     \
  template int add_gram_blocks<T, Exec>(                                                                      \
      const Exec&, const BlockSource<T>&, const GramOptions&, ShardedMatrix<T, typename Exec::memory_space>&, \
      Memory<typename Exec::memory_space>&, const std::optional<std::int64_t>&, std::int64_t);
#define TESSERA_INSTANTIATE_GRAMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_GRAM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_GRAMS)

}  // namespace tessera::detail
