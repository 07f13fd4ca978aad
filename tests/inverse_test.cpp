// SPDX-License-Identifier: BSD-3-Clause
#include "failing_messages.hpp"
#include "lapack.hpp"
#include "poison.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// The inverse of A, and its diagonal: beside LAPACK's, and by what A times it leaves of the identity.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

/// An ill-conditioned Hermitian positive definite matrix: a smooth kernel and a small shift.
template <class T>
struct Smooth {
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const double distance = static_cast<double>(i - j) / 6;
    const double shift = i == j ? (sizeof(Real<T>) == sizeof(double) ? 1e-9 : 1e-3) : 0;
    const double size = std::exp(-distance * distance);
    return scalar<T>(size * std::cos(distance) + shift, size * std::sin(distance));
  }
};

template <class T>
struct InverseTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  Exec exec;

  template <class F>
  CholeskyFactor<T> factor(GridShape shape, std::int64_t n, std::int64_t tile, std::int64_t slab, const F& f) const {
    ShardedMatrix<T> a(ProcessGrid(comm, shape), n, tile, slab);
    a.fill(exec, f);
    return factorize(exec, std::move(a));
  }
  CholeskyFactor<T> factor(GridShape shape, std::int64_t n, std::int64_t tile) const {
    return factor(shape, n, tile, 3 * tile, Dominant<T>{n});
  }

  /// inverse_diagonal in a View of any kind.
  template <class D>
  HostMatrix<Real<T>> diagonal_in(const D& d, const CholeskyFactor<T>& l) const {
    set(d, [](std::int64_t) { return Real<T>(NAN); });
    l.inverse_diagonal(exec, d);
    const auto result = to_host(d);
    EXPECT_TRUE(same_on_all_ranks(comm, result));
    return result;
  }
  HostMatrix<Real<T>> diagonal(const CholeskyFactor<T>& l) const {
    return diagonal_in(Kokkos::View<Real<T>*, Space>("d", static_cast<std::size_t>(l.n())), l);
  }

  /// With one chunk at a time.
  HostMatrix<Real<T>> diagonal_by_one_slot(const CholeskyFactor<T>& l) const {
    const auto n = static_cast<std::size_t>(l.n());
    const HostMatrix<Real<T>> result("d", n, 1);
    detail::Memory<Space> memory;
    const auto deliver = [&](const Real<T>* diagonal) {
      Kokkos::deep_copy(Kokkos::subview(result, Kokkos::ALL, 0), Kokkos::View<const Real<T>*, Space>(diagonal, n));
    };
    detail::inverse_diagonal<T>(exec, l, memory, deliver, {.slots = 1});
    return result;
  }

  /// All of a Hermitian matrix on every rank, from the lower triangle of its tiles. The diagonal must be real, and the
  /// rest of the tiles finite.
  HostMatrix<T> whole(const ShardedMatrix<T>& matrix) const {
    const auto n = static_cast<std::size_t>(matrix.n());
    const HostMatrix<T> result("whole", n, n);
    const HostTiles tiles(matrix);
    std::int64_t wrong = 0;
    for (GlobalTile j{0}; j < matrix.columns().tiles_end(); ++j) {
      for (GlobalTile i = j; i < matrix.rows().tiles_end(); ++i) {
        if (!matrix.has_tile(i, j)) continue;
        const auto tile = tiles(i, j);
        const auto row = static_cast<std::size_t>(matrix.rows().begin(i).value);
        const auto column = static_cast<std::size_t>(matrix.columns().begin(j).value);
        for (std::size_t r = 0; r < tile.extent(0); ++r) {
          for (std::size_t c = 0; c < tile.extent(1); ++c) {
            if (!std::isfinite(std::abs(wide(tile(r, c))))) ++wrong;
            if (row + r == column + c && wide(tile(r, c)).imag() != 0) ++wrong;
            if (row + r >= column + c) result(row + r, column + c) = tile(r, c);
          }
        }
      }
    }
    EXPECT_EQ(wrong, 0);
    const MPI_Datatype real = sizeof(Real<T>) == sizeof(float) ? MPI_FLOAT : MPI_DOUBLE;
    MPI_Allreduce(MPI_IN_PLACE, result.data(), static_cast<int>(result.size() * sizeof(T) / sizeof(Real<T>)), real,
                  MPI_SUM, comm);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < i; ++j) result(j, i) = detail::conj(result(i, j));
    }
    return result;
  }

  static HostMatrix<T> identity(std::int64_t n) {
    const HostMatrix<T> one("identity", static_cast<std::size_t>(n), static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) one(i, i) = T(1);
    return one;
  }

  /// Of what `factor` factors.
  void expect_solves(const HostMatrix<T>& inverse) const {
    const std::size_t n = inverse.extent(0);
    const HostMatrix<T> b("b", n, 1);
    const HostMatrix<T> x("x", n, 1);
    set_noise(b, 5);
    for (std::size_t i = 0; i < n; ++i) {
      Wide sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += wide(inverse(i, j)) * wide(b(j, 0));
      x(i, 0) = scalar<T>(static_cast<double>(sum.real()), static_cast<double>(sum.imag()));
    }
    const auto rows = static_cast<std::int64_t>(n);
    EXPECT_LE(backward_error(rows, Dominant<T>{rows}, 0, x, b), 4 * epsilon<T>());
  }

  void expect_diagonal(const HostMatrix<Real<T>>& d, const HostMatrix<T>& inverse, double bound) const {
    for (std::size_t i = 0; i < d.size(); ++i) {
      const double exact = static_cast<double>(detail::real(inverse(i, i)));
      EXPECT_NEAR(static_cast<double>(d.data()[i]), exact, bound * exact) << i;
    }
  }
};
TYPED_TEST_SUITE(InverseTest, Scalars);

TYPED_TEST(InverseTest, AsLapacks) {
  using T = TypeParam;
  for (const std::int64_t n : {1, 2, 5, 37, 130}) {
    const std::vector<T> expected = Lapack<T>(n, Dominant<T>{n}).inverse();
    const double bound = (8 + static_cast<double>(n)) * epsilon<T>();
    for (const GridShape shape : all_grids(this->ranks)) {
      for (const std::int64_t tile : {1, 7, 32, 1000}) {
        if (n > 20 * tile) continue;  // many tiles, and nothing new
        for (const std::int64_t slab : {std::int64_t{0}, tile}) {
          SCOPED_TRACE(::testing::Message() << "n " << n << ", tile " << tile << ", slab " << slab << ", " << shape.rows
                                            << " x " << shape.cols);
          auto l = this->factor(shape, n, tile, slab, Dominant<T>{n});
          const auto d = this->diagonal(l);
          const auto inverse = this->whole(invert(this->exec, std::move(l)));
          EXPECT_EQ(l.n(), 0);
          this->expect_diagonal(d, inverse, bound);
          double worst = 0;  // ||A^-1|| is about 1
          for (std::int64_t j = 0; j < n; ++j) {
            for (std::int64_t i = j; i < n; ++i) {
              const auto error = std::abs(wide(inverse(i, j)) - wide(expected[static_cast<std::size_t>(i + j * n)]));
              worst = std::max(worst, static_cast<double>(error));
            }
          }
          EXPECT_LE(worst, bound);
          if (this->rank == 0 && slab == tile && n > 100) {
            EXPECT_LE(backward_error(n, Dominant<T>{n}, 0, inverse, this->identity(n)), 2 * epsilon<T>());
          }
        }
      }
    }
  }
}

TYPED_TEST(InverseTest, OfAnIllConditionedMatrix) {
  using T = TypeParam;
  const std::int64_t n = 101;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t tile : {16, 200}) {
      SCOPED_TRACE(::testing::Message() << "tile " << tile << ", " << shape.rows << " x " << shape.cols);
      const Smooth<T> f;
      auto l = this->factor(shape, n, tile, 0, f);
      const auto d = this->diagonal(l);
      const auto inverse = this->whole(invert(this->exec, std::move(l)));
      if (this->rank > 0) continue;  // the result is the same everywhere
      double norm_of_a = 0;
      double norm = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          norm_of_a += static_cast<double>(std::norm(wide(f(i, j))));
          norm += static_cast<double>(std::norm(wide(inverse(i, j))));
        }
      }
      // Columns solve their systems to a few epsilon; but the upper half comes from the columns of others, which err in
      // their own way, each by what the condition of L allows. Not so in place, where A^-1 is a product X^H X.
      const double condition_of_l = std::sqrt(std::sqrt(norm_of_a) * std::sqrt(norm));
      const bool in_place = this->ranks == 1;
      EXPECT_LE(backward_error(n, f, 0, inverse, this->identity(n)), (in_place ? 1 : condition_of_l) * epsilon<T>());
      this->expect_diagonal(d, inverse, condition_of_l * condition_of_l * epsilon<T>());
    }
  }
}

// More chunks of columns than slots, each of one wide tile, and of several.
TYPED_TEST(InverseTest, ByManyChunksAndLateMessages) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const auto& [n, tile] : {std::pair<std::int64_t, std::int64_t>{530, 130}, {530, 60}}) {
      SCOPED_TRACE(::testing::Message() << "tile " << tile << ", " << shape.rows << " x " << shape.cols);
      auto l = this->factor(shape, n, tile);
      const auto d = this->diagonal(l);
      EXPECT_TRUE(same_bits(this->diagonal(l), d));
      EXPECT_TRUE(same_bits(this->diagonal_by_one_slot(l), d));
      const auto inverse = invert(this->exec, std::move(l));
      auto again = this->factor(shape, n, tile);
      profile::delay(7, 200);
      const auto late = this->diagonal(again);
      const auto late_inverse = invert(this->exec, std::move(again));
      profile::delay(0, 0);
      EXPECT_TRUE(same_bits(late, d));
      EXPECT_TRUE(lower_tiles(late_inverse) == lower_tiles(inverse));

      const auto all = this->whole(inverse);
      this->expect_diagonal(d, all, 100 * epsilon<T>());
      if (this->rank > 0 || static_cast<std::size_t>(shape.rows) % 4 != scalar_number<T> % 2) continue;
      this->expect_solves(all);
    }
  }
}

// On a device alone a slab's triangle is divided.
TYPED_TEST(InverseTest, OfWideSlabs) {
  using T = TypeParam;
  constexpr std::int64_t n = 1700;
  for (const std::int64_t slab : {1680, 1140}) {
    auto l = this->factor(nearly_square(this->ranks), n, 60, slab, Dominant<T>{n});
    const auto d = this->diagonal(l);
    const auto inverse = this->whole(invert(this->exec, std::move(l)));
    this->expect_diagonal(d, inverse, 100 * epsilon<T>());
    if (this->rank == 0) this->expect_solves(inverse);
  }
}

TYPED_TEST(InverseTest, AnyView) {
  using T = TypeParam;
  using R = Real<T>;
  const std::size_t n = 67;
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto l = this->factor(shape, static_cast<std::int64_t>(n), 16);
    const auto expected = this->diagonal(l);
    const auto expect_same = [&](const auto& d) { EXPECT_TRUE(same_bits(this->diagonal_in(d, l), expected)); };
    expect_same(Kokkos::View<R*, Kokkos::LayoutStride, Space>("d", Kokkos::LayoutStride(n, 3)));
    expect_same(Kokkos::subview(Kokkos::View<R**, Kokkos::LayoutRight, Space>("d", n, 3), Kokkos::ALL, 1));
    expect_same(Kokkos::subview(Kokkos::View<R*, Space>("d", n + 5), Kokkos::make_pair(std::size_t{2}, n + 2)));
    expect_same(Kokkos::View<R*, Kokkos::HostSpace>("d", n));
  }
  auto nothing = this->factor(nearly_square(this->ranks), 0, 4);
  nothing.inverse_diagonal(this->exec, Kokkos::View<R*, Space>("d", 0));
  EXPECT_EQ(invert(this->exec, std::move(nothing)).n(), 0);
}

TYPED_TEST(InverseTest, AboveTheDiagonalMayBeAnything) {
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t tile : {7, 32, 200}) {
      SCOPED_TRACE(::testing::Message() << "tile " << tile << ", " << shape.rows << " x " << shape.cols);
      auto l = this->factor(shape, 101, tile);
      const auto d = this->diagonal(l);
      const auto inverse = invert(this->exec, std::move(l));
      auto poisoned = this->factor(shape, 101, tile);
      poison_above_diagonal(this->exec, poisoned.matrix());
      EXPECT_TRUE(same_bits(this->diagonal(poisoned), d));
      EXPECT_TRUE(lower_tiles(invert(this->exec, std::move(poisoned))) == lower_tiles(inverse));
    }
  }
}

TYPED_TEST(InverseTest, MessagesThatFailOnOneRank) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  int culprit = 0;
  int failed_in_all = 0;
  for (const GridShape shape : all_grids(this->ranks)) {
    auto l = this->factor(shape, 24, 5);
    const auto expected = this->diagonal(l);
    const Kokkos::View<Real<TypeParam>*, Space> d("d", 24);
    for (const std::string name : {"MPI_Irecv", "MPI_Isend"}) {
      SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols);
      culprit = (culprit + 1) % this->ranks;
      const auto diagonal = [&] { l.inverse_diagonal(this->exec, d); };
      int skip = 0;
      for (; ends_everywhere(this->comm, culprit, name, skip, diagonal); skip += 1 + skip / 2) ++failed_in_all;
      EXPECT_TRUE(same_bits(this->diagonal(l), expected));
      bool failed = true;
      for (skip = 0; failed; skip += 1 + skip / 2) {
        auto lost = this->factor(shape, 24, 5);
        failed = ends_everywhere(this->comm, culprit, name, skip, [&] { invert(this->exec, std::move(lost)); });
        failed_in_all += failed ? 1 : 0;
        EXPECT_EQ(lost.n(), 0);
      }
    }
  }
  EXPECT_GT(failed_in_all, 8);
}

}  // namespace
}  // namespace tessera::testing
