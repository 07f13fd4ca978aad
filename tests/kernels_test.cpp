// SPDX-License-Identifier: BSD-3-Clause
#include "kernels.hpp"
#include "lapack.hpp"

#include "kernels/elementwise.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

// What one rank does to its own matrices, against loops in long double. No MPI.
namespace tessera::testing {
namespace {

TYPED_TEST_SUITE(KernelsTest, Scalars);

TYPED_TEST(KernelsTest, Gemm) {
  using T = TypeParam;
  constexpr std::array<std::int64_t, 3> shapes[] = {{0, 3, 2},   {3, 0, 2},    {1, 1, 1},     {5, 4, 0},
                                                    {64, 1, 0},  {7, 1, 5},    {130, 1, 65},  {1, 65, 63},
                                                    {63, 64, 1}, {64, 63, 65}, {65, 65, 130}, {130, 17, 200}};
  for (const auto& [m, n, k] : shapes) {
    for (const Op op_a : {Op::none, Op::conj_transpose}) {
      for (const Op op_b : {Op::none, Op::conj_transpose}) {
        for (const int beta : {0, 1}) {
          const bool flip_a = op_a == Op::conj_transpose;
          const bool flip_b = op_b == Op::conj_transpose;
          SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) +
                       (flip_a ? " C" : "") + (flip_b ? ", C" : "") + ", beta " + std::to_string(beta));
          const Framed<T> a(flip_a ? k : m, flip_a ? m : k, random<T>(1));
          const Framed<T> b(flip_b ? n : k, flip_b ? k : n, random<T>(2));
          const Framed<T> c(
              m, n, [&](std::int64_t i, std::int64_t j) { return beta == 0 ? nothing<T>(i, j) : random<T>(3)(i, j); });
          const auto old = c.host();
          const T alpha = beta == 0 ? T(1) : T(-1);
          kernels::gemm<T>(this->queue, alpha, op_a, a.read(), op_b, b.read(), T(static_cast<Real<T>>(beta)), c.view());
          this->queue.exec().fence();
          const auto a_host = a.host();
          const auto b_host = b.host();
          const auto c_host = c.host();
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t j = 0; j < n; ++j) {
              Sum sum;
              if (beta == 1) sum.add(wide(old(i, j)), 1);
              for (std::int64_t l = 0; l < k; ++l) {
                sum.add(wide(alpha) * (flip_a ? std::conj(wide(a_host(l, i))) : wide(a_host(i, l))),
                        flip_b ? std::conj(wide(b_host(j, l))) : wide(b_host(l, j)));
              }
              this->expect_close(c_host(i, j), sum, k, std::to_string(i) + ", " + std::to_string(j));
            }
          }
        }
      }
    }
  }
}

/// The last row, or product of a sum, of large ones has a call of its own on a device.
TYPED_TEST(KernelsTest, LargeGemmOfOddSizes) {
  using T = TypeParam;
  if (kernels::is_host<Exec> || !std::is_same_v<T, double>) GTEST_SKIP() << "has no such call";
  constexpr std::int64_t m = 5377;  // several calls
  constexpr std::int64_t n = 1603;
  constexpr std::int64_t k = 1605;
  for (const int way : {0, 1, 2, 3, 4, 5, 6, 7}) {
    const Op op_a = way % 2 == 0 ? Op::none : Op::conj_transpose;
    const Op op_b = way / 2 % 2 == 0 ? Op::none : Op::conj_transpose;
    const int beta = way / 4;
    const bool flip_a = op_a == Op::conj_transpose;
    const bool flip_b = op_b == Op::conj_transpose;
    SCOPED_TRACE(std::string(flip_a ? "C" : "N") + (flip_b ? "C" : "N") + ", beta " + std::to_string(beta));
    const Framed<T> a(flip_a ? k : m, flip_a ? m : k, random<T>(1));
    const Framed<T> b(flip_b ? n : k, flip_b ? k : n, random<T>(2));
    const Framed<T> c(
        m, n, [&](std::int64_t i, std::int64_t j) { return beta == 0 ? nothing<T>(i, j) : random<T>(3)(i, j); });
    const auto old = c.host();
    kernels::gemm<T>(this->queue, T(-1), op_a, a.read(), op_b, b.read(), T(static_cast<Real<T>>(beta)), c.view());
    this->queue.exec().fence();
    const auto a_host = a.host();
    const auto b_host = b.host();
    const auto c_host = c.host();
    for (const std::int64_t i : {std::int64_t{0}, m / 2, m - 2, m - 1}) {
      for (std::int64_t j = 0; j < n; j += j < n - 9 ? 7 : 1) {
        Sum sum;
        if (beta == 1) sum.add(wide(old(i, j)), 1);
        for (std::int64_t l = 0; l < k; ++l) {
          sum.add(-wide(flip_a ? a_host(l, i) : a_host(i, l)), wide(flip_b ? b_host(j, l) : b_host(l, j)));
        }
        this->expect_close(c_host(i, j), sum, k, std::to_string(i) + ", " + std::to_string(j));
      }
    }
  }
}

TYPED_TEST(KernelsTest, Herk) {
  using T = TypeParam;
  for (const std::int64_t n : {0, 1, 64, 65, 130, 200, 300}) {  // beyond 256 herk_by_gemm recurs
    for (const std::int64_t k : {0, 1, 37}) {
      for (const int way : {0, 1, 2, 3}) {
        const bool by_gemm = way % 2 == 1;
        const bool flip = way / 2 == 1;
        const Op op = flip ? Op::conj_transpose : Op::none;
        for (const int beta : {0, 1}) {
          SCOPED_TRACE(std::to_string(n) + " x " + std::to_string(k) + (by_gemm ? ", by gemm" : "") +
                       (flip ? ", C" : "") + ", beta " + std::to_string(beta));
          const Framed<T> a(flip ? k : n, flip ? n : k, random<T>(4));
          const Framed<T> c(n, n, [&](std::int64_t i, std::int64_t j) {
            return i < j || beta == 0 ? nothing<T>(i, j) : i == j ? T(2) : random<T>(5)(i, j);
          });
          const auto old = c.host();
          const T alpha = beta == 0 ? T(1) : T(-1);
          const auto call = by_gemm ? kernels::herk_by_gemm<T, Exec> : kernels::herk<T, Exec>;
          call(this->queue, alpha, op, a.read(), T(static_cast<Real<T>>(beta)), c.view());
          this->queue.exec().fence();
          const auto a_host = a.host();
          const auto c_host = c.host();
          for (std::int64_t i = 0; i < n; ++i) {
            for (std::int64_t j = 0; j <= i; ++j) {
              Sum sum;
              if (beta == 1) sum.add(wide(old(i, j)), 1);
              for (std::int64_t l = 0; l < k; ++l) {
                const Wide left = flip ? std::conj(wide(a_host(l, i))) : wide(a_host(i, l));
                sum.add(wide(alpha) * left, flip ? wide(a_host(l, j)) : std::conj(wide(a_host(j, l))));
              }
              this->expect_close(c_host(i, j), sum, k, std::to_string(i) + ", " + std::to_string(j));
            }
          }
        }
      }
    }
  }
}

TYPED_TEST(KernelsTest, Potrf) {
  using T = TypeParam;
  for (const std::int64_t n : edges) {
    SCOPED_TRACE(std::to_string(n));
    const Dominant<T> f{n};
    // an imaginary part on the diagonal is not read
    const Factor<T> factor(*this, n,
                           [&](std::int64_t i, std::int64_t j) { return f(i, j) + (i == j ? scalar<T>(0, 9) : T(0)); });
    EXPECT_EQ(this->failing_minor(), kernels::no_failure);
    const auto l = factor.l.host();
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) {
        Sum product;  // L L^H = A
        for (std::int64_t k = 0; k <= j; ++k) product.add(wide(l(i, k)), std::conj(wide(l(j, k))));
        this->expect_close(f(i, j), product, n, std::to_string(i) + ", " + std::to_string(j));
      }
      if (detail::real(l(i, i)) > 0) continue;
      ADD_FAILURE() << "L(" << i << ", " << i << ") is not positive";
    }
  }
}

TYPED_TEST(KernelsTest, FailingMinor) {
  using T = TypeParam;
  const std::int64_t n = 200;
  for (const Defect defect : defects) {
    for (const std::int64_t k : {0, 1, 62, 63, 64, 65, 127, 128, 129, 191, 192, 199}) {
      for (const std::int64_t left : {std::int64_t{0}, k / 2, k - 1}) {
        if (k == 0 && (defect == Defect::nan_on_left || defect == Defect::inf_on_left)) continue;
        SCOPED_TRACE("row " + std::to_string(k) + ", defect " + std::to_string(static_cast<int>(defect)) + ", left " +
                     std::to_string(left));
        Kokkos::deep_copy(this->failing, kernels::no_failure);
        const Factor<T> factor(*this, n, Planted<T>{defect, k, left}, 1000);
        EXPECT_EQ(this->failing_minor(), 1000 + k + 1);
        if (defect != Defect::nan_on_left && defect != Defect::inf_on_left) break;  // `left` is of no account
      }
    }
  }
}

// As LAPACK has it, any pivot will do that is positive and no NaN.
TYPED_TEST(KernelsTest, UnusualPivots) {
  using T = TypeParam;
  const std::int64_t n = 200;
  for (const Real<T> pivot : unusual_pivots<T>()) {
    for (const std::int64_t k : {0, 1, 15, 16, 40, 62, 63, 64, 127, 128, 150, 199}) {
      SCOPED_TRACE(::testing::Message() << "row " << k << ", pivot " << pivot);
      const LonePivot<T> f{k, pivot};
      const Factor<T> factor(*this, n, f);
      EXPECT_EQ(this->failing_minor(), kernels::no_failure);
      const Lapack<T> lapack(n, f);
      EXPECT_EQ(lapack.info(), 0);
      const auto l = factor.l.host();
      const Real<T> root = std::sqrt(pivot);
      const Real<T> got = detail::real(l(k, k));
      EXPECT_TRUE(got == root || std::abs(got - root) <= 4 * epsilon<T>() * root) << got << ", not " << root;
      std::int64_t wrong = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j <= i; ++j) {
          if (i == k && j == k) continue;
          if (!(std::abs(wide(l(i, j)) - wide(lapack.l(i, j))) <= 100 * epsilon<T>())) ++wrong;
        }
      }
      EXPECT_EQ(wrong, 0) << "numbers beside the pivot are not LAPACK's";
    }
  }
}

TYPED_TEST(KernelsTest, AnInfinitePivotAmongNumbers) {
  using T = TypeParam;
  if (!keeps_infinities<T>) GTEST_SKIP() << "its gemm makes NaNs of infinities";
  const std::int64_t n = 200;
  for (const std::int64_t k : {0, 16, 63, 64, 150, 199}) {
    SCOPED_TRACE("row " + std::to_string(k));
    const Exact<T> exact;
    const auto f = [&](std::int64_t i, std::int64_t j) {
      return i == k && j == k ? T(std::numeric_limits<Real<T>>::infinity()) : exact(i, j);
    };
    const Factor<T> factor(*this, n, f);
    EXPECT_EQ(this->failing_minor(), kernels::no_failure);
    EXPECT_EQ(Lapack<T>(n, f).info(), 0);
    const auto l = factor.l.host();
    for (std::int64_t i = k + 1; i < n; ++i) EXPECT_EQ(l(i, k), T(0)) << i;
  }
}

TYPED_TEST(KernelsTest, FailingMinorIsOnlyLowered) {
  for (const std::int64_t earlier : {5, 500}) {
    Kokkos::deep_copy(this->failing, earlier);
    const Factor<TypeParam> factor(*this, 100, Planted<TypeParam>{Defect::zero_pivot, 70}, 30);
    EXPECT_EQ(this->failing_minor(), earlier == 5 ? 5 : 101);
  }
}

TYPED_TEST(KernelsTest, Elementwise) {
  using T = TypeParam;
  for (const std::int64_t m : edges) {
    for (const std::int64_t n : {0, 1, 65}) {
      SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n));
      const Framed<T> a(m, n, random<T>(7));
      const Framed<T> b(m, n, random<T>(8));
      const Framed<T> c(m, n, nothing<T>);
      const Framed<T> d(n, m, nothing<T>);
      const auto a_host = a.host();
      const auto b_old = b.host();
      kernels::add<T>(this->queue.exec(), a.read(), b.view());
      kernels::copy<T>(this->queue.exec(), a.read(), c.view());
      kernels::conj_transpose<T>(this->queue.exec(), a.read(), d.view());
      this->queue.exec().fence();
      const auto b_host = b.host();
      const auto c_host = c.host();
      const auto d_host = d.host();
      kernels::set_zero<T>(this->queue.exec(), a.view());
      this->queue.exec().fence();
      const auto zero = a.host();
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          EXPECT_EQ(b_host(i, j), b_old(i, j) + a_host(i, j));
          EXPECT_EQ(c_host(i, j), a_host(i, j));
          EXPECT_EQ(d_host(j, i), detail::conj(a_host(i, j)));
          EXPECT_EQ(zero(i, j), T(0));
        }
      }
    }
  }
}

}  // namespace
}  // namespace tessera::testing
