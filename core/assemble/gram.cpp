#include "tessera/gram.hpp"

#include "core/assemble/gram_kernels.hpp"
#include "core/assemble/gram_means.hpp"
#include "core/assemble/gram_memory.hpp"
#include "core/assemble/gram_product.hpp"
#include "core/exchange/transfers.hpp"
#include "core/timed.hpp"
#include "core/tuning.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/queue.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace tessera::detail {
namespace {

/// A += alpha X X^H, a chunk of X's columns after the other: while one is multiplied, the next one is on its way.
template <class T, class Exec>
class GramAssembly {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;
  using View = MatrixView<T, MemorySpace>;
  using Piece = GramChunks::Piece;

  GramAssembly(const Exec& exec, const BlockSource<T>& source, GramChunks chunks, const GramOptions& options,
               bool in_place, Matrix& matrix, Memory<MemorySpace>& memory)
      : source_(source),
        chunks_(std::move(chunks)),
        in_place_(in_place),
        matrix_(matrix),
        grid_(matrix.grid()),
        transfers_(grid_, memory),
        buffers_(take<GramBuffers<T, Exec>>(memory, matrix.layout(), chunks_, grid_.rank(), source.buffered, in_place)),
        queue_(exec, buffers_.blas, memory.blas_handles.updates),
        means_(exec, chunks_, grid_.communicator(), buffers_),
        product_(queue_, static_cast<RealOf<T>>(options.alpha), matrix, transfers_) {}

  void run() {
    in_place_ ? add_windows() : add_chunks();
    exec().fence();
    callback_failure_.settle(grid_.communicator());
  }

 private:
  /// Of a J that BLAS takes as it is.
  void add_windows() {
    const bool column_major = source_.order == Order::column_major;
    const int inside = column_major ? 0 : 1;
    for (std::int64_t chunk = 0; chunk < chunks_.count(); ++chunk) {
      const Strided<const T> window = ask(chunks_.pieces(chunk).front());
      if (window.size() == 0) continue;
      const auto j = make_matrix_view<MemorySpace>(window.data, window.extent[inside], window.extent[1 - inside],
                                                   window.stride[1 - inside]);
      product_.add({j, j, chunks_.sharded_rows() != column_major});
    }
  }

  void add_chunks() {
    const std::int64_t ahead = grid_.size() > 1 ? 1 : 0;
    std::vector<Piece> pieces;
    std::vector<Piece> next;
    for (std::int64_t chunk = 0; chunk < chunks_.count() + ahead; ++chunk) {
      transfers_.wait();
      if (chunk < chunks_.count()) {
        next = chunks_.pieces(chunk);
        bring(chunk, next);
      }
      if (ahead == 0) pieces = next;
      if (chunk >= ahead) multiply(chunk - ahead, chunks_.lines(pieces));
      pieces = next;
    }
  }

  const Exec& exec() const { return queue_.exec(); }
  const typename GramBuffers<T, Exec>::Panels& panels(std::int64_t chunk) const {
    return buffers_.panels[grid_.size() > 1 ? chunk % 2 : 0];
  }
  PanelsOf panels_of(int rank) const { return {grid_.rows(), grid_.cols(), rank / grid_.cols(), rank % grid_.cols()}; }

  /// The rows of one rank's piece of a chunk that belong to an axis, where they are in a panel, without a gap.
  struct Segment {
    LocalIndex first;
    std::int64_t rows;
    std::int64_t lines;
    std::int64_t offset;

    std::int64_t size() const { return rows * lines; }
  };

  Segment segment(const BlockCyclic& axis, int rank, const Piece& piece) const {
    const LocalIndex first = axis.local_lower_bound(GlobalIndex{chunks_.row_begin(rank)});
    const LocalIndex last = axis.local_lower_bound(GlobalIndex{chunks_.row_end(rank)});
    const std::int64_t offset = chunks_.sharded_rows() ? first.value * piece.lines : piece.at * axis.local_extent();
    return {first, last - first, piece.lines, offset};
  }

  /// A panel, or a part of it, as a matrix: the lines of a row side by side where ranks have rows of X, else the rows
  /// of a line, so that what one rank has is in one place.
  View as_matrix(T* data, std::int64_t rows, std::int64_t lines) const {
    return chunks_.sharded_rows() ? make_matrix_view<MemorySpace>(data, lines, rows, std::max<std::int64_t>(1, lines))
                                  : make_matrix_view<MemorySpace>(data, rows, lines, std::max<std::int64_t>(1, rows));
  }

  /// Sends this rank's piece of a chunk to those whose tiles need it, writes it into its own panels, and has the other
  /// pieces sent there.
  void bring(std::int64_t chunk, const std::vector<Piece>& pieces) {
    const int me = grid_.rank();
    const auto& own = panels(chunk);
    const PanelsOf mine = panels_of(me);
    for (int step = 1; step < grid_.size(); ++step) {
      const int from = (me + step) % grid_.size();
      const Piece& piece = pieces[static_cast<std::size_t>(from)];
      if (mine.gets_rows()) receive(own.rows, segment(matrix_.rows(), from, piece), from, 0);
      if (mine.gets_columns()) receive(own.columns, segment(matrix_.columns(), from, piece), from, 1);
    }

    const Piece& piece = pieces[static_cast<std::size_t>(me)];
    const Strided<const T> window = ask(piece);
    const Centring<T> centring = means_.of(window, chunk, piece);
    T* room = buffers_.outgoing;
    std::vector<T*> rows_packed(static_cast<std::size_t>(grid_.rows()));
    std::vector<T*> columns_packed(static_cast<std::size_t>(grid_.cols()));
    // Square grids have the same rows of X for a process row as for a process column.
    std::vector<T*>& packed = grid_.rows() == grid_.cols() ? columns_packed : rows_packed;
    const auto send = [&](const BlockCyclic& axis, T*& there, int to, int slot) {
      const Segment part = segment(axis, me, piece);
      if (part.size() == 0) return;
      if (there == nullptr) {
        there = std::exchange(room, room + part.size());
        write(window, centring, axis, part, there);
      }
      transfers_.send(exec(), static_cast<const T*>(there), part.size(), to, {Tag::gram, slot});
    };
    for (int step = 1; step < grid_.size(); ++step) {
      const int to = (me + grid_.size() - step) % grid_.size();
      const int row = to / grid_.cols();
      const int col = to % grid_.cols();
      const PanelsOf theirs = panels_of(to);
      if (theirs.gets_rows()) send(matrix_.rows().seen_from(row), packed[static_cast<std::size_t>(row)], to, 0);
      if (theirs.gets_columns())
        send(matrix_.columns().seen_from(col), columns_packed[static_cast<std::size_t>(col)], to, 1);
    }

    const auto keep = [&](const BlockCyclic& axis, T* panel) {
      const Segment part = segment(axis, me, piece);
      if (part.size() > 0) write(window, centring, axis, part, panel + part.offset);
    };
    if (mine.gets_rows()) keep(matrix_.rows(), own.rows);
    if (mine.gets_columns()) keep(matrix_.columns(), own.columns);
  }

  void receive(T* panel, const Segment& part, int from, int slot) {
    if (part.size() > 0) transfers_.receive(exec(), panel + part.offset, part.size(), from, {Tag::gram, slot});
  }

  /// This rank's part of J in a chunk.
  Strided<const T> ask(const Piece& piece) {
    const Window window = chunks_.sharded_rows() ? Window{0, source_.rows, piece.begin, piece.end}
                                                 : Window{piece.begin, piece.end, 0, chunks_.rows()};
    return source_.ask(buffers_.window, window, callback_failure_);
  }

  /// This rank's piece, as far as it belongs to an axis.
  void write(const Strided<const T>& window, const Centring<T>& centring, const BlockCyclic& axis, const Segment& part,
             T* to) {
    if (callback_failure_.kept()) return;
    const int row = chunks_.sharded_rows() ? 0 : 1;
    const BlockCyclic all{axis.n, axis.tile};
    const RowsOfX<T> from{window.data, all, chunks_.row_begin(grid_.rank()), window.stride[row],
                          window.stride[1 - row]};
    const View panel = as_matrix(to, part.rows, part.lines);
    const auto write_as = [&]<class Element>(const Element& element) {
      write_panel<T>(
          "tessera::gram::write", exec(),
          WritePanel<T, MemorySpace, Element>{from, element, axis, part.first, chunks_.sharded_rows(), panel});
    };
    if (chunks_.line_means() || chunks_.row_means()) {
      write_as(centring);
    } else {
      write_as(Conjugated<T>{});
    }
  }

  /// What one panel has of the other one.
  void pick(const T* panel, const BlockCyclic& axis, T* to, const BlockCyclic& to_axis, std::int64_t lines) {
    const bool lines_inside = chunks_.sharded_rows();
    const RowsOfX<T> from{panel, axis, 0, lines_inside ? lines : 1, lines_inside ? 1 : axis.local_extent()};
    write_panel<T>("tessera::gram::pick", exec(),
                   WritePanel<T, MemorySpace, AsItIs<T>>{
                       from, {}, to_axis, LocalIndex{0}, lines_inside, as_matrix(to, to_axis.local_extent(), lines)});
  }

  void multiply(std::int64_t chunk, std::int64_t lines) {
    if (lines == 0) return;
    const BlockCyclic& rows = matrix_.rows();
    const BlockCyclic& columns = matrix_.columns();
    const auto& own = panels(chunk);
    const PanelsOf mine = panels_of(grid_.rank());
    if (!mine.gets_rows() && !mine.are_one()) pick(own.columns, columns, own.rows, rows, lines);
    if (!mine.gets_columns()) pick(own.rows, rows, own.columns, columns, lines);
    product_.add({as_matrix(own.rows, rows.local_extent(), lines),
                  as_matrix(own.columns, columns.local_extent(), lines), chunks_.sharded_rows()});
  }

  const BlockSource<T>& source_;
  GramChunks chunks_;
  bool in_place_;
  Matrix& matrix_;
  const ProcessGrid& grid_;
  Transfers<Exec> transfers_;
  GramBuffers<T, Exec> buffers_;
  kernels::Queue<Exec> queue_;
  GramMeans<T, Exec> means_;
  GramProduct<T, Exec> product_;
  DeferredException callback_failure_;
};

/// Where the samples of each rank begin, and where the last one's end.
std::vector<std::int64_t> first_samples(const std::vector<std::int64_t>& counts) {
  std::vector<std::int64_t> first{0};
  for (const std::int64_t count : counts) first.push_back(first.back() + count);
  return first;
}

/// The number of parameters, on which all ranks that have samples agree.
std::int64_t agreed_parameters(const std::vector<std::int64_t>& samples, const std::vector<std::int64_t>& parameters) {
  std::optional<std::size_t> first;
  for (std::size_t rank = 0; rank < samples.size(); ++rank) {
    if (samples[rank] == 0) continue;
    if (!first) first = rank;
    if (parameters[rank] != parameters[*first]) {
      throw_misuse("jacobian", "has " + std::to_string(parameters[*first]) + " columns on rank " +
                                   std::to_string(*first) + ", but " + std::to_string(parameters[rank]) + " on rank " +
                                   std::to_string(rank));
    }
  }
  return first ? parameters[*first] : 0;
}

}  // namespace

template <class T, class Exec>
void add_gram_blocks(const Exec& exec, const BlockSource<T>& source, const GramOptions& options,
                     ShardedMatrix<T, typename Exec::memory_space>& matrix,
                     Memory<typename Exec::memory_space>& memory) {
  const Region region("tessera::gram");
  const Communicator& communicator = matrix.grid().communicator();
  const auto samples = communicator.all_gather(source.rows);
  const std::int64_t parameters = agreed_parameters(samples, communicator.all_gather(source.columns));
  const std::int64_t n = matrix.n();
  const bool in_place = is_multiplied_in_place<T>(options, communicator.size(), source.order);
  GramChunks chunks(options, options.form == GramForm::jh_j ? n : parameters, first_samples(samples),
                    gram_lines<typename Exec::memory_space>(n, source.buffered, in_place));
  if (chunks.rows() != n) {
    throw_misuse("jacobian",
                 "the ranks hold " + std::to_string(chunks.rows()) + " rows in all, but n is " + std::to_string(n));
  }
  std::optional<GramAssembly<T, Exec>> assembly;
  collectively(communicator,
               [&] { assembly.emplace(exec, source, std::move(chunks), options, in_place, matrix, memory); });
  assembly->run();
}

#define TESSERA_INSTANTIATE_GRAM(T, Exec)                                                        \
  template void add_gram_blocks<T, Exec>(const Exec&, const BlockSource<T>&, const GramOptions&, \
                                         ShardedMatrix<T, typename Exec::memory_space>&,         \
                                         Memory<typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_GRAMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_GRAM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_GRAMS)

}  // namespace tessera::detail
