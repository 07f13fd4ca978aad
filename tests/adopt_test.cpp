// SPDX-License-Identifier: BSD-3-Clause
#include "alike.hpp"
#include "callers_array.hpp"
#include "factor_operations.hpp"
#include "jacobians.hpp"
#include "lapack.hpp"
#include "misuse.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// Matrices in the caller's local array, on grids of either order, beside ones in memory of their own; and factors that
// were made elsewhere.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

template <class T>
struct AdoptTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int ranks = size_of(comm);
  Exec exec;

  /// Grids of all shapes and orders.
  std::vector<ProcessGrid> grids() const {
    std::vector<ProcessGrid> result;
    for (const GridShape shape : all_grids(ranks)) {
      for (const GridOrder order : {GridOrder::row_major, GridOrder::column_major}) {
        result.emplace_back(comm, shape, MpiBuffers::automatic, order);
      }
    }
    return result;
  }

  /// body(grid, n, tile), with a trace.
  template <class Body>
  void on_all(const std::vector<std::pair<std::int64_t, std::int64_t>>& sizes, const Body& body) const {
    for (const ProcessGrid& grid : grids()) {
      for (const auto& [n, tile] : sizes) {
        SCOPED_TRACE("n " + std::to_string(n) + ", tile " + std::to_string(tile) + ", " + std::to_string(grid.rows()) +
                     " x " + std::to_string(grid.cols()) +
                     (grid.order() == GridOrder::row_major ? ", by rows" : ", by columns"));
        body(grid, n, tile);
      }
    }
  }

  /// A matrix in memory of its own.
  template <class F>
  ShardedMatrix<T> own(const ProcessGrid& grid, std::int64_t n, std::int64_t tile, const F& f) const {
    ShardedMatrix<T> matrix(grid, n, tile);
    matrix.fill(exec, f);
    return matrix;
  }

  HostMatrix<T> result(FactorOperation operation, const CholeskyFactor<T>& l) const {
    const Kokkos::View<T**, Kokkos::LayoutLeft, Space> b("b", static_cast<std::size_t>(l.n()), 3);
    set_noise(b, 11);
    call(operation, l, exec, b);
    return to_host(b);
  }
  HostMatrix<Real<T>> inverse_diagonal(const CholeskyFactor<T>& l) const {
    const Kokkos::View<Real<T>*, Space> d("d", static_cast<std::size_t>(l.n()));
    l.inverse_diagonal(exec, d);
    return to_host(d);
  }
};
TYPED_TEST_SUITE(AdoptTest, Scalars);

using Sizes = std::vector<std::pair<std::int64_t, std::int64_t>>;

// A factor on one order of ranks has the numbers of the other, and each rank those of its own place.
TYPED_TEST(AdoptTest, GridsOfEitherOrder) {
  using T = TypeParam;
  for (const ProcessGrid& grid : this->grids()) {
    const bool by_rows = grid.order() == GridOrder::row_major;
    EXPECT_EQ(grid.rank(), by_rows ? grid.row() * grid.cols() + grid.col() : grid.col() * grid.rows() + grid.row());
    for (int rank = 0; rank < grid.size(); ++rank) {
      EXPECT_EQ(grid.rank_of(grid.row_of(rank), grid.col_of(rank)), rank);
    }
  }
  this->on_all({{0, 4}, {3, 4}, {101, 9}}, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile) {
    const System<T> system(this->comm, n);
    const auto from_rows = sharded(grid, system, tile);
    EXPECT_EQ(lower_tiles(from_rows), lower_tiles(this->own(grid, n, tile, system.f)));
    const auto l = factorize(this->exec, this->own(grid, n, tile, system.f));
    Kokkos::View<T*> b("b", static_cast<std::size_t>(n));
    Kokkos::deep_copy(b, system.b);
    l.solve(this->exec, b);
    EXPECT_TRUE(same_on_all_ranks(this->comm, to_host(b)));
    EXPECT_TRUE(system.is_solved_by(to_host(b)));
    const auto expected = factorize(this->exec, this->own(ProcessGrid(this->comm, grid.shape()), n, tile, system.f));
    EXPECT_EQ(l.log_determinant(), expected.log_determinant());
    for (const FactorOperation operation : factor_operations) {
      EXPECT_TRUE(same_bits(this->result(operation, l), this->result(operation, expected))) << operation;
    }
    const auto d = this->inverse_diagonal(l);
    const auto expected_d = this->inverse_diagonal(expected);
    for (std::int64_t i = 0; i < n; ++i) EXPECT_NEAR(d(i, 0), expected_d(i, 0), 4 * epsilon<T>());  // sums go by ranks
    const Shards shards = even_shards(n, this->ranks);
    const auto begin = shards[static_cast<std::size_t>(grid.rank())];
    const auto mine = Kokkos::make_pair(begin, shards[static_cast<std::size_t>(grid.rank()) + 1]);
    const Kokkos::View<T*> some("some", static_cast<std::size_t>(mine.second - begin));
    Kokkos::deep_copy(some, Kokkos::subview(system.b, mine));
    l.solve(this->exec, ByRows{some});
    const auto x = to_host(b);
    const auto rows = to_host(some);
    for (std::size_t i = 0; i < rows.extent(0); ++i) EXPECT_EQ(rows(i, 0), x(static_cast<std::size_t>(begin) + i, 0));
  });
}

TYPED_TEST(AdoptTest, GramsOnGridsOfEitherOrder) {
  using T = TypeParam;
  const Jacobian<T> j;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    this->on_all({{40, 9}}, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile) {
      const std::int64_t samples = form == GramForm::j_jh ? n : 33;
      const std::int64_t parameters = form == GramForm::j_jh ? 33 : n;
      const auto jacobian =
          make_samples<Kokkos::View<T**>>(even_shards(samples, this->ranks), grid.rank(), parameters, j);
      const auto solution_on = [&](const ProcessGrid& on) {
        ShardedMatrix<T> matrix(on, n, tile);
        matrix.fill(this->exec, Dominant<T>{n});
        add_gram(this->exec, Gram{jacobian, {form, 1, true, true}}, matrix);
        return this->result(FactorOperation::solve, factorize(this->exec, std::move(matrix)));
      };
      EXPECT_TRUE(same_bits(solution_on(grid), solution_on(ProcessGrid(this->comm, grid.shape()))));
    });
  }
}

// The same calls as on a matrix in its own memory: the same bits, and above the diagonal all that was there.
TYPED_TEST(AdoptTest, EveryCall) {
  using T = TypeParam;
  this->on_all({{0, 4}, {1, 4}, {5, 2}, {101, 7}, {203, 64}}, [&](const ProcessGrid& grid, std::int64_t n,
                                                                  std::int64_t tile) {
    const Dominant<T> f{n};
    const CallersArray<T> array(grid, n, tile, f);
    auto adopted = ShardedMatrix<T>::adopt(grid, n, tile, array.view());
    auto own = this->own(grid, n, tile, f);
    EXPECT_TRUE(adopted.is_adopted());
    EXPECT_EQ(adopted.reserve(), 0);
    EXPECT_EQ(norm_one(this->exec, adopted), norm_one(this->exec, own));
    EXPECT_EQ(inner_product(this->exec, adopted, Dominant<T>{n, 7}), inner_product(this->exec, own, Dominant<T>{n, 7}));
    EXPECT_TRUE(array.keeps_the_rest());

    auto l = factorize(this->exec, std::move(adopted));
    auto expected = factorize(this->exec, std::move(own));
    EXPECT_TRUE(array.keeps_the_rest());
    EXPECT_TRUE(alike<T>(lower_tiles(l.matrix()), lower_tiles(expected.matrix())));
    EXPECT_TRUE(alike<T>(l.log_determinant(), expected.log_determinant()));
    for (const FactorOperation operation : factor_operations) {
      EXPECT_TRUE(alike<T>(this->result(operation, l), this->result(operation, expected))) << operation;
    }
    EXPECT_TRUE(alike<T>(l.reciprocal_condition(this->exec, 2), expected.reciprocal_condition(this->exec, 2)));
    EXPECT_TRUE(alike<T>(this->inverse_diagonal(l), this->inverse_diagonal(expected)));
    EXPECT_TRUE(array.keeps_the_rest());

    const auto inverse = invert(this->exec, std::move(l));
    EXPECT_TRUE(inverse.is_adopted());
    EXPECT_TRUE(alike<T>(lower_tiles(inverse), lower_tiles(invert(this->exec, std::move(expected)))));
    EXPECT_TRUE(array.keeps_the_rest());
  });
}

TYPED_TEST(AdoptTest, Integers) {
  using T = TypeParam;
  this->on_all({{0, 4}, {101, 7}, {203, 64}}, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile) {
    const Dominant<T> f{n};
    const CallersArray<T> array(grid, n, tile, f);
    const FactorizeOptions options{.arithmetic = Arithmetic::integer};
    const auto l = factorize(this->exec, ShardedMatrix<T>::adopt(grid, n, tile, array.view()), options);
    EXPECT_TRUE(alike<T>(lower_tiles(l.matrix()),
                         lower_tiles(factorize(this->exec, this->own(grid, n, tile, f), options).matrix())));
    EXPECT_TRUE(array.keeps_the_rest());
  });
}

TYPED_TEST(AdoptTest, FailuresToo) {
  using T = TypeParam;
  this->on_all({{40, 3}, {101, 40}}, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile) {
    for (const Arithmetic arithmetic : {Arithmetic::native, Arithmetic::integer}) {
      const CallersArray<T> array(grid, n, tile, Planted<T>{Defect::negative_pivot, n / 2});
      try {
        factorize(this->exec, ShardedMatrix<T>::adopt(grid, n, tile, array.view()),
                  FactorizeOptions{.arithmetic = arithmetic});
        ADD_FAILURE() << "no exception";
      } catch (const NotPositiveDefinite& e) {
        EXPECT_EQ(e.leading_minor(), n / 2 + 1);
      }
      EXPECT_TRUE(array.keeps_the_rest());

      const CallersArray<T> other(grid, n, tile, Dominant<T>{n});
      const auto stop = [](std::int64_t, std::int64_t) { throw std::runtime_error("stop"); };
      EXPECT_THROW(factorize(this->exec, ShardedMatrix<T>::adopt(grid, n, tile, other.view()),
                             FactorizeOptions{.progress = stop, .arithmetic = arithmetic}),
                   std::runtime_error);
      EXPECT_TRUE(other.keeps_the_rest());
    }
  });
}

// A View that owns its memory is kept; one that does not may be part of a larger array.
TYPED_TEST(AdoptTest, ViewsOfAnyKind) {
  using T = TypeParam;
  this->on_all({{40, 3}}, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile) {
    const Dominant<T> f{n};
    const auto expected = this->result(FactorOperation::solve, factorize(this->exec, this->own(grid, n, tile, f)));
    const auto expect_solves = [&](ShardedMatrix<T>&& matrix) {
      const auto l = factorize(this->exec, std::move(matrix));
      EXPECT_EQ(matrix.n(), 0);
      EXPECT_TRUE(alike<T>(this->result(FactorOperation::solve, l), expected));
    };
    expect_solves(ShardedMatrix<T>::adopt(grid, n, tile, CallersArray<T>(grid, n, tile, f).view()));

    const CallersArray<T> array(grid, n, tile, f);
    const Kokkos::View<T**, Kokkos::LayoutLeft, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>> unmanaged(array.view());
    const std::pair<std::size_t, std::size_t> rows{0, array.view().extent(0) - 3};
    const Kokkos::View<T**, Kokkos::LayoutStride, Space> strided(Kokkos::subview(unmanaged, rows, Kokkos::ALL));
    expect_solves(ShardedMatrix<T>::adopt(grid, n, tile, strided));
    EXPECT_TRUE(array.keeps_the_rest());
  });
}

// L by LAPACK, in memory of its own and in the caller's.
TYPED_TEST(AdoptTest, FactorsMadeElsewhere) {
  using T = TypeParam;
  this->on_all({{0, 4}, {1, 4}, {90, 8}}, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile) {
    const System<T> system(this->comm, n);
    const Lapack<T> lapack(n, system.f);
    const auto l_of = [&](std::int64_t i, std::int64_t j) { return lapack.l(i, j); };
    const CallersArray<T> array(grid, n, tile, l_of);
    ShardedMatrix<T> own(grid, n, tile);
    const auto from = ShardedMatrix<T>::adopt(grid, n, tile, array.view());
    for (std::int64_t s = 0; s < own.layout().count(); ++s) {
      Kokkos::deep_copy(own.slab_block(s).a, from.slab_block(s).a);
    }
    const double determinant = factorize(this->exec, this->own(grid, n, tile, system.f)).log_determinant();
    const auto expect_factor = [&](const CholeskyFactor<T>& l) {
      EXPECT_NEAR(l.log_determinant(), determinant, 10 * static_cast<double>(n + 1) * epsilon<T>());
      Kokkos::View<T*> b("b", static_cast<std::size_t>(n));
      Kokkos::deep_copy(b, system.b);
      l.solve(this->exec, b);
      EXPECT_TRUE(system.is_solved_by(to_host(b)));
    };
    expect_factor(CholeskyFactor<T>::adopt(std::move(own)));
    EXPECT_EQ(own.n(), 0);
    expect_factor(CholeskyFactor<T>::adopt(this->exec, ShardedMatrix<T>::adopt(grid, n, tile, array.view())));
    EXPECT_TRUE(array.keeps_the_rest());
  });
}

struct AdoptMisuseTest : MisuseTest {
  static constexpr std::int64_t n = 24;
  static constexpr std::int64_t tile = 4;
  ProcessGrid grid{comm};
  CallersArray<double> array{grid, n, tile, Dominant<double>{n}};

  template <class View>
  void expect_refused(const View& view, const std::vector<std::string>& words) const {
    wrong("view", words, [&](bool is_wrong) {
      is_wrong ? ShardedMatrix<double>::adopt(grid, n, tile, view)
               : ShardedMatrix<double>::adopt(grid, n, tile, array.view());
    });
  }
};

TEST_F(AdoptMisuseTest, Arrays) {
  using Layout = Kokkos::LayoutStride;
  using Strided = Kokkos::View<double**, Layout, Space>;
  const std::size_t rows = array.view().extent(0) - 3;
  const std::size_t columns = array.view().extent(1) - 1;
  const auto view = [&](std::size_t m, std::size_t step, std::size_t count, std::size_t leading) {
    return Strided(array.view().data(), Layout(m, step, count, leading));
  };
  expect_refused(view(rows - 1, 1, columns, rows), {std::to_string(rows - 1) + " x " + std::to_string(columns)});
  expect_refused(view(rows, 1, columns - 1, rows), {std::to_string(rows) + " x " + std::to_string(columns - 1)});
  expect_refused(view(rows, 2, columns, rows), {"stride 1", "got 2"});
  expect_refused(view(rows, 1, columns, rows - 1), {"leading dimension", "got " + std::to_string(rows - 1)});
  expect_refused(view(rows, 1, columns, std::size_t{1} << 31), {"leading dimension", "2147483648"});
  for (const std::int64_t wrong_tile : {-1, 0}) {
    wrong("tile", {std::to_string(wrong_tile)},
          [&](bool is_wrong) { ShardedMatrix<double>::adopt(grid, n, is_wrong ? wrong_tile : tile, array.view()); });
  }
  wrong("n", {"-1"}, [&](bool is_wrong) { ShardedMatrix<double>::adopt(grid, is_wrong ? -1 : n, tile, array.view()); });
  wrong_on_one("n", {"23", "24"},
               [&](bool is_wrong) { ShardedMatrix<double>::adopt(grid, is_wrong ? 23 : n, tile, array.view()); });
  wrong_on_one("operation", {"adopt", "ShardedMatrix"}, [&](bool is_wrong) {
    is_wrong ? ShardedMatrix<double>::adopt(grid, n, tile, array.view()) : ShardedMatrix<double>(grid, n, tile);
  });
}

TEST_F(AdoptMisuseTest, Orders) {
  const auto make = [&](GridOrder order) { ProcessGrid(comm, nearly_square(ranks), MpiBuffers::automatic, order); };
  wrong("order", {"7"}, [&](bool is_wrong) { make(is_wrong ? static_cast<GridOrder>(7) : GridOrder::row_major); });
  wrong_on_one("order", {"0", "1"},
               [&](bool is_wrong) { make(is_wrong ? GridOrder::row_major : GridOrder::column_major); });
}

TEST_F(AdoptMisuseTest, FactorsWithoutAPositiveDiagonal) {
  for (const double pivot : {0., -1., HUGE_VAL, std::numeric_limits<double>::quiet_NaN()}) {
    const CallersArray<double> bad(grid, n, tile,
                                   [&](std::int64_t i, std::int64_t j) { return i == 5 && j == 5 ? pivot : 1.; });
    auto l = ShardedMatrix<double>::adopt(grid, n, tile, bad.view());
    expect("l", {"L\\(5, 5\\)", std::to_string(pivot)}, true,
           [&](bool) { CholeskyFactor<double>::adopt(Exec{}, std::move(l)); });
    EXPECT_EQ(l.n(), n);
  }
}

}  // namespace
}  // namespace tessera::testing
