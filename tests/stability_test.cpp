// SPDX-License-Identifier: BSD-3-Clause
#include "lapack.hpp"
#include "support.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

// Ill-conditioned systems: where LAPACK succeeds with a margin, Tessera does, and is about as accurate.
namespace tessera::testing {
namespace {

using Space = Kokkos::DefaultExecutionSpace::memory_space;

enum class Kind { matern, gaussian, hilbert };

/// Kernels of n points, sorted but for a little noise, in [0, 1], or 1 / (i + j + 1); `level` on the diagonal makes
/// them positive definite in spite of rounding.
template <class T>
struct IllConditioned {
  Kind kind;
  std::int64_t n;
  double level;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const double extra = i == j ? level : 0;
    const double d = std::abs(point(i) - point(j));
    if (kind == Kind::hilbert) return phase(i, j, 1 / static_cast<double>(i + j + 1) + extra);
    if (kind == Kind::gaussian) return phase(i, j, std::exp(-0.5 * d * d / (0.1 * 0.1)) + extra);
    const double r = std::sqrt(5.0) * d / 0.5;
    return phase(i, j, (1 + r + r * r / 3) * std::exp(-r) + extra);
  }

 private:
  KOKKOS_FUNCTION double point(std::int64_t i) const {
    return (static_cast<double>(i) + 0.5 * noise(i, 3, 8)) / static_cast<double>(n);
  }
  /// D A D^H with units on D's diagonal: as well, or ill, conditioned, and complex.
  KOKKOS_FUNCTION static T phase(std::int64_t i, std::int64_t j, double value) {
    if constexpr (is_complex<T>) {
      switch ((i - j) % 4) {
        case 1:
        case -3:
          return scalar<T>(0, value);
        case 2:
        case -2:
          return scalar<T>(-value, 0);
        case 3:
        case -1:
          return scalar<T>(0, -value);
      }
    }
    return scalar<T>(value, 0);
  }
};

template <class T>
struct StabilityTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  double worst = 0;  ///< backward error over LAPACK's
  int compared = 0;

  /// LAPACK's backward error for A x = b, or a negative number where it has no margin.
  double lapacks(const IllConditioned<T>& f, const std::vector<T>& b) const {
    IllConditioned<T> reduced = f;
    reduced.level -= f.level / 4;
    if (Lapack<T>(f.n, reduced).info() != 0) return -1;
    const Lapack<T> l(f.n, f);
    EXPECT_EQ(l.info(), 0);
    std::vector<T> x = b;
    l.solve(x.data());
    return error(f, x.data(), b.data());
  }

  static double error(const IllConditioned<T>& f, const T* x, const T* b) {
    using Column =
        Kokkos::View<const T**, Kokkos::LayoutLeft, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
    const auto n = static_cast<std::size_t>(f.n);
    return backward_error(f.n, f, 0, Column(x, n, 1), Column(b, n, 1));
  }

  /// b is noise, or a column of A: then x is small, and an inaccurate solve shows most.
  void compare(const IllConditioned<T>& f, bool random, const std::vector<std::int64_t>& tiles) {
    const std::int64_t n = f.n;
    std::vector<T> right;
    for (std::int64_t i = 0; i < n; ++i) {
      right.push_back(random ? scalar<T>(noise(i, 0, 4), noise(i, 1, 4)) : f(i, n / 2));
    }
    double reference = rank == 0 ? lapacks(f, right) : 0;
    MPI_Bcast(&reference, 1, MPI_DOUBLE, 0, comm);
    if (reference < 0) return;
    ++compared;
    const auto a = make_rows<Kokkos::View<T**, Kokkos::LayoutRight, Space>>(even_shards(n, ranks), rank, n, f);
    const Kokkos::View<T*, Space> b("b", right.size());
    set(b, [&](std::int64_t k) { return right[static_cast<std::size_t>(k)]; });
    for (const GridShape grid : all_grids(ranks)) {
      for (const std::int64_t tile : tiles) {
        SCOPED_TRACE("n " + std::to_string(n) + ", kind " + std::to_string(static_cast<int>(f.kind)) + ", level " +
                     std::to_string(f.level * 1e16) + "e-16, b " + (random ? "noise" : "of a small solution") +
                     ", tile " + std::to_string(tile) + ", grid rows " + std::to_string(grid.rows));
        const CholeskyOptions options{.local_tile_size = tile, .grid = grid, .on_failure = Failure::fill_nan};
        const auto [x, info] = cholesky_distributed(comm, a, b, options);
        ASSERT_EQ(info.leading_minor, 0) << "LAPACK succeeds, with a quarter of the noise to spare";
        const auto x_host = to_host(x);
        if (rank != 0) continue;
        const double ours = error(f, x_host.data(), right.data());
        worst = std::max(worst, ours / reference);
        EXPECT_LE(ours, std::max(3 * reference, 0.2 * static_cast<double>(n) * epsilon<T>()))
            << "LAPACK's: " << reference;
      }
    }
  }

  void TearDown() override {
    EXPECT_GT(compared, 0) << "LAPACK had no margin anywhere";
    this->RecordProperty("worst_ratio", std::to_string(worst));
    if (rank == 0 && std::getenv("TESSERA_TEST_VERBOSE") != nullptr) {
      std::printf("backward error over LAPACK's: at most %.2f, in %d systems\n", worst, compared);
    }
  }
};
TYPED_TEST_SUITE(StabilityTest, Scalars);

/// What a scalar's noise levels are multiples of: 1e-14 for double.
template <class T>
double smallest_level() {
  return 45 * epsilon<T>();
}

TYPED_TEST(StabilityTest, Kernels) {
  for (const Kind kind : {Kind::matern, Kind::gaussian}) {
    for (const double factor : {10., 1e4}) {
      for (const bool random : {false, true}) {
        this->compare({kind, 331, factor * smallest_level<TypeParam>()}, random, {24, 64, 100, 256});
      }
    }
  }
}

TYPED_TEST(StabilityTest, Hilbert) {
  for (const double factor : {1., 10., 1e4}) {
    for (const bool random : {false, true}) {
      this->compare({Kind::hilbert, 205, factor * smallest_level<TypeParam>()}, random, {24, 64, 100});
    }
  }
}

// Multiplying by inverses of whole diagonal tiles fails here.
TYPED_TEST(StabilityTest, ManySortedPoints) {
  this->compare({Kind::matern, 703, 100 * smallest_level<TypeParam>()}, true, {24, 100, 256});
  if (this->ranks == 1) this->compare({Kind::matern, 1500, 100 * smallest_level<TypeParam>()}, true, {256, 512});
}

}  // namespace
}  // namespace tessera::testing
