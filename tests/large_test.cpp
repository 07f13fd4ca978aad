// SPDX-License-Identifier: BSD-3-Clause
#include "entries.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

// A matrix with more numbers than a 32-bit integer counts, through every entry. Such a one takes gigabytes and minutes,
// so nothing is done unless TESSERA_TEST_LARGE says how large: n, which must be at least 46341 for that.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Vector = Kokkos::View<float*>;

struct LargeTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  std::int64_t n = 0;
  Vector b;

  void SetUp() override {
    const char* const asked = std::getenv("TESSERA_TEST_LARGE");
    if (asked == nullptr) GTEST_SKIP() << "TESSERA_TEST_LARGE is not set";
    n = std::stoll(asked);
    ASSERT_GT(n, 0);
    alarm(0);  // takes as long as it takes
    b = Vector("b", static_cast<std::size_t>(n));
    set_noise(b, 2);
  }

  /// A x = b in some rows from the first to the last, A(i, j) = f(i, j).
  template <class F>
  void expect_solved(const Vector& solution, const F& f) const {
    const auto x = to_host(solution);
    const auto right = to_host(b);
    for (std::int64_t row = 0; row < 100; ++row) {
      const std::int64_t i = row * (n - 1) / 99;
      double residual = static_cast<double>(right(i, 0));
      double size = std::abs(residual);
      for (std::int64_t j = 0; j < n; ++j) {
        const double product = static_cast<double>(f(i, j)) * static_cast<double>(x(j, 0));
        residual -= product;
        size += std::abs(product);
      }
      ASSERT_LE(std::abs(residual), 100 * epsilon<float>() * size) << "row " << i;
    }
  }
};

TEST_F(LargeTest, Rows) {
  const Shards shards = even_shards(n, size_of(comm));
  const auto rank = static_cast<std::size_t>(rank_in(comm));
  const Kokkos::View<float**> a("a", static_cast<std::size_t>(shards[rank + 1] - shards[rank]),
                                static_cast<std::size_t>(n));
  Operator<Dominant<float>>{{n}}.to_dense(Exec{}, shards[rank], a);
  Exec{}.fence();
  expect_solved(cholesky_distributed(comm, a, b).x, Dominant<float>{n});
}

TEST_F(LargeTest, Operator) {
  const CholeskyDistributed solver{.comm = comm};
  expect_solved(solver(Operator<Dominant<float>>{{n}}, b).x, Dominant<float>{n});
}

TEST_F(LargeTest, Gram) {
  constexpr std::int64_t columns = 4;
  const auto j =
      make_samples<Kokkos::View<float**>>(even_shards(n, size_of(comm)), rank_in(comm), columns, Jacobian<float>{});
  const auto gram = [](std::int64_t i, std::int64_t k) {
    float sum = i == k ? 8.F : 0.F;
    for (std::int64_t c = 0; c < columns; ++c) sum += 1e-2F * Jacobian<float>{}(i, c) * Jacobian<float>{}(k, c);
    return sum;
  };
  expect_solved(cholesky_distributed(comm, ::tessera::Gram{j, {.alpha = 1e-2}}, b, {.diag_shift = 8}).x, gram);
}

TEST_F(LargeTest, Pieces) {
  const ProcessGrid grid(comm);
  ShardedMatrix<float> a(grid, n, std::min<std::int64_t>(n, 256));
  a.fill(Exec{}, Dominant<float>{n});
  const Vector x("x", b.extent(0));
  Kokkos::deep_copy(x, b);
  factorize(Exec{}, std::move(a)).solve(Exec{}, x);
  expect_solved(x, Dominant<float>{n});
}

}  // namespace
}  // namespace tessera::testing
