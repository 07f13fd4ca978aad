#include "tessera/redistribute.hpp"

#include "core/exchange.hpp"
#include "core/region.hpp"
#include "core/tuning.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"

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

/// Writes the rectangle that begins at (row_begin, column_begin) from lines of the caller's A: lower, these are its
/// rows; upper, they are its columns, conjugated, of which the caller has rows. Above the diagonal it writes 0 and
/// reads nothing.
template <class T, class MemorySpace>
struct TakeIn {
  Strided<const T> lines;
  std::int64_t first_line;
  bool upper;
  RealOf<T> diag_shift;
  BlockCyclic rows;
  BlockCyclic columns;
  LocalIndex row_begin;
  LocalIndex column_begin;
  MatrixView<T, MemorySpace> to;

  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    const std::int64_t i = rows.to_global(row_begin + row).value;
    const std::int64_t j = columns.to_global(column_begin + column).value;
    T value(0);
    if (i >= j) {
      const std::int64_t line = upper ? j : i;
      const std::int64_t along = upper ? i : j;
      value = lines.data[(line - first_line) * lines.stride[0] + along * lines.stride[1]];
      if (upper) value = conj(value);
      if (i == j) value = T(real(value) + diag_shift);
    }
    to(row, column) = value;
  }
};

template <class T, class Exec>
class Redistribution {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;

  Redistribution(const Exec& exec, const RowSource<T>& source, Matrix& matrix, double diag_shift, Triangle triangle)
      : queue_(exec),
        transfers_(matrix.grid().communicator(), exec),
        source_(source),
        matrix_(matrix),
        grid_(matrix.grid()),
        diag_shift_(diag_shift),
        upper_(triangle == Triangle::upper),
        chunk_(rows_per_chunk<T, MemorySpace>(matrix.n())) {}

  void run() {
    const Communicator& communicator = grid_.communicator();
    first_line_ = line_begins(communicator.all_gather(source_.count));
    collectively(communicator, [&] { allocate(); });
    clear_above_diagonal();
    std::int64_t most = 0;
    for (int r = 0; r < grid_.size(); ++r) most = std::max(most, line_begin(r + 1) - line_begin(r));
    for (std::int64_t done = 0; done < most; done += chunk_) exchange_chunk(done);
    settle(communicator, callback_failure_);
    queue_.exec().fence();
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
    if (grid_.size() == 1) return;
    const auto most = [](const BlockCyclic& axis) { return axis.seen_from(0).local_extent(); };
    const std::int64_t lines = std::min(chunk_, matrix_.n());
    const auto size = static_cast<std::size_t>(lines * (upper_ ? most(matrix_.rows()) : most(matrix_.columns())));
    outgoing_ = Kokkos::View<T*, MemorySpace>(
        Kokkos::view_alloc("tessera::redistribute::outgoing", Kokkos::WithoutInitializing), size);
    incoming_ = Kokkos::View<T*, MemorySpace>(
        Kokkos::view_alloc("tessera::redistribute::incoming", Kokkos::WithoutInitializing), size);
  }

  /// What a slab stores above its diagonal tiles takes part in updates, though nothing comes of it: it must be finite.
  void clear_above_diagonal() {
    const SlabLayout& layout = matrix_.layout();
    for (LocalTile t{0}; t < layout.columns.local_tiles_end(); ++t) {
      const GlobalTile tile = layout.columns.to_global(t);
      const LocalIndex begin = layout.columns.local_begin(tile);
      const LocalIndex top = layout.row_begin(layout.slab_of(begin));
      const LocalIndex bottom = layout.rows.local_begin(tile);
      if (top < bottom) {
        kernels::set_zero(queue_, matrix_.view(top, bottom, begin, begin + layout.columns.extent(tile)));
      }
    }
  }

  /// Each rank's lines from `done` on, at most one chunk of them: to one rank and from one rank at a time.
  void exchange_chunk(std::int64_t done) {
    const auto begin = [&](int rank) { return std::min(line_begin(rank) + done, line_begin(rank + 1)); };
    const auto end = [&](int rank) { return std::min(begin(rank) + chunk_, line_begin(rank + 1)); };
    const int me = grid_.rank();
    const int ranks = grid_.size();
    const Strided<const T> lines = ask(begin(me) - line_begin(me), end(me) - begin(me));
    for (const Rectangle& part : rectangles(me, begin(me), end(me))) write_into_tiles(lines, begin(me), part);
    for (int step = 1; step < ranks; ++step) {
      const int to = (me + step) % ranks;
      const int from = (me - step + ranks) % ranks;
      const auto arriving = rectangles(me, begin(from), end(from));
      std::int64_t expected = 0;
      for (const Rectangle& part : arriving) expected += part.size();
      transfers_.receive(incoming_.data(), expected, from, Tag::rows);
      const std::int64_t leaving = pack(lines, begin(me), end(me), to);
      transfers_.send(outgoing_.data(), leaving, to, Tag::rows);
      transfers_.wait();
      unpack(arriving);
    }
  }

  /// The caller's lines. An exception from there is kept, as others wait for this rank's messages.
  Strided<const T> ask(std::int64_t first, std::int64_t count) {
    if (count <= 0 || callback_failure_) return {};
    try {
      return source_.rows(first, count);
    } catch (...) {
      callback_failure_ = std::current_exception();
      return {};
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
    kernels::for_each<T>("tessera::redistribute::take_in", queue_, to,
                         TakeIn<T, MemorySpace>{lines, first_line, upper_, static_cast<RealOf<T>>(diag_shift_),
                                                matrix_.rows().seen_from(rank / grid_.cols()),
                                                matrix_.columns().seen_from(rank % grid_.cols()), part.row_begin,
                                                part.column_begin, to});
  }

  /// `body(piece)` for the pieces of `part`, one for each slab.
  template <class Body>
  void for_each_slab(const Rectangle& part, const Body& body) {
    matrix_.layout().for_each_slab(part.column_begin, part.column_end, [&](LocalIndex from, LocalIndex to) {
      body(Rectangle{part.row_begin, part.row_end, from, to});
    });
  }

  MatrixView<T, MemorySpace> tiles(const Rectangle& part) const {
    return matrix_.view(part.row_begin, part.row_end, part.column_begin, part.column_end);
  }

  void write_into_tiles(const Strided<const T>& lines, std::int64_t first_line, const Rectangle& part) {
    for_each_slab(part, [&](const Rectangle& piece) { take_in(lines, first_line, grid_.rank(), piece, tiles(piece)); });
  }

  std::int64_t pack(const Strided<const T>& lines, std::int64_t begin, std::int64_t end, int rank) {
    std::int64_t size = 0;
    for (const Rectangle& part : rectangles(rank, begin, end)) {
      take_in(lines, begin, rank, part,
              make_matrix_view<MemorySpace>(outgoing_.data() + size, part.rows(), part.columns(), part.rows()));
      size += part.size();
    }
    return size;
  }

  void unpack(const std::vector<Rectangle>& parts) {
    std::int64_t offset = 0;
    for (const Rectangle& part : parts) {
      const auto arrived =
          make_matrix_view<MemorySpace>(incoming_.data() + offset, part.rows(), part.columns(), part.rows());
      for_each_slab(part, [&](const Rectangle& piece) {
        kernels::copy<T>(queue_,
                         block(arrived, 0, part.rows(), piece.column_begin - part.column_begin,
                               piece.column_end - part.column_begin),
                         tiles(piece));
      });
      offset += part.size();
    }
    queue_.exec().fence();  // the next message arrives in the same memory
  }

  kernels::Queue<Exec> queue_;
  Transfers<Exec> transfers_;
  const RowSource<T>& source_;
  Matrix& matrix_;
  const ProcessGrid& grid_;
  double diag_shift_;
  bool upper_;
  std::int64_t chunk_;
  std::vector<std::int64_t> first_line_;
  Kokkos::View<T*, MemorySpace> outgoing_;
  Kokkos::View<T*, MemorySpace> incoming_;
  std::exception_ptr callback_failure_;
};

}  // namespace

template <class T, class MemorySpace>
std::int64_t rows_per_chunk(std::int64_t n) {
  const std::int64_t row_bytes = std::max<std::int64_t>(1, n) * std::int64_t{sizeof(T)};
  return std::max<std::int64_t>(1, Tuning<MemorySpace>::chunk_bytes / row_bytes);
}

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
void redistribute_rows(const Exec& exec, const RowSource<T>& source,
                       ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift, Triangle triangle) {
  const Region region("tessera::redistribute");
  std::optional<Redistribution<T, Exec>> redistribution;
  collectively(matrix.grid().communicator(),
               [&] { redistribution.emplace(exec, source, matrix, diag_shift, triangle); });
  redistribution->run();
}

#define TESSERA_INSTANTIATE_REDISTRIBUTE(T, Exec)                            \
  template void redistribute_rows<T, Exec>(const Exec&, const RowSource<T>&, \
                                           ShardedMatrix<T, typename Exec::memory_space>&, double, Triangle);
#define TESSERA_INSTANTIATE_REDISTRIBUTES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_REDISTRIBUTE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_REDISTRIBUTES)

#define TESSERA_INSTANTIATE_CHUNK(T, MemorySpace) template std::int64_t rows_per_chunk<T, MemorySpace>(std::int64_t);
#define TESSERA_INSTANTIATE_CHUNKS(MemorySpace) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_CHUNK, MemorySpace)
TESSERA_FOR_EACH_MEMORY_SPACE(TESSERA_INSTANTIATE_CHUNKS)

}  // namespace tessera::detail
