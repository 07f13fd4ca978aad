// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/scalapack.hpp"

#include "core/assemble/take_in_kernels.hpp"
#include "core/assemble/triangle_copy.hpp"
#include "core/matrix/callers_array.hpp"
#include "core/timed.hpp"
#include "kernels/instantiate.hpp"

#include <limits>
#include <optional>
#include <string>
#include <type_traits>

namespace tessera::detail {
namespace {

/// A ShardedMatrix as a side of a copy. Element: T or const T.
template <class Element, class T, class MemorySpace>
class MatrixPlace {
 public:
  explicit MatrixPlace(const ShardedMatrix<T, MemorySpace>& matrix)
      : matrix_(matrix), side_{matrix.grid().numbering(), {matrix.rows()}, {matrix.columns()}} {}

  const Side& side() const { return side_; }
  static constexpr bool on_host() { return false; }

  template <class Body>
  void place(const Shares& indices, Range columns, const Body& body) const {
    const SlabLayout& layout = matrix_.layout();
    while (columns.size() > 0) {
      const LocalIndex first{indices.local()[static_cast<std::size_t>(columns.begin)]};
      const std::int64_t s = layout.slab_of(first);
      const Range some = indices.up_to_local(columns, layout.column_begin(s + 1).value);
      const auto slab = matrix_.slab_block(s);
      body(PlaceOfColumns<Element>{slab.a.data(), slab.row_begin.value, slab.column_begin.value, 1,
                                   layout.leading_dimension(s), false, some});
      columns.begin = some.end;
    }
  }

 private:
  const ShardedMatrix<T, MemorySpace>& matrix_;
  Side side_;
};

/// An n x n part of an array, of which one triangle is the matrix's.
template <class Element>
class ArrayPlace {
 public:
  ArrayPlace(const DescribedArray<Element>& array, int rank, Triangle triangle)
      : array_(array), side_(side_of(array.descriptor, rank, triangle == Triangle::upper)) {}

  const Side& side() const { return side_; }
  bool on_host() const { return array_.on_host; }

  template <class Body>
  void place(const Shares&, Range columns, const Body& body) const {
    const bool upper = side_.transposed;
    body(PlaceOfColumns<Element>{array_.local.data, 0, 0, upper ? array_.local.stride[1] : 1,
                                 upper ? 1 : array_.local.stride[1], upper, columns});
  }

 private:
  static Side side_of(const ArrayDescriptor& d, int rank, bool upper) {
    const GridShape shape = d.grid.shape;
    const ArrayAxis rows = ArrayAxis::make(d.m, d.mb, shape.rows, d.grid.row_of(rank), d.rsrc, d.ia);
    const ArrayAxis columns = ArrayAxis::make(d.n, d.nb, shape.cols, d.grid.col_of(rank), d.csrc, d.ja);
    return {d.grid, upper ? columns : rows, upper ? rows : columns, upper};
  }

  const DescribedArray<Element>& array_;
  Side side_;
};

/// Collective. `has_begun`, where there is one, becomes true on all ranks when each has its memory, before anything is
/// written.
template <class T, class Exec, class From, class To>
void copy_triangle(const Exec& exec, const ProcessGrid& grid, std::int64_t n, const From& from, const To& to,
                   std::int64_t most_numbers, Memory<typename Exec::memory_space>& memory, bool* has_begun = nullptr) {
  std::optional<TriangleCopy<T, Exec, From, To>> copy;
  collectively(grid.communicator(), [&] { copy.emplace(exec, grid, n, from, to, most_numbers, memory); });
  if (has_begun != nullptr) *has_begun = true;
  collectively(grid.communicator(), [&] { copy->run(); });
}

void require_descriptor(const ArrayDescriptor& d, std::int64_t n) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  const auto text = [](std::int64_t a, std::int64_t b) { return std::to_string(a) + " and " + std::to_string(b); };
  if (d.m < 0 || d.n < 0 || d.m > most || d.n > most) {
    throw_misuse("array", "m and n must be from 0 to 2^31 - 1, got " + text(d.m, d.n));
  }
  if (d.mb < 1 || d.mb != d.nb) throw_misuse("array", "mb must be at least 1, and nb, got " + text(d.mb, d.nb));
  if (d.rsrc < 0 || d.rsrc >= d.grid.shape.rows || d.csrc < 0 || d.csrc >= d.grid.shape.cols) {
    throw_misuse("array", "rsrc and csrc must be in its grid, got " + text(d.rsrc, d.csrc));
  }
  if (d.ia < 0 || d.ja < 0 || d.ia > d.m - n || d.ja > d.n - n) {
    throw_misuse("array", "must have n = " + std::to_string(n) + " rows and columns from ia and ja on, got " +
                              text(d.ia, d.ja) + " of " + std::to_string(d.m) + " x " + std::to_string(d.n));
  }
}

}  // namespace

template <class T>
void note_array(Agreement& agreement, const DescribedArray<T>& array, const ProcessGrid& grid_of_array,
                const ProcessGrid& grid_of_matrix, std::int64_t n) {
  const ArrayDescriptor& d = array.descriptor;
  if (grid_of_array.size() != grid_of_matrix.size() || grid_of_array.rank() != grid_of_matrix.rank()) {
    throw_misuse("array", "must be on the ranks of the matrix: this is rank " + std::to_string(grid_of_matrix.rank()) +
                              " of " + std::to_string(grid_of_matrix.size()) + ", got " +
                              std::to_string(grid_of_array.rank()) + " of " + std::to_string(grid_of_array.size()));
  }
  require_descriptor(d, n);
  const auto extent = [](std::int64_t all, std::int64_t block, int processes, int coordinate, int source) {
    return ArrayAxis::make(all, block, processes, coordinate, source, 0).array.local_extent();
  };
  require_array("array", array.local, extent(d.m, d.mb, d.grid.shape.rows, grid_of_array.row(), d.rsrc),
                extent(d.n, d.nb, d.grid.shape.cols, grid_of_array.col(), d.csrc));
  agreement.same("array grid rows", d.grid.shape.rows);
  agreement.same("array order", static_cast<int>(d.grid.order));
  agreement.same("array m", d.m);
  agreement.same("array n", d.n);
  agreement.same("array mb", d.mb);
  agreement.same("array rsrc", d.rsrc);
  agreement.same("array csrc", d.csrc);
  agreement.same("array ia", d.ia);
  agreement.same("array ja", d.ja);
}

template <class T, class Exec>
void to_array(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
              const DescribedArray<T>& array, Triangle triangle, Memory<typename Exec::memory_space>& memory,
              std::int64_t most_numbers, bool* has_begun) {
  const Region region("tessera::to_scalapack");
  const MatrixPlace<const T, T, typename Exec::memory_space> from(matrix);
  const ArrayPlace<T> to(array, matrix.grid().rank(), triangle);
  copy_triangle<T>(exec, matrix.grid(), matrix.n(), from, to, most_numbers, memory, has_begun);
}

template <class T, class Exec>
void from_array(const Exec& exec, const DescribedArray<const T>& array,
                ShardedMatrix<T, typename Exec::memory_space>& matrix, Triangle triangle,
                Memory<typename Exec::memory_space>& memory, std::int64_t most_numbers) {
  const Region region("tessera::from_scalapack");
  const ArrayPlace<const T> from(array, matrix.grid().rank(), triangle);
  const MatrixPlace<T, T, typename Exec::memory_space> to(matrix);
  collectively(matrix.grid().communicator(), [&] {
    if (!matrix.is_adopted()) clear_above_diagonal(exec, matrix);
  });
  copy_triangle<T>(exec, matrix.grid(), matrix.n(), from, to, most_numbers, memory);
}

#define TESSERA_INSTANTIATE_NOTE(T, Element)                                                            \
  template void note_array<Element T>(Agreement&, const DescribedArray<Element T>&, const ProcessGrid&, \
                                      const ProcessGrid&, std::int64_t);
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_NOTE, )
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_NOTE, const)

#define TESSERA_INSTANTIATE_ARRAY(T, Exec)                                                                  \
  template void to_array<T, Exec>(const Exec&, const ShardedMatrix<T, typename Exec::memory_space>&,        \
                                  const DescribedArray<T>&, Triangle, Memory<typename Exec::memory_space>&, \
                                  std::int64_t, bool*);                                                     \
  template void from_array<T, Exec>(const Exec&, const DescribedArray<const T>&,                            \
                                    ShardedMatrix<T, typename Exec::memory_space>&, Triangle,               \
                                    Memory<typename Exec::memory_space>&, std::int64_t);
#define TESSERA_INSTANTIATE_ARRAYS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_ARRAY, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_ARRAYS)

}  // namespace tessera::detail
