// SPDX-License-Identifier: BSD-3-Clause
#include "lapack.hpp"
#include "support.hpp"

#include "core/assemble/redistribute_memory.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

// The pieces: a grid, a sharded matrix, how A comes into it, its factor, and solving with that.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;
template <class T>
using Columns = Kokkos::View<T**, Kokkos::LayoutLeft, Space>;

TEST(ProcessGridTest, Shapes) {
  const int ranks = size_of(MPI_COMM_WORLD);
  const int rank = rank_in(MPI_COMM_WORLD);
  const ProcessGrid square(MPI_COMM_WORLD);
  EXPECT_EQ(square.shape(), nearly_square(ranks));
  for (const GridShape shape : all_grids(ranks)) {
    for (const ProcessGrid& grid :
         {ProcessGrid(MPI_COMM_WORLD, shape), ProcessGrid(MPI_COMM_WORLD, shape.rows, shape.cols),
          ProcessGrid(MPI_COMM_WORLD, {shape.rows, shape.cols})}) {
      const ProcessGrid copy = grid;
      EXPECT_EQ(copy.shape(), shape);
      EXPECT_EQ(copy.rows(), shape.rows);
      EXPECT_EQ(copy.cols(), shape.cols);
      EXPECT_EQ(copy.size(), ranks);
      EXPECT_EQ(copy.rank(), rank);
      EXPECT_EQ(copy.row(), rank / shape.cols);
      EXPECT_EQ(copy.col(), rank % shape.cols);
      EXPECT_EQ(copy.rank_of(copy.row(), copy.col()), rank);
    }
  }
}

TEST(ProcessGridTest, OutlivesTheCommunicatorAndItsCopies) {
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  std::optional<ProcessGrid> first(std::in_place, comm);
  MPI_Comm_free(&comm);
  const ProcessGrid copy = *first;
  first.reset();
  ShardedMatrix<double> a(copy, 20, 4);
  a.fill(Exec{}, Dominant<double>{20});
  EXPECT_TRUE(std::isfinite(factorize(Exec{}, std::move(a)).log_determinant()));
}

template <class T>
struct PiecesTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  Exec exec;

  /// Every own tile of `matrix` holds f(i, j), with `shift` on the diagonal, exactly.
  template <class F>
  static void expect_tiles(const ShardedMatrix<T>& matrix, const F& f, double shift = 0) {
    std::int64_t wrong = 0;
    const HostTiles tiles(matrix);
    for (GlobalTile i{0}; i < matrix.rows().tiles_end(); ++i) {
      for (GlobalTile j{0}; j <= i; ++j) {
        ASSERT_EQ(matrix.has_tile(i, j), i.value % matrix.grid().rows() == matrix.grid().row() &&
                                             j.value % matrix.grid().cols() == matrix.grid().col());
        if (!matrix.has_tile(i, j)) continue;
        const auto tile = matrix.tile(i, j);
        ASSERT_EQ(static_cast<std::int64_t>(tile.extent(0)), matrix.rows().extent(i));
        ASSERT_EQ(static_cast<std::int64_t>(tile.extent(1)), matrix.columns().extent(j));
        const auto host = tiles(i, j);
        for (std::int64_t r = 0; r < matrix.rows().extent(i); ++r) {
          for (std::int64_t c = 0; c < matrix.columns().extent(j); ++c) {
            const std::int64_t row = matrix.rows().begin(i).value + r;
            const std::int64_t column = matrix.columns().begin(j).value + c;
            if (row < column) continue;
            T expected = f(row, column);
            if (row == column) expected = T(detail::real(expected) + static_cast<Real<T>>(shift));
            if (host(r, c) != expected) ++wrong;
          }
        }
      }
    }
    EXPECT_EQ(wrong, 0) << "numbers are not what they should be";
  }

  ShardedMatrix<T> dominant(GridShape shape, std::int64_t n, std::int64_t tile, std::int64_t slab = 0) const {
    ShardedMatrix<T> a(ProcessGrid(comm, shape), n, tile, slab);
    a.fill(exec, Dominant<T>{n});
    return a;
  }

  /// Solves with right-hand sides of any layout, and checks the answer.
  template <class B>
  void expect_solves(const CholeskyFactor<T>& l, const B& b) const {
    set_noise(b, 11);
    const auto right = to_host(b);
    l.solve(exec, b);
    exec.fence();
    const auto x = to_host(b);
    EXPECT_TRUE(same_on_all_ranks(comm, x));
    if (rank == 0) {
      EXPECT_LE(backward_error(l.n(), Dominant<T>{l.n()}, 0, x, right),
                (2 + 0.05 * static_cast<double>(l.n())) * epsilon<T>());
    }
  }
  void expect_solves(const CholeskyFactor<T>& l) const {
    expect_solves(l, Columns<T>("b", static_cast<std::size_t>(l.n()), 2));
  }
};
TYPED_TEST_SUITE(PiecesTest, Scalars);

TYPED_TEST(PiecesTest, FillOnEveryGridAndSlab) {
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t n : {0, 1, 5, 64, 101}) {
      for (const std::int64_t tile : {1, 7, 16, 200}) {
        for (const std::int64_t slab : {std::int64_t{0}, tile, 2 * tile + 1, std::int64_t{1000}}) {
          SCOPED_TRACE("n " + std::to_string(n) + ", tile " + std::to_string(tile) + ", slab " + std::to_string(slab) +
                       ", grid rows " + std::to_string(shape.rows));
          const auto a = this->dominant(shape, n, tile, slab);
          EXPECT_EQ(a.n(), n);
          EXPECT_EQ(a.tile_size(), std::clamp<std::int64_t>(tile, 1, std::max<std::int64_t>(1, n)));
          EXPECT_EQ(a.grid().shape(), shape);
          if (slab > 0 && n > 0) {
            EXPECT_EQ(a.slab(), std::min(n, (slab + tile - 1) / tile * tile));
          }
          this->exec.fence();
          this->expect_tiles(a, Dominant<TypeParam>{n});
        }
      }
    }
  }
}

TYPED_TEST(PiecesTest, Bytes) {
  using T = TypeParam;
  const std::int64_t n = 1003;
  const std::int64_t tile = 16;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    // one slab: ScaLAPACK's local array, but that its leading dimension is aligned to 64 bytes
    const ShardedMatrix<T> whole(grid, n, tile, n);
    const std::int64_t aligned = 64 / static_cast<std::int64_t>(sizeof(T));
    const std::int64_t rows = (whole.rows().local_extent() + aligned - 1) / aligned * aligned;
    EXPECT_EQ(whole.bytes(), rows * whole.columns().local_extent() * static_cast<std::int64_t>(sizeof(T)));

    const ShardedMatrix<T> narrow(grid, n, tile, 1);
    EXPECT_EQ(narrow.slab(), tile);
    long long all = narrow.bytes();
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_LONG_LONG, MPI_SUM, this->comm);
    const auto half = static_cast<double>(n * n / 2) * sizeof(T);
    EXPECT_GE(static_cast<double>(all), half);
    // as many tiles more as the diagonal has, or the grid's rows and columns differ by, and the alignment
    EXPECT_LE(static_cast<double>(all), 1.15 * half);
  }
}

TYPED_TEST(PiecesTest, EmptyViewsAnywhere) {
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t tile : {2, 3, 32}) {  // one of 32: some ranks have rows and no columns
      const auto a = this->dominant(shape, 10, tile, tile);
      const LocalIndex bottom{a.rows().local_extent()};
      for (LocalIndex column{0}; column.value <= a.columns().local_extent(); ++column.value) {
        for (LocalIndex row{0}; row <= bottom; ++row.value) {
          const auto view = a.view(row, bottom, column, column);
          EXPECT_EQ(static_cast<std::int64_t>(view.extent(0)), bottom - row);
          EXPECT_EQ(view.extent(1), 0U);
        }
      }
      for (std::int64_t s = 0; s < a.layout().count(); ++s) {
        const auto view = a.view(bottom, bottom, a.layout().column_begin(s), a.layout().column_begin(s + 1));
        EXPECT_EQ(static_cast<std::int64_t>(view.extent(1)), a.layout().width(s));
      }
    }
  }
}

/// Rows of A, computed when they are asked for, which must be in order from row `next`.
template <class T>
struct Operator {
  Dominant<T> f;
  Triangle triangle;
  std::int64_t next;
  int calls = 0;

  template <class View>
  void to_dense(const Exec&, std::int64_t first_row, const View& rows) {
    static_assert(View::rank == 2 && std::is_same_v<typename View::value_type, T>);
    EXPECT_EQ(static_cast<std::int64_t>(rows.extent(1)), f.n);
    const std::int64_t n = f.n;
    EXPECT_EQ(first_row, next);
    next += static_cast<std::int64_t>(rows.extent(0));
    ++calls;
    set(rows, [this, n, first_row](std::int64_t k) {
      const std::int64_t i = first_row + k / n;
      const std::int64_t j = k % n;
      const bool read = triangle == Triangle::lower ? i >= j : i <= j;
      return !read ? scalar<T>(NAN, NAN) : i == j ? f(i, j) + scalar<T>(0, 8) : f(i, j);
    });
  }
};

TYPED_TEST(PiecesTest, RedistributeOnEveryGrid) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t n : {1, 5, 101}) {
      for (const std::int64_t tile : {7, 16, 200}) {
        for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
          SCOPED_TRACE("n " + std::to_string(n) + ", tile " + std::to_string(tile) + ", grid rows " +
                       std::to_string(shape.rows) + (triangle == Triangle::upper ? ", upper" : ""));
          const Dominant<T> f{n};
          ShardedMatrix<T> matrix(ProcessGrid(this->comm, shape), n, tile, 2 * tile);
          const auto a = make_rows<Kokkos::View<T**, Kokkos::LayoutRight, Space>>(ragged_shards(n, this->ranks),
                                                                                  this->rank, n, f, triangle);
          redistribute(this->exec, a, matrix, 0.5, triangle);
          this->expect_tiles(matrix, f, 0.5);

          Operator<T> op{f, triangle, n * this->rank / this->ranks};
          redistribute(this->exec, op, matrix, -0.25, triangle);  // over what stood there
          this->expect_tiles(matrix, f, -0.25);
          EXPECT_EQ(op.next, n * (this->rank + 1) / this->ranks);
        }
      }
    }
  }
}

TYPED_TEST(PiecesTest, RedistributeInChunks) {
  using T = TypeParam;
  // more rows on each rank than are asked for at a time, and the last chunk ragged
  std::int64_t n = 700;
  while (detail::rows_per_chunk<T, Space>(n) >= n / this->ranks && n < 12000) n += 173;
  if (n >= 12000) GTEST_SKIP() << "a chunk is too large here to be reached by a small matrix";
  const Dominant<T> f{n};
  ShardedMatrix<T> matrix(ProcessGrid(this->comm), n, 150);
  Operator<T> op{f, Triangle::lower, n * this->rank / this->ranks};
  redistribute(this->exec, op, matrix, 0);
  if (this->rank == 0) {
    EXPECT_GT(op.calls, 1);
  }
  EXPECT_EQ(op.next, n * (this->rank + 1) / this->ranks);
  this->expect_tiles(matrix, f);
}

/// L in long double, column-major.
template <class F>
std::vector<Wide> wide_factor(std::int64_t n, const F& f) {
  std::vector<Wide> l(static_cast<std::size_t>(n * n));
  const auto at = [&](std::int64_t i, std::int64_t j) -> Wide& { return l[static_cast<std::size_t>(i + j * n)]; };
  for (std::int64_t j = 0; j < n; ++j) {
    for (std::int64_t i = j; i < n; ++i) {
      Wide sum = wide(f(i, j));
      for (std::int64_t k = 0; k < j; ++k) sum -= at(i, k) * std::conj(at(j, k));
      at(i, j) = i == j ? std::sqrt(sum.real()) : sum / at(j, j).real();
    }
  }
  return l;
}

TYPED_TEST(PiecesTest, FactorAndLogDeterminant) {
  using T = TypeParam;
  for (const std::int64_t n : {1, 5, 101}) {
    const Dominant<T> f{n};
    const auto expected = wide_factor(n, f);
    long double log_det = 0;
    for (std::int64_t i = 0; i < n; ++i) log_det += 2 * std::log(expected[static_cast<std::size_t>(i + i * n)].real());
    const Lapack<T> lapack(n, f);
    double lapacks_log_det = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      lapacks_log_det += 2 * std::log(static_cast<double>(detail::real(lapack.l(i, i))));
    }
    for (const GridShape shape : all_grids(this->ranks)) {
      for (const std::int64_t tile : {1, 7, 64, 200}) {
        if (n > 20 * tile) continue;  // many steps, and nothing new
        for (const std::int64_t slab : {std::int64_t{0}, tile, 3 * tile}) {
          SCOPED_TRACE("n " + std::to_string(n) + ", tile " + std::to_string(tile) + ", slab " + std::to_string(slab) +
                       ", grid rows " + std::to_string(shape.rows));
          const auto l = factorize(this->exec, this->dominant(shape, n, tile, slab));
          EXPECT_EQ(l.n(), n);
          EXPECT_EQ(l.tile_size(), std::min(n, tile));
          EXPECT_EQ(l.grid().shape(), shape);
          const double tolerance = 4 * epsilon<T>() * static_cast<double>(n + 4);
          EXPECT_NEAR(l.log_determinant(), static_cast<double>(log_det), tolerance);
          EXPECT_NEAR(l.log_determinant(), lapacks_log_det, tolerance);
          const double log_determinant = l.log_determinant();
          EXPECT_TRUE(same_on_all_ranks(this->comm, &log_determinant, sizeof log_determinant));
          double worst = 0;
          const ShardedMatrix<T>& matrix = l.matrix();
          const HostTiles tiles(matrix);
          for (GlobalTile i{0}; i < matrix.rows().tiles_end(); ++i) {
            for (GlobalTile j{0}; j <= i; ++j) {
              if (!matrix.has_tile(i, j)) continue;
              const auto host = tiles(i, j);
              for (std::size_t k = 0; k < host.size(); ++k) {
                const std::size_t r = k / host.extent(1);
                const std::size_t c = k % host.extent(1);
                const std::int64_t row = matrix.rows().begin(i).value + static_cast<std::int64_t>(r);
                const std::int64_t column = matrix.columns().begin(j).value + static_cast<std::int64_t>(c);
                if (row < column) continue;
                const Wide error = wide(T(host(r, c))) - expected[static_cast<std::size_t>(row + column * n)];
                worst = std::max(worst, static_cast<double>(std::abs(error)));
              }
            }
          }
          EXPECT_LE(worst, 16 * epsilon<T>());
        }
      }
    }
  }
}

TYPED_TEST(PiecesTest, SolveAgainAndAgain) {
  using T = TypeParam;
  const std::int64_t n = 101;
  const auto rows = static_cast<std::size_t>(n);
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t tile : {7, 32}) {
      const auto l = factorize(this->exec, this->dominant(shape, n, tile, 3 * tile));
      for (const std::size_t nrhs : {1U, 3U, 16U}) {
        this->expect_solves(l, Columns<T>("b", rows, nrhs));
        this->expect_solves(l, Kokkos::View<T**, Kokkos::LayoutRight, Space>("b", rows, nrhs));
        this->expect_solves(
            l, Kokkos::View<T**, Kokkos::LayoutStride, Space>("b", Kokkos::LayoutStride(rows, 2 * nrhs + 1, nrhs, 2)));
      }
      this->expect_solves(l, Kokkos::View<T*, Space>("b", rows));
      this->expect_solves(l, Kokkos::subview(Columns<T>("b", rows + 5, 4), Kokkos::make_pair(std::size_t{2}, rows + 2),
                                             Kokkos::make_pair(1, 3)));
      this->expect_solves(l, Kokkos::View<T**, Kokkos::LayoutLeft, Kokkos::HostSpace>("b", rows, 2));
      l.solve(this->exec, Columns<T>("b", rows, 0));
    }
  }
  const auto nothing = factorize(this->exec, this->dominant(nearly_square(this->ranks), 0, 4));
  EXPECT_EQ(nothing.log_determinant(), 0);
  nothing.solve(this->exec, Columns<T>("b", 0, 3));
}

TYPED_TEST(PiecesTest, FactorsMove) {
  const auto shape = nearly_square(this->ranks);
  auto a = this->dominant(shape, 50, 8);
  auto moved = std::move(a);
  auto first = factorize(this->exec, std::move(moved));
  auto second = std::move(first);
  this->expect_solves(second);
  auto third = factorize(this->exec, this->dominant(shape, 30, 7));
  this->expect_solves(third);
  third = std::move(second);
  EXPECT_EQ(third.n(), 50);
  this->expect_solves(third);
  using Factor = CholeskyFactor<TypeParam>;
  static_assert(std::is_move_constructible_v<Factor> && std::is_move_assignable_v<Factor>);
  static_assert(!std::is_copy_constructible_v<Factor>);
}

TYPED_TEST(PiecesTest, ProgressEndsWithAll) {
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t tile : {7, 16, 200}) {
      std::vector<std::int64_t> calls;
      Progress progress;
      if (this->rank == 0) {  // the other ranks pass none
        progress = [&](std::int64_t done, std::int64_t all) {
          EXPECT_EQ(all, 101);
          calls.push_back(done);
        };
      }
      const auto l = factorize(this->exec, this->dominant(shape, 101, tile), progress);
      if (this->rank == 0) {
        ASSERT_FALSE(calls.empty());
        EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end()));
        EXPECT_GE(calls.front(), 0);
        EXPECT_EQ(calls.back(), 101);
      }
    }
  }
}

TYPED_TEST(PiecesTest, FactorizeThrowsAndTheNextCallWorks) {
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t k : {0, 15, 16, 40}) {
      ShardedMatrix<TypeParam> bad(ProcessGrid(this->comm, shape), 41, 8);
      bad.fill(this->exec, Planted<TypeParam>{Defect::negative_pivot, k});
      try {
        factorize(this->exec, std::move(bad));
        ADD_FAILURE() << "did not throw";
      } catch (const NotPositiveDefinite& e) {
        EXPECT_EQ(e.leading_minor(), k + 1);
      }
      this->expect_solves(factorize(this->exec, this->dominant(shape, 41, 8)));
    }
  }
}

}  // namespace
}  // namespace tessera::testing
