// SPDX-License-Identifier: BSD-3-Clause
#include "callers_array.hpp"
#include "failing_messages.hpp"
#include "misuse.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

// Copies to and from arrays as ScaLAPACK distributes them, element by element.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

/// All but ranks and grids that a descriptor has, with an n x n matrix at (ia, ja).
struct Case {
  std::int64_t n;
  std::int64_t tile;  // of the matrix
  std::int64_t m;
  std::int64_t columns;
  std::int64_t block;
  std::int64_t ia;
  std::int64_t ja;
};
constexpr Case cases[] = {{0, 4, 0, 0, 3, 0, 0},     {0, 4, 5, 5, 3, 5, 2},        {1, 4, 1, 1, 3, 0, 0},
                          {3, 1, 9, 7, 2, 5, 1},     {40, 8, 40, 40, 8, 0, 0},     {40, 7, 60, 51, 4, 13, 11},
                          {40, 5, 40, 44, 64, 0, 4}, {101, 16, 130, 128, 9, 9, 27}};

/// Who has an element of the array, and where, by ScaLAPACK's INDXG2P and INDXG2L.
struct Dimension {
  std::int64_t block;
  int processes;
  int source;

  int owner(std::int64_t i) const { return static_cast<int>((i / block + source) % processes); }
  std::int64_t local(std::int64_t i) const { return i / (block * processes) * block + i % block; }
  std::int64_t extent(std::int64_t n, int process) const {  // NUMROC
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; ++i) count += owner(i) == process ? 1 : 0;
    return count;
  }
};

/// What is at (i, j) of an array where a copy must not read or write; each place has its own.
template <class T>
T elsewhere(std::int64_t i, std::int64_t j) {
  return scalar<T>(1000 + static_cast<double>(i), -1000 - static_cast<double>(j));
}

template <class T>
struct ScalapackCopiesTest : ::testing::Test {
  template <class MemorySpace>
  using Array = Kokkos::View<T**, Kokkos::LayoutLeft, MemorySpace>;

  MPI_Comm comm = MPI_COMM_WORLD;
  int ranks = size_of(comm);
  Exec exec;

  /// An array's local part, of which element (i, j) is f(i, j); between columns, elsewhere(-1, -1).
  template <class MemorySpace, class F>
  static ScalapackArray<Array<MemorySpace>> make(const ProcessGrid& grid, const Case& c, int rsrc, int csrc,
                                                 const F& f) {
    const Dimension rows{c.block, grid.rows(), rsrc};
    const Dimension columns{c.block, grid.cols(), csrc};
    const std::int64_t height = rows.extent(c.m, grid.row());
    const std::int64_t width = columns.extent(c.columns, grid.col());
    const Array<MemorySpace> local("array", static_cast<std::size_t>(height + 2), static_cast<std::size_t>(width));
    const auto host = Kokkos::create_mirror_view(local);
    Kokkos::deep_copy(host, elsewhere<T>(-1, -1));
    for (std::int64_t i = 0; i < c.m; ++i) {
      if (rows.owner(i) != grid.row()) continue;
      for (std::int64_t j = 0; j < c.columns; ++j) {
        if (columns.owner(j) == grid.col()) host(rows.local(i), columns.local(j)) = f(i, j);
      }
    }
    Kokkos::deep_copy(local, host);
    return {grid, local, c.m, c.columns, c.block, c.block, rsrc, csrc, c.ia, c.ja};
  }

  template <class Layouts>
  static bool same(const Layouts& a, const Layouts& b) {
    return same_bits(to_host(a.local), to_host(b.local));
  }

  /// body(grid of the matrix, of the array, case, rsrc, csrc) for some of each; where there are many, the scalars have
  /// a quarter of them each.
  template <class Body>
  void on_all(const Body& body) const {
    std::size_t number = 0;
    for (const GridShape shape : all_grids(ranks)) {
      for (const GridShape other : all_grids(ranks)) {
        for (const GridOrder order : {GridOrder::row_major, GridOrder::column_major}) {
          const ProcessGrid grid(comm, shape);
          const ProcessGrid grid_of_array(comm, other, MpiBuffers::automatic, order);
          for (const Case& c : cases) {
            ++number;
            if (ranks > 2 && (number + number / std::size(cases)) % 4 != scalar_number<T>) continue;
            SCOPED_TRACE(::testing::Message() << "n " << c.n << ", tile " << c.tile << " on " << shape.rows << " x "
                                              << shape.cols << ", block " << c.block << " on " << other.rows << " x "
                                              << other.cols << ", at " << c.ia << ", " << c.ja);
            body(grid, grid_of_array, c, static_cast<int>(number) % other.rows, static_cast<int>(number) % other.cols);
          }
        }
      }
    }
  }

  template <class MemorySpace>
  void expect_copies() const {
    on_all([&](const ProcessGrid& grid, const ProcessGrid& other, const Case& c, int rsrc, int csrc) {
      const Dominant<T> f{c.n};
      for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
        const bool upper = triangle == Triangle::upper;
        // f in one triangle; NaN would be read, or what is elsewhere written, where nothing is to be
        const auto with = [&](const auto& rest) {
          return make<MemorySpace>(other, c, rsrc, csrc, [&](std::int64_t row, std::int64_t column) {
            const std::int64_t i = row - c.ia;
            const std::int64_t j = column - c.ja;
            const bool inside = i >= 0 && j >= 0 && i < c.n && j < c.n && (upper ? i <= j : i >= j);
            return inside ? f(i, j) : rest(row, column);
          });
        };
        ShardedMatrix<T> expected(grid, c.n, c.tile);
        expected.fill(exec, f);

        const auto array = with([](std::int64_t, std::int64_t) { return scalar<T>(NAN, NAN); });
        ShardedMatrix<T> matrix(grid, c.n, c.tile, 2 * c.tile);
        from_scalapack(exec, array, matrix, triangle);
        EXPECT_EQ(lower_tiles(matrix), lower_tiles(expected));
        if (c.n > 0) {
          EXPECT_TRUE(std::isfinite(factorize(exec, std::move(matrix)).log_determinant()));
        }

        const auto written = make<MemorySpace>(other, c, rsrc, csrc, elsewhere<T>);
        to_scalapack(exec, expected, written, triangle);
        EXPECT_TRUE(same(written, with(elsewhere<T>)));
      }
    });
  }
};
TYPED_TEST_SUITE(ScalapackCopiesTest, Scalars);

TYPED_TEST(ScalapackCopiesTest, AnyDescriptor) { this->template expect_copies<Space>(); }

#ifdef KOKKOS_ENABLE_CUDA
TYPED_TEST(ScalapackCopiesTest, ArraysOfTheHost) { this->template expect_copies<Kokkos::HostSpace>(); }
#endif

// Short messages, to an array that is adopted.
TYPED_TEST(ScalapackCopiesTest, InPieces) {
  using T = TypeParam;
  this->on_all([&](const ProcessGrid& grid, const ProcessGrid& other, const Case& c, int rsrc, int csrc) {
    const auto f = [](std::int64_t i, std::int64_t j) {
      return scalar<T>(noise(i, j, 1), i == j ? 0 : noise(i, j, 2));
    };
    const auto in_array = [&](std::int64_t i, std::int64_t j) { return f(i - c.ia, j - c.ja); };
    const auto array = TestFixture::template make<Space>(other, c, rsrc, csrc, in_array);
    const CallersArray<T> callers(grid, c.n, c.tile, [](std::int64_t, std::int64_t) { return T(0); });
    auto adopted = ShardedMatrix<T>::adopt(grid, c.n, c.tile, callers.view());
    detail::Memory<Space> memory;
    const auto from = detail::described<Exec>(array);
    const detail::DescribedArray<const T> read{from.descriptor, detail::read_only(from.local), from.on_host};
    detail::from_array<T>(this->exec, read, adopted, Triangle::lower, memory, 300);
    EXPECT_EQ(lower_tiles(adopted),
              lower_tiles(ShardedMatrix<T>::adopt(grid, c.n, c.tile, CallersArray<T>(grid, c.n, c.tile, f).view())));
    EXPECT_TRUE(callers.keeps_the_rest());

    const auto written =
        TestFixture::template make<Space>(other, c, rsrc, csrc, [](std::int64_t, std::int64_t) { return T(0); });
    detail::to_array<T>(this->exec, adopted, detail::described<Exec>(written), Triangle::lower, memory, 200);
    EXPECT_TRUE(this->same(
        written, TestFixture::template make<Space>(other, c, rsrc, csrc, [&](std::int64_t i, std::int64_t j) {
          const bool inside = i >= c.ia && j >= c.ja && i < c.ia + c.n && j < c.ja + c.n && i - c.ia >= j - c.ja;
          return inside ? in_array(i, j) : T(0);
        })));
  });
}

// An MPI call that fails on one rank ends the copies, and the factorisation of an array, on all; above the diagonal the
// array is as it was.
TYPED_TEST(ScalapackCopiesTest, MpiErrors) {
  using T = TypeParam;
  if (this->ranks == 1 || scalar_number < T >> 1) GTEST_SKIP();
  const Case c{40, 6, 50, 50, 5, 7, 3};
  const Dominant<T> f{c.n};
  const ProcessGrid grid(this->comm);
  const auto array = TestFixture::template make<Space>(ProcessGrid(this->comm, {1, this->ranks}), c, 0, 0, f);
  ShardedMatrix<T> matrix(grid, c.n, c.tile);
  int failed_in_all = 0;
  for (int culprit = 0; culprit < this->ranks; ++culprit) {
    for (const char* const name : {"MPI_Isend", "MPI_Irecv"}) {
      const auto fails = [&](const auto& call) {
        bool failed = true;
        for (int skip = 0; failed; skip += 1 + skip / 2) {
          failed = call(skip);
          failed_in_all += failed ? 1 : 0;
        }
      };
      const auto ends = [&](int skip, const auto& call) {
        return ends_everywhere(this->comm, culprit, name, skip, call);
      };
      fails([&](int skip) { return ends(skip, [&] { from_scalapack(this->exec, array, matrix); }); });
      fails([&](int skip) { return ends(skip, [&] { to_scalapack(this->exec, matrix, array); }); });
      fails([&](int skip) {
        const CallersArray<T> callers(grid, c.n, c.tile, f);
        auto adopted = ShardedMatrix<T>::adopt(grid, c.n, c.tile, callers.view());
        const bool failed = ends(skip, [&] { factorize(this->exec, std::move(adopted)); });
        EXPECT_TRUE(callers.keeps_the_rest());
        return failed;
      });
    }
  }
  EXPECT_GT(failed_in_all, 8);
}

struct ScalapackMisuseTest : MisuseTest {
  using View = Kokkos::View<double**, Kokkos::LayoutLeft, Space>;
  static constexpr std::int64_t n = 24;
  ProcessGrid grid{comm};
  ProcessGrid column{comm, {ranks, 1}};
  ShardedMatrix<double> matrix{grid, n, 4};
  View local{"array", 40, 40};

  ScalapackArray<View> good() const { return {column, local, 30, 28, 3, 3, 0, 0, 6, 4}; }

  /// Of a descriptor that `spoil` changes.
  template <class Spoil>
  void expect_refused(const std::vector<std::string>& words, const Spoil& spoil) {
    for (const bool from : {false, true}) {
      wrong("array", words, [&](bool is_wrong) {
        ScalapackArray<View> array = good();
        if (is_wrong) spoil(array);
        from ? from_scalapack(Exec{}, array, matrix) : to_scalapack(Exec{}, matrix, array);
      });
    }
  }
};

TEST_F(ScalapackMisuseTest, Descriptors) {
  expect_refused({"mb", "3 and 4"}, [](auto& a) { a.nb = 4; });
  expect_refused({"mb", "0 and 0"}, [](auto& a) { a.mb = a.nb = 0; });
  expect_refused({"rsrc", "-1 and 0"}, [](auto& a) { a.rsrc = -1; });
  expect_refused({"csrc", "0 and 1"}, [](auto& a) { a.csrc = 1; });
  expect_refused({"ia", "7 and 4", "30 x 28"}, [](auto& a) { a.ia = 7; });
  expect_refused({"ja", "6 and -1"}, [](auto& a) { a.ja = -1; });
  expect_refused({"m and n", "-1 and 28"}, [](auto& a) { a.m = -1; });
  expect_refused({"got 2 x 40"}, [](auto& a) { a.local = View("small", 2, 40); });
  wrong("triangle", {"5"}, [&](bool is_wrong) {
    to_scalapack(Exec{}, matrix, good(), is_wrong ? static_cast<Triangle>(5) : Triangle::lower);
  });
}

TEST_F(ScalapackMisuseTest, RanksThatDisagree) {
  wrong_on_one("array ia", {"5", "6"}, [&](bool is_wrong) {
    auto array = good();
    if (is_wrong) array.ia = 5;
    from_scalapack(Exec{}, array, matrix);
  });
  wrong_on_one("operation", {"to_scalapack", "from_scalapack"}, [&](bool is_wrong) {
    is_wrong ? from_scalapack(Exec{}, good(), matrix) : to_scalapack(Exec{}, matrix, good());
  });
  if (ranks == 1) return;
  const ProcessGrid alone(MPI_COMM_SELF);
  expect_refused({"of " + std::to_string(ranks), "0 of 1"}, [&](auto& a) { a.grid = alone; });
}

}  // namespace
}  // namespace tessera::testing
