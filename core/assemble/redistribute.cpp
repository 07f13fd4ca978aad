#include "tessera/redistribute.hpp"

#include "core/assemble/redistribute_memory.hpp"
#include "core/exchange/transfers.hpp"
#include "core/timed.hpp"
#include "core/tuning.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/queue.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

namespace tessera::detail {
namespace {

/// A rectangle of one rank's local matrix.
struct Rectangle {
  LocalIndex row_begin;
  LocalIndex row_end;
  LocalIndex column_begin;
  LocalIndex column_end;

  std::int64_t rows() const { return row_end - row_begin; }
  std::int64_t columns() const { return column_end - column_begin; }
  std::int64_t size() const { return rows() * columns(); }
};

/// Elements of the lower triangle of A + diag_shift * I, from lines of the caller's A, `first` and those behind it:
/// lower, these are its rows; upper, they are its columns, conjugated.
template <class T>
struct Elements {
  Strided<const T> lines;
  std::int64_t first;
  bool upper;
  RealOf<T> diag_shift;

  KOKKOS_FUNCTION std::int64_t row_stride() const { return lines.stride[upper ? 1 : 0]; }
  KOKKOS_FUNCTION std::int64_t column_stride() const { return lines.stride[upper ? 0 : 1]; }
  KOKKOS_FUNCTION const T* at(std::int64_t i, std::int64_t j) const {
    return lines.data + (i * row_stride() + j * column_stride() - first * lines.stride[0]);
  }
  KOKKOS_FUNCTION T below_diagonal(const T* a) const { return upper ? conj(*a) : *a; }
  /// Above the diagonal it is 0, and nothing is read.
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    if (i < j) return T(0);
    return i == j ? T(real(*at(i, j)) + diag_shift) : below_diagonal(at(i, j));
  }
};

/// Zeros above the diagonal in a rectangle that begins at (row_begin, column_begin).
template <class T, class MemorySpace>
struct ClearAboveDiagonal {
  BlockCyclic rows;
  BlockCyclic columns;
  LocalIndex row_begin;
  LocalIndex column_begin;
  MatrixView<T, MemorySpace> a;

  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    if (rows.to_global(row_begin + row).value < columns.to_global(column_begin + column).value) a(row, column) = T(0);
  }
};

/// Writes the rectangle of a share that begins at (row_begin, column_begin).
template <class T, class MemorySpace>
struct TakeIn {
  Elements<T> from;
  BlockCyclic rows;
  BlockCyclic columns;
  LocalIndex row_begin;
  LocalIndex column_begin;
  MatrixView<T, MemorySpace> to;

  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    to(row, column) = from(rows.to_global(row_begin + row).value, columns.to_global(column_begin + column).value);
  }
};

/// The same for a cache: in blocks, each of which reads along the caller's lines and writes whole cache lines. A tile's
/// indices are consecutive, so that all of it but the diagonal is a strided copy.
template <class T, class MemorySpace>
struct TakeInBlocks {
  /// Elements of a cache line; with smaller tiles there is nothing to gain.
  static constexpr std::int64_t line = 64 / std::int64_t{sizeof(T)};

  TakeIn<T, MemorySpace> whole;
  std::int64_t rows = static_cast<std::int64_t>(whole.to.extent(0));
  std::int64_t columns = static_cast<std::int64_t>(whole.to.extent(1));
  bool down = whole.from.row_stride() < whole.from.column_stride();  ///< lines of A lie along columns
  std::int64_t height = down ? 64 : line;
  std::int64_t width = 1024 / height;
  std::int64_t blocks_down = (rows + height - 1) / height;
  std::int64_t blocks = blocks_down * ((columns + width - 1) / width);

  KOKKOS_FUNCTION void operator()(std::int64_t block) const {
    const std::int64_t row_begin = block % blocks_down * height;
    const std::int64_t row_end = smaller(row_begin + height, rows);
    const std::int64_t column_begin = block / blocks_down * width;
    const std::int64_t column_end = smaller(column_begin + width, columns);
    for (std::int64_t column = column_begin; column < column_end;) {
      const Range j = range(whole.columns, whole.column_begin + column, column_end - column);
      for (std::int64_t row = row_begin; row < row_end;) {
        const Range i = range(whole.rows, whole.row_begin + row, row_end - row);
        take_in(i, j, &whole.to(row, column));
        row += i.size;
      }
      column += j.size;
    }
  }

 private:
  struct Range {
    std::int64_t begin;
    std::int64_t size;
  };

  KOKKOS_FUNCTION static std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

  /// The global indices from that of `begin` on, in its tile, `most` at most.
  KOKKOS_FUNCTION static Range range(const BlockCyclic& axis, LocalIndex begin, std::int64_t most) {
    return {axis.to_global(begin).value, smaller(axis.tile - begin.value % axis.tile, most)};
  }

  KOKKOS_FUNCTION void take_in(const Range& i, const Range& j, T* to) const {
    const Elements<T>& from = whole.from;
    const auto leading_dimension = static_cast<std::int64_t>(whole.to.stride(1));
    const std::int64_t stride = from.row_stride();
    const bool below_diagonal = i.begin >= j.begin + j.size;
    for (std::int64_t c = 0; c < j.size; ++c, to += leading_dimension) {
      if (below_diagonal) {
        const T* a = from.at(i.begin, j.begin + c);
        for (std::int64_t r = 0; r < i.size; ++r) to[r] = from.below_diagonal(a + r * stride);
      } else {
        for (std::int64_t r = 0; r < i.size; ++r) to[r] = from(i.begin + r, j.begin + c);
      }
    }
  }
};

template <class T, class Exec>
class Redistribution {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;

  Redistribution(const Exec& exec, const BlockSource<T>& source, Matrix& matrix, double diag_shift, Triangle triangle,
                 Memory<MemorySpace>& memory)
      : exec_(exec),
        transfers_(matrix.grid(), memory),
        source_(source),
        memory_(memory),
        matrix_(matrix),
        grid_(matrix.grid()),
        diag_shift_(diag_shift),
        upper_(triangle == Triangle::upper),
        chunk_(source.buffered || grid_.size() > 1 ? rows_per_chunk<T, MemorySpace>(matrix.n())
                                                   : std::max<std::int64_t>(1, matrix.n())) {}

  void run() {
    const Communicator& communicator = grid_.communicator();
    first_line_ = line_begins(communicator.all_gather(source_.rows));
    collectively(communicator, [&] { allocate(); });
    if (grid_.size() > 1) clear_above_diagonal();  // a rank that has all of A writes zeros there as it takes it in
    std::int64_t most = 0;
    for (int r = 0; r < grid_.size(); ++r) most = std::max(most, line_begin(r + 1) - line_begin(r));
    for (std::int64_t done = 0; done < most; done += chunk_) exchange_chunk(done);
    exec_.fence();
    callback_failure_.settle(communicator);
  }

 private:
  std::int64_t line_begin(int rank) const { return first_line_[static_cast<std::size_t>(rank)]; }

  std::vector<std::int64_t> line_begins(const std::vector<std::int64_t>& counts) const {
    std::vector<std::int64_t> begins(counts.size() + 1);
    std::partial_sum(counts.begin(), counts.end(), begins.begin() + 1);
    if (begins.back() != matrix_.n()) {
      throw_misuse("a", "the ranks hold " + std::to_string(begins.back()) + " rows in all, but n is " +
                            std::to_string(matrix_.n()));
    }
    return begins;
  }

  void allocate() {
    buffers_ = take<RedistributeBuffers<T, MemorySpace>>(memory_, matrix_.layout(), upper_,
                                                         source_.buffered ? source_.rows : 0);
  }

  /// What a slab stores above its diagonal takes part in updates, though nothing comes of it: it must be finite.
  void clear_above_diagonal() {
    const SlabLayout& layout = matrix_.layout();
    const LocalIndex all_columns{layout.columns.local_extent()};
    layout.for_each_slab(LocalIndex{0}, all_columns, [&](LocalIndex from, LocalIndex to) {
      const LocalIndex top = layout.row_begin(layout.slab_of(from));
      const LocalIndex bottom =
          to < all_columns ? layout.row_begin(layout.slab_of(to)) : LocalIndex{layout.rows.local_extent()};
      const auto above = matrix_.view(top, bottom, from, to);
      kernels::for_each<T>("tessera::redistribute::clear", exec_, above,
                           ClearAboveDiagonal<T, MemorySpace>{layout.rows, layout.columns, top, from, above});
    });
  }

  /// Each rank's lines from `done` on, at most one chunk of them: to one rank and from one rank at a time.
  void exchange_chunk(std::int64_t done) {
    const auto begin = [&](int rank) { return std::min(line_begin(rank) + done, line_begin(rank + 1)); };
    const auto end = [&](int rank) { return std::min(begin(rank) + chunk_, line_begin(rank + 1)); };
    const int me = grid_.rank();
    const int ranks = grid_.size();
    const Strided<const T> lines = source_.ask(
        buffers_->rows, {begin(me) - line_begin(me), end(me) - line_begin(me), 0, matrix_.n()}, callback_failure_);
    write_into_slabs(lines, begin(me), end(me));
    for (int step = 1; step < ranks; ++step) {
      const int to = (me + step) % ranks;
      const int from = (me - step + ranks) % ranks;
      const auto arriving = rectangles(me, begin(from), end(from));
      std::int64_t expected = 0;
      for (const Rectangle& part : arriving) expected += part.size();
      transfers_.receive(exec_, buffers_->incoming, expected, from, Tag::rows);
      const std::int64_t leaving = pack(lines, begin(me), end(me), to);
      transfers_.send(exec_, buffers_->outgoing, leaving, to, Tag::rows);
      transfers_.wait();
      unpack(arriving);
    }
  }

  /// Which parts of `rank`'s share lines [begin, end) hold: one for each tile that they touch.
  std::vector<Rectangle> rectangles(int rank, std::int64_t begin, std::int64_t end) const {
    const BlockCyclic rows = matrix_.rows().seen_from(rank / grid_.cols());
    const BlockCyclic columns = matrix_.columns().seen_from(rank % grid_.cols());
    const BlockCyclic& lines = upper_ ? columns : rows;
    std::vector<Rectangle> parts;
    for (std::int64_t line = begin; line < end;) {
      const GlobalTile tile = lines.tile_of(GlobalIndex{line});
      const std::int64_t next = std::min(lines.begin(tile + 1).value, end);
      if (lines.is_mine(tile)) {
        const LocalIndex first = lines.to_local(GlobalIndex{line});
        const LocalIndex last = first + (next - line);
        const Rectangle part = upper_ ? Rectangle{rows.local_begin(tile), LocalIndex{rows.local_extent()}, first, last}
                                      : Rectangle{first, last, LocalIndex{0}, columns.local_begin(tile + 1)};
        if (part.size() > 0) parts.push_back(part);
      }
      line = next;
    }
    return parts;
  }

  void take_in(const Strided<const T>& lines, std::int64_t first_line, int rank, const Rectangle& part,
               const MatrixView<T, MemorySpace>& to) {
    if (lines.data == nullptr) return;  // the callback has failed
    const TakeIn<T, MemorySpace> elements{{lines, first_line, upper_, static_cast<RealOf<T>>(diag_shift_)},
                                          matrix_.rows().seen_from(rank / grid_.cols()),
                                          matrix_.columns().seen_from(rank % grid_.cols()),
                                          part.row_begin,
                                          part.column_begin,
                                          to};
    constexpr const char* label = "tessera::redistribute::take_in";
    using Blocks = TakeInBlocks<T, MemorySpace>;
    if constexpr (kernels::on_host<Exec>) {
      if (matrix_.tile_size() >= Blocks::line) {
        const Blocks blocks{elements};
        Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec_, 0, blocks.blocks),
                             blocks);
        return;
      }
    }
    kernels::for_each<T>(label, exec_, to, elements);
  }

  /// `body(piece)` for the pieces of `part`, one for each slab.
  template <class Body>
  void for_each_slab(const Rectangle& part, const Body& body) {
    matrix_.layout().for_each_slab(part.column_begin, part.column_end, [&](LocalIndex from, LocalIndex to) {
      body(Rectangle{part.row_begin, part.row_end, from, to});
    });
  }

  MatrixView<T, MemorySpace> slab(const Rectangle& part) const {
    return matrix_.view(part.row_begin, part.row_end, part.column_begin, part.column_end);
  }

  /// Lines [begin, end), as far as this rank keeps them.
  void write_into_slabs(const Strided<const T>& lines, std::int64_t begin, std::int64_t end) {
    const SlabLayout& layout = matrix_.layout();
    const BlockCyclic& axis = upper_ ? layout.columns : layout.rows;
    const LocalIndex first = axis.local_lower_bound(GlobalIndex{begin});
    const LocalIndex last = axis.local_lower_bound(GlobalIndex{end});
    const Rectangle all{LocalIndex{0}, LocalIndex{layout.rows.local_extent()}, LocalIndex{0},
                        LocalIndex{layout.columns.local_extent()}};
    for_each_slab(upper_ ? Rectangle{all.row_begin, all.row_end, first, last}
                         : Rectangle{first, last, all.column_begin, all.column_end},
                  [&](Rectangle piece) {
                    piece.row_begin = std::max(piece.row_begin, layout.row_begin(layout.slab_of(piece.column_begin)));
                    if (piece.row_begin < piece.row_end) take_in(lines, begin, grid_.rank(), piece, slab(piece));
                  });
  }

  std::int64_t pack(const Strided<const T>& lines, std::int64_t begin, std::int64_t end, int rank) {
    std::int64_t size = 0;
    for (const Rectangle& part : rectangles(rank, begin, end)) {
      take_in(lines, begin, rank, part,
              make_matrix_view<MemorySpace>(buffers_->outgoing + size, part.rows(), part.columns(), part.rows()));
      size += part.size();
    }
    return size;
  }

  void unpack(const std::vector<Rectangle>& parts) {
    std::int64_t offset = 0;
    for (const Rectangle& part : parts) {
      const auto arrived =
          make_matrix_view<MemorySpace>(buffers_->incoming + offset, part.rows(), part.columns(), part.rows());
      for_each_slab(part, [&](const Rectangle& piece) {
        kernels::copy<T>(exec_,
                         block(arrived, 0, part.rows(), piece.column_begin - part.column_begin,
                               piece.column_end - part.column_begin),
                         slab(piece));
      });
      offset += part.size();
    }
  }

  Exec exec_;
  Transfers<Exec> transfers_;
  const BlockSource<T>& source_;
  Memory<MemorySpace>& memory_;
  Matrix& matrix_;
  const ProcessGrid& grid_;
  double diag_shift_;
  bool upper_;
  std::int64_t chunk_;
  std::vector<std::int64_t> first_line_;
  std::optional<RedistributeBuffers<T, MemorySpace>> buffers_;
  DeferredException callback_failure_;
};

}  // namespace

void require_columns(const std::string& shape, std::int64_t rows, std::int64_t columns, std::int64_t n) {
  if (rows > 0 && columns != n) {
    throw_misuse(
        "a", "must have n = " + std::to_string(n) + " columns, as b or the matrix has that many rows, got " + shape);
  }
}

void require_shift(double diag_shift, double most) {
  if (!(std::abs(diag_shift) <= most)) {  // NaN compares false
    throw_misuse("diag_shift", "must be finite in the scalar of A, got " + std::to_string(diag_shift));
  }
}

void require_triangle(Triangle triangle) {
  if (triangle != Triangle::lower && triangle != Triangle::upper) {
    throw_misuse("triangle", "must be lower or upper, got " + std::to_string(static_cast<int>(triangle)));
  }
}

template <class T, class Exec>
void redistribute_rows(const Exec& exec, const BlockSource<T>& source,
                       ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift, Triangle triangle,
                       Memory<typename Exec::memory_space>& memory) {
  const Region region("tessera::redistribute");
  std::optional<Redistribution<T, Exec>> redistribution;
  collectively(matrix.grid().communicator(),
               [&] { redistribution.emplace(exec, source, matrix, diag_shift, triangle, memory); });
  redistribution->run();
}

#define TESSERA_INSTANTIATE_REDISTRIBUTE(T, Exec)                                                            \
  template void redistribute_rows<T, Exec>(const Exec&, const BlockSource<T>&,                               \
                                           ShardedMatrix<T, typename Exec::memory_space>&, double, Triangle, \
                                           Memory<typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_REDISTRIBUTES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_REDISTRIBUTE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_REDISTRIBUTES)

}  // namespace tessera::detail
