// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/communicator.hpp"
#include "core/factorize/failing_minor.hpp"
#include "core/factorize/leaf_inverses.hpp"
#include "core/matrix/workspace.hpp"
#include "core/timed.hpp"
#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/potrf.hpp"
#include "tessera/cholesky_factor.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace tessera::detail {
namespace {

/// Rows that are appended together: one chunk of a solve. What one rank computes alone is then little beside the solve.
constexpr std::int64_t rows_at_once = Schedule().chunk_columns;

template <class T>
struct Conjugate {
  T* numbers;
  KOKKOS_FUNCTION void operator()(std::int64_t k) const { numbers[k] = conj(numbers[k]); }
};

/// Leaves of a square what is read of a Hermitian matrix: the lower triangle, and the real part of its diagonal.
template <class T, class MemorySpace>
struct KeepLower {
  MatrixView<T, MemorySpace> a;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const {
    if (i <= j) a(i, j) = i < j ? T(0) : T(real(a(i, j)));
  }
};

/// Writes what a block of L has of the rows and columns from n on: X^H, the new triangle, and 0 above its diagonal.
template <class T, class MemorySpace>
struct WriteFrom {
  LocalBlock<T, MemorySpace> l;
  std::int64_t n;
  MatrixView<const T, MemorySpace> x;
  MatrixView<const T, MemorySpace> triangle;
  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    const std::int64_t i = l.global_row(row).value - n;
    const std::int64_t j = l.global_column(column).value - n;
    l.a(row, column) = j < 0 ? conj(x(j + n, i)) : i >= j ? triangle(i, j) : T(0);
  }
};

/// What the rank that factors the new triangle works with, beside it.
template <class Exec>
struct AppendBuffers {
  explicit AppendBuffers(Workspace<typename Exec::memory_space>& workspace)
      : failing(workspace.template take<std::int64_t>(1)),
        blas(workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes)) {}

  std::int64_t* failing;
  char* blas;
};

template <class T>
Strided<const T> block(Strided<const T> s, std::int64_t row, std::int64_t rows, std::int64_t column,
                       std::int64_t columns) {
  s.data += row * s.stride[0] + column * s.stride[1];
  s.extent[0] = rows;
  s.extent[1] = columns;
  return s;
}

/// Collective. The factor of (A, B^H; B, C) from that of A, for rows_at_once rows of B at a time:
///
///     X = L^-1 B^H          on all ranks
///     N N^H = C - X^H X     on one rank, so that N has the same bits everywhere
///     (L, 0; X^H, N)        each rank writes what is in its tiles
template <class T, class Exec>
class Append {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Access = FactorAccess<T, MemorySpace>;

  Append(const Exec& exec, CholeskyFactor<T, MemorySpace>& factor, const Strided<const T>& rows,
         const GatherFrom<T, Exec>& gather, Memory<MemorySpace>& memory)
      : exec_(exec),
        factor_(factor),
        matrix_(Access::matrix(factor)),
        communicator_(factor.grid().communicator()),
        rows_(rows),
        gather_(gather),
        memory_(memory),
        log_determinant_(factor.log_determinant()) {}

  void run() {
    const Region region("tessera::append");
    const std::int64_t before = matrix_.n();
    const std::int64_t k = rows_.extent[0];
    const std::int64_t most = std::min(k, rows_at_once);
    collectively(communicator_, [&] {
      numbers_ = right_hand_sides<T>(memory_, before + k, most).data();
      triangle_.resize(static_cast<std::size_t>(most * most));
    });
    try {
      for (std::int64_t first = 0; first < k; first += rows_at_once) append(first, std::min(rows_at_once, k - first));
    } catch (...) {
      matrix_.resize(before);  // where nothing was written
      throw;
    }
    Access::set_log_determinant(factor_, log_determinant_);
  }

 private:
  /// Rows that are appended together: B^H, then X; and the lower triangle of C, then N.
  struct Part {
    View x;
    View triangle;
  };
  /// What the rank that makes N finds.
  struct Found {
    std::int64_t failing_minor;
    double log_determinant;
  };
  static constexpr int root = 0;

  void append(std::int64_t first, std::int64_t count) {
    const std::int64_t n = matrix_.n();
    const Part part{view(numbers_, n, count), view(numbers_ + n * count, count, count)};
    collectively(communicator_, [&] { take_in(first, part); });
    apply<T>(exec_, FactorOperation::solve_lower, factor_, part.x, memory_, [] {});
    Found found{};
    collectively(communicator_, [&] {
      if (communicator_.rank() == root) found = factor_triangle(part);
    });
    communicator_.broadcast(&found, sizeof found, root);
    if (found.failing_minor != kernels::no_failure) throw NotPositiveDefinite(found.failing_minor);
    communicator_.broadcast(triangle_.data(), count * count * std::int64_t{sizeof(T)}, root);
    collectively(communicator_, [&] {
      if (communicator_.rank() != root) Kokkos::deep_copy(exec_, there(part), here(part));
      write(part);
      exec_.fence();
    });
    log_determinant_ = found.log_determinant;
  }

  void take_in(std::int64_t first, const Part& part) {
    const auto n = static_cast<std::int64_t>(part.x.extent(0));
    const auto count = static_cast<std::int64_t>(part.x.extent(1));
    gather_(exec_, block(rows_, first, count, 0, n), transposed(strided(part.x)));
    gather_(exec_, transposed(block(rows_, first, count, n, count)), transposed(strided(part.triangle)));
    if constexpr (!std::is_same_v<T, RealOf<T>>) {
      Kokkos::parallel_for("tessera::append::conjugate",
                           Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec_, 0, n * count),
                           Conjugate<T>{part.x.data()});
    }
    kernels::for_each<T>("tessera::append::keep_lower", exec_, part.triangle, KeepLower<T, MemorySpace>{part.triangle});
  }

  /// Leaves N on the host, too.
  Found factor_triangle(const Part& part) {
    const auto buffers = buffers_in<AppendBuffers<Exec>>(memory_);
    const kernels::FailingMinor<Exec> failing(buffers.failing);
    set_no_failure(exec_, failing);
    kernels::Queue<Exec> queue(exec_, buffers.blas, memory_.blas_handles.updates);
    kernels::herk<T>(queue, T(-1), kernels::Op::conj_transpose, part.x, T(1), part.triangle);
    kernels::potrf<T>(queue, part.triangle, matrix_.n(), failing);
    Kokkos::deep_copy(exec_, here(part), there(part));
    Found found{failing_minor(exec_, failing), log_determinant_};  // which waits for both
    const std::size_t count = part.triangle.extent(0);
    for (std::size_t k = 0; k < count; ++k) {  // as log_determinant has it for all of L
      found.log_determinant += 2 * std::log(static_cast<double>(real(triangle_[k * (count + 1)])));
    }
    return found;
  }

  /// Rows and columns behind those that the matrix has.
  void write(const Part& part) {
    const GlobalIndex n{matrix_.n()};
    matrix_.resize(n.value + static_cast<std::int64_t>(part.triangle.extent(0)));
    const SlabLayout& layout = matrix_.layout();
    const LocalIndex bottom{layout.rows.local_extent()};
    const LocalIndex new_rows = layout.rows.local_lower_bound(n);
    const LocalIndex new_columns = layout.columns.local_lower_bound(n);
    for (std::int64_t s = 0; s < layout.count(); ++s) {
      const LocalIndex top = layout.row_begin(s);
      const LocalIndex middle = std::max(top, new_rows);
      const LocalIndex left = layout.column_begin(s);
      const LocalIndex right = layout.column_begin(s + 1);
      write(part, n, matrix_.local_block(middle, bottom, left, right));
      write(part, n, matrix_.local_block(top, middle, std::clamp(new_columns, left, right), right));
    }
    if constexpr (Leaves<MemorySpace>::has_inverses) invert_leaves(exec_, matrix_, n);
  }
  void write(const Part& part, GlobalIndex n, const LocalBlock<T, MemorySpace>& l) {
    kernels::for_each<T>("tessera::append::write", exec_, l.a,
                         WriteFrom<T, MemorySpace>{l, n.value, part.x, part.triangle});
  }

  static View view(T* data, std::int64_t rows, std::int64_t columns) {
    return make_matrix_view<MemorySpace>(data, rows, columns, std::max<std::int64_t>(1, rows));
  }
  auto here(const Part& part) {
    return numbers_at<Kokkos::HostSpace>(triangle_.data(), static_cast<std::int64_t>(part.triangle.size()));
  }
  static auto there(const Part& part) {
    return numbers_at<MemorySpace>(part.triangle.data(), static_cast<std::int64_t>(part.triangle.size()));
  }

  const Exec& exec_;
  CholeskyFactor<T, MemorySpace>& factor_;
  ShardedMatrix<T, MemorySpace>& matrix_;
  const Communicator& communicator_;
  Strided<const T> rows_;
  GatherFrom<T, Exec> gather_;
  Memory<MemorySpace>& memory_;
  double log_determinant_;
  T* numbers_ = nullptr;     // a part's
  std::vector<T> triangle_;  // N, on its way
};

}  // namespace

template <class T, class Exec>
void append(const Exec& exec, CholeskyFactor<T, typename Exec::memory_space>& factor, const Strided<const T>& rows,
            const GatherFrom<T, Exec>& gather, Memory<typename Exec::memory_space>& memory) {
  if (rows.extent[0] > 0) Append<T, Exec>(exec, factor, rows, gather, memory).run();
}

#define TESSERA_INSTANTIATE_APPEND(T, Exec)                                                                            \
  template void append<T, Exec>(const Exec&, CholeskyFactor<T, typename Exec::memory_space>&, const Strided<const T>&, \
                                const GatherFrom<T, Exec>&, Memory<typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_APPENDS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_APPEND, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_APPENDS)

}  // namespace tessera::detail
