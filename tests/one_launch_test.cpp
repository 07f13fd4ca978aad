// SPDX-License-Identifier: BSD-3-Clause
#include "kernels.hpp"
#include "kernels/backend.hpp"
#include "kernels/slabs_of_l.hpp"
#include "matrices.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

// The factorisation in one launch, which a device has: by any number of teams, for slabs of any width. No MPI.
namespace tessera::testing {
namespace {

constexpr int all_teams = std::numeric_limits<int>::max();

template <class T>
struct OneLaunchTest : KernelsTest<T> {
  static constexpr std::int64_t block = kernels::Cholesky<Exec>::block<T>;

  std::int64_t failing_minor = 0;
  double log_determinant = 0;
  std::vector<T> inverses;  // of the blocks on the diagonal

  /// A(i, j) = f(i, j), i >= j, to L, with NaN above the diagonal, in slabs and leaves of so many columns.
  template <class F>
  HostMatrix<T> factor(std::int64_t n, std::int64_t slab_width, std::int64_t leaf_width, int teams, const F& f) {
    using Cholesky = kernels::Cholesky<Exec>;
    const std::int64_t lead = (n + 15) / 16 * 16;
    const Kokkos::View<T**, Kokkos::LayoutLeft, Space> a("a", static_cast<std::size_t>(lead),
                                                         static_cast<std::size_t>(n));
    const auto host = Kokkos::create_mirror_view(a);
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < lead; ++i) host(i, j) = i < j || i >= n ? nothing<T>(i, j) : f(i, j);
    }
    Kokkos::deep_copy(a, host);
    kernels::Slabs<T> slabs{n, slab_width, {}};
    for (std::int64_t first = 0; first < n; first += slab_width) {
      slabs.of[first / slab_width] = {a.data() + first * (1 + lead), lead};
    }
    const std::int64_t blocks = (n + block - 1) / block;
    const std::int64_t leaves = (n + slab_width - 1) / slab_width * ((slab_width + leaf_width - 1) / leaf_width);
    const Kokkos::View<T*, Space> inverted("inverted",
                                           static_cast<std::size_t>(leaves * kernels::inverses_size<T>(leaf_width)));
    const Kokkos::View<double*, Space> logarithms("logarithms", static_cast<std::size_t>(blocks));
    const Kokkos::View<char*, Space> room("room", static_cast<std::size_t>(Cholesky::template workspace_bytes<T>(n)));
    Cholesky::template run<T>(this->queue.exec(),
                              {slabs, leaf_width, inverted.data(), this->failing.data(), logarithms.data()},
                              room.data(), teams);
    this->queue.exec().fence();
    Kokkos::deep_copy(failing_minor, this->failing);
    Kokkos::deep_copy(host, a);
    const auto sums = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), logarithms);
    log_determinant = 0;
    for (std::int64_t j = 0; j < blocks; ++j) log_determinant += sums(j);
    const auto all = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), inverted);
    inverses.clear();
    for (std::int64_t j = 0; j < blocks; ++j) {
      const std::int64_t slab = j * block / slab_width;
      const std::int64_t row = j * block % slab_width;
      const std::int64_t leaf = slab * ((slab_width + leaf_width - 1) / leaf_width) + row / leaf_width;
      const T* const first = all.data() + leaf * kernels::inverses_size<T>(leaf_width) + row % leaf_width * block;
      inverses.insert(inverses.end(), first, first + block * block);
    }
    const HostMatrix<T> l("l", static_cast<std::size_t>(n), static_cast<std::size_t>(n));
    std::int64_t written = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < lead; ++i) {
        if (i >= j && i < n) {
          l(i, j) = host(i, j);
        } else if (detail::real(host(i, j)) == detail::real(host(i, j))) {
          ++written;
        }
      }
    }
    EXPECT_EQ(written, 0) << "numbers above the diagonal, or below the last row, were written";
    return l;
  }
};
TYPED_TEST_SUITE(OneLaunchTest, Scalars);

TYPED_TEST(OneLaunchTest, AnyTeamsAndSlabs) {
  using T = TypeParam;
  for (const std::int64_t n : {1, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 193, 300, 450}) {
    const Dominant<T> f{n};
    // an imaginary part on the diagonal is not read
    const auto a = [&](std::int64_t i, std::int64_t j) { return f(i, j) + (i == j ? scalar<T>(0, 9) : T(0)); };
    const auto l = this->factor(n, n, n, all_teams, a);
    EXPECT_EQ(this->failing_minor, kernels::no_failure);
    long double log_determinant = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      log_determinant += 2 * std::log(static_cast<long double>(detail::real(l(i, i))));
      const std::int64_t first = i / this->block * this->block;
      for (std::int64_t j = first; j <= i; ++j) {
        Sum unity;  // L X = 1
        for (std::int64_t k = j; k <= i; ++k) {
          unity.add(wide(l(i, k)), wide(this->inverses[j * this->block + k - first]));
        }
        this->expect_close(T(i == j ? 1 : 0), unity, n, std::to_string(i) + ", " + std::to_string(j));
      }
      for (std::int64_t j = 0; j <= i; ++j) {
        Sum product;  // L L^H = A
        for (std::int64_t k = 0; k <= j; ++k) product.add(wide(l(i, k)), std::conj(wide(l(j, k))));
        this->expect_close(f(i, j), product, n, std::to_string(i) + ", " + std::to_string(j));
      }
      EXPECT_GT(detail::real(l(i, i)), Real<T>(0));
    }
    EXPECT_NEAR(this->log_determinant, log_determinant,
                1e-13 * static_cast<double>(n) * (1 + std::abs(log_determinant)));
    const double determinant = this->log_determinant;
    const std::vector<T> inverses = this->inverses;
    for (const int teams : {1, 2, 3, 5, all_teams}) {
      for (const auto& [slab, leaf] : {std::array{64, 64}, {128, 128}, {192, 128}, {512, 192}}) {
        SCOPED_TRACE(std::to_string(n) + ", slabs " + std::to_string(slab) + ", teams " + std::to_string(teams));
        const auto again = this->factor(n, slab, leaf, teams, a);
        EXPECT_EQ(std::memcmp(l.data(), again.data(), l.span() * sizeof(T)), 0) << "other bits";
        EXPECT_EQ(this->log_determinant, determinant);
        for (std::int64_t i = 0; i < n; ++i) {
          const std::int64_t column = i * this->block + i % this->block;  // of its block, from the diagonal down
          const std::int64_t rows = std::min(n - i, this->block - i % this->block);
          ASSERT_TRUE(
              std::equal(inverses.begin() + column, inverses.begin() + column + rows, this->inverses.begin() + column))
              << i;
        }
      }
    }
  }
}

TYPED_TEST(OneLaunchTest, FailingMinor) {
  using T = TypeParam;
  const std::int64_t n = 330;
  for (const Defect defect : defects) {
    for (const std::int64_t k : {0, 1, 15, 16, 31, 32, 63, 64, 65, 127, 128, 200, 255, 256, 329}) {
      for (const std::int64_t left : {std::int64_t{0}, k / 2, k - 1}) {
        if (k == 0 && (defect == Defect::nan_on_left || defect == Defect::inf_on_left)) continue;
        SCOPED_TRACE("row " + std::to_string(k) + ", defect " + std::to_string(static_cast<int>(defect)) + ", left " +
                     std::to_string(left));
        for (const int teams : {2, all_teams}) {
          this->factor(n, 128, 128, teams, Planted<T>{defect, k, left});
          EXPECT_EQ(this->failing_minor, k + 1);
        }
        if (defect != Defect::nan_on_left && defect != Defect::inf_on_left) break;  // `left` is of no account
      }
    }
  }
}

TYPED_TEST(OneLaunchTest, UnusualPivots) {
  using T = TypeParam;
  const std::int64_t n = 200;
  for (const Real<T> pivot : unusual_pivots<T>()) {
    for (const std::int64_t k : {0, 15, 16, 63, 64, 150, 199}) {
      SCOPED_TRACE(::testing::Message() << "row " << k << ", pivot " << pivot);
      const LonePivot<T> f{k, pivot};
      const auto l = this->factor(n, n, n, all_teams, f);
      EXPECT_EQ(this->failing_minor, kernels::no_failure);
      const Real<T> root = std::sqrt(pivot);
      const Real<T> got = detail::real(l(k, k));
      EXPECT_TRUE(got == root || std::abs(got - root) <= 4 * epsilon<T>() * root) << got << ", not " << root;
    }
  }
}

}  // namespace
}  // namespace tessera::testing
