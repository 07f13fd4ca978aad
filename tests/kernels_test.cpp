#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/invert.hpp"
#include "kernels/potrf.hpp"
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

// What one rank does to its own matrices, against loops in long double. No MPI.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;
using kernels::Op;

constexpr std::int64_t edges[] = {0, 1, 63, 64, 65, 130, 200};

/// A matrix with a leading dimension of its own, and a marker in all that is not its own: above, below, left and right.
template <class T>
class Framed {
 public:
  template <class F>
  Framed(std::int64_t rows, std::int64_t cols, const F& f)
      : rows_(rows),
        cols_(cols),
        all_("framed", static_cast<std::size_t>(rows + before + after), static_cast<std::size_t>(cols + 2)) {
    const auto host = Kokkos::create_mirror_view(all_);
    Kokkos::deep_copy(host, marker());
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) host(before + i, 1 + j) = f(i, j);
    }
    Kokkos::deep_copy(all_, host);
  }

  MatrixView<T, Space> view() const { return block(MatrixView<T, Space>(all_), before, before + rows_, 1, 1 + cols_); }
  MatrixView<const T, Space> read() const { return view(); }

  /// The numbers; a test fails if the frame has changed.
  HostMatrix<T> host() const {
    const auto mirror = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), all_);
    const HostMatrix<T> result("host", static_cast<std::size_t>(rows_), static_cast<std::size_t>(cols_));
    bool whole = true;
    for (std::int64_t i = 0; i < rows_ + before + after; ++i) {
      for (std::int64_t j = 0; j < cols_ + 2; ++j) {
        if (i >= before && i < before + rows_ && j >= 1 && j < 1 + cols_) {
          result(i - before, j - 1) = mirror(i, j);
        } else {
          whole = whole && mirror(i, j) == marker();
        }
      }
    }
    EXPECT_TRUE(whole) << "something outside of the matrix was written";
    return result;
  }

 private:
  static constexpr std::int64_t before = 2;
  static constexpr std::int64_t after = 3;
  static T marker() { return scalar<T>(123456, -7); }

  std::int64_t rows_;
  std::int64_t cols_;
  Kokkos::View<T**, Kokkos::LayoutLeft, Space> all_;
};

template <class T>
auto random(std::uint64_t seed) {
  return [seed](std::int64_t i, std::int64_t j) { return scalar<T>(noise(i, j, seed), noise(i, j, seed + 50)); };
}
template <class T>
T nothing(std::int64_t, std::int64_t) {
  return scalar<T>(NAN, NAN);
}

/// alpha sum_k a(i, k) b(k, j) + c, and the sum of the sizes of its terms, which bounds its rounding errors.
struct Sum {
  Wide value;
  long double size = 0;
  void add(const Wide& a, const Wide& b) {
    value += Wide(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
    size += std::abs(a.real() * b.real()) + std::abs(a.imag() * b.imag()) + std::abs(a.real() * b.imag()) +
            std::abs(a.imag() * b.real());
  }
};

template <class T>
struct KernelsTest : ::testing::Test {
  Kokkos::View<char*, Exec::memory_space> workspace{"workspace", kernels::VendorBlas<Exec>::workspace_bytes};
  std::shared_ptr<void> handle;
  kernels::Queue<Exec> queue{Exec{}, workspace.data(), handle};
  kernels::FailingMinor<Exec> failing{"failing"};

  KernelsTest() { Kokkos::deep_copy(failing, kernels::no_failure); }

  std::int64_t failing_minor() const {
    queue.exec().fence();
    std::int64_t minor = 0;
    Kokkos::deep_copy(minor, failing);
    return minor;
  }

  static void expect_close(const T& got, const Sum& expected, std::int64_t terms, std::string where) {
    const long double error = std::abs(wide(got) - expected.value);
    EXPECT_LE(error, (static_cast<long double>(terms) + 4) * epsilon<T>() * expected.size) << where;
  }
};
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

/// Gaussian kernel matrix of neighbouring points: as ill-conditioned as its `noise_level` lets it be.
template <class T>
struct NearlySingular {
  double noise_level;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const double d = 0.05 * static_cast<double>(i - j);
    return scalar<T>(std::exp(-d * d) + (i == j ? noise_level : 0), 0);
  }
};

/// potrf's result for A(i, j) = f(i, j), i >= j, with NaN above.
template <class T>
struct Factor {
  Framed<T> l;

  template <class F>
  Factor(KernelsTest<T>& test, std::int64_t n, const F& f, std::int64_t offset = 0)
      : l(n, n, [&](std::int64_t i, std::int64_t j) { return i < j ? nothing<T>(i, j) : f(i, j); }) {
    kernels::potrf<T>(test.queue, l.view(), offset, test.failing);
    test.queue.exec().fence();
  }
};

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

TYPED_TEST(KernelsTest, InvertBlocks) {
  using T = TypeParam;
  constexpr std::int64_t size = kernels::substitution_block<T>;
  for (const std::int64_t n : edges) {
    SCOPED_TRACE(std::to_string(n));
    const Factor<T> factor(*this, n, Dominant<T>{n});
    const Kokkos::View<T*, Space> inverses("inverses", static_cast<std::size_t>(kernels::inverses_size<T>(n)));
    const auto read = factor.l.read();
    const kernels::TriangleToInvert<T> all{read.data(), static_cast<std::int64_t>(read.stride(1)), n, inverses.data()};
    kernels::invert_blocks<T>(this->queue.exec(), std::vector{all});
    this->queue.exec().fence();
    const auto l = factor.l.host();
    const auto x = to_host(inverses);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t first = i / size * size;
      for (std::int64_t j = first; j <= i; ++j) {
        Sum unity;  // X L = 1
        for (std::int64_t k = j; k <= i; ++k) {
          unity.add(wide(x(first * size + (i - first) + (k - first) * size, 0)), wide(l(k, j)));
        }
        this->expect_close(T(i == j ? 1 : 0), unity, n, std::to_string(i) + ", " + std::to_string(j));
      }
    }
  }
}

enum class Way { trsm_right, trsm_left, substitution };

/// B = L^-1 B or L^-H B in one launch, with L in slabs and leaves of these widths.
template <class T, class Substitution = kernels::Substitution<Exec>>
void substitute(KernelsTest<T>& test, Op op, const MatrixView<const T, Space>& l, std::int64_t slab_width,
                std::int64_t leaf_width, const MatrixView<T, Space>& b) {
  if constexpr (Substitution::exists) {
    const auto n = static_cast<std::int64_t>(l.extent(0));
    const std::int64_t leaves_in_slab = (slab_width + leaf_width - 1) / leaf_width;
    const std::int64_t leaves = (n + slab_width - 1) / slab_width * leaves_in_slab;
    const std::int64_t size = kernels::inverses_size<T>(leaf_width);
    const Kokkos::View<T*, Space> inverses("inverses", static_cast<std::size_t>(leaves * size));
    std::vector<kernels::TriangleToInvert<T>> triangles;
    kernels::SlabsOfL<T> slabs{n, slab_width, leaf_width, {}, inverses.data()};
    for (std::int64_t first = 0; first < n; first += slab_width) {
      const std::int64_t slab = first / slab_width;
      const std::int64_t slab_end = std::min(first + slab_width, n);
      slabs.slabs[slab] = {l.data() + first * (1 + static_cast<std::int64_t>(l.stride(1))),
                           static_cast<std::int64_t>(l.stride(1))};
      for (std::int64_t leaf = first; leaf < slab_end; leaf += leaf_width) {
        const std::int64_t end = std::min(leaf + leaf_width, slab_end);
        const std::int64_t number = slab * leaves_in_slab + (leaf - first) / leaf_width;
        triangles.push_back({block(l, leaf, end, leaf, end).data(), slabs.slabs[slab].leading_dimension, end - leaf,
                             inverses.data() + number * size});
      }
    }
    kernels::invert_blocks<T>(test.queue.exec(), triangles);
    const Kokkos::View<char*, Space> room("room", static_cast<std::size_t>(Substitution::template workspace_bytes<T>(
                                                      leaf_width, leaves, static_cast<std::int64_t>(b.extent(1)))));
    Substitution::template run<T>(test.queue.exec(), op, slabs, b, room.data());
    test.queue.exec().fence();
  }
}

TYPED_TEST(KernelsTest, TriangularSystems) {
  using T = TypeParam;
  struct Case {
    Way way;
    Op op;
    std::int64_t slab_width;
    std::int64_t leaf_width;
    std::string name;
  };
  const std::array<Case, 9> cases{{{Way::trsm_right, Op::conj_transpose, 0, 0, "from the right"},
                                   {Way::trsm_left, Op::none, 0, 0, "from the left"},
                                   {Way::trsm_left, Op::conj_transpose, 0, 0, "from the left, L^H"},
                                   {Way::substitution, Op::none, 1000, 1000, "at once"},
                                   {Way::substitution, Op::conj_transpose, 1000, 1000, "at once, L^H"},
                                   {Way::substitution, Op::none, 130, 65, "at once, in slabs"},
                                   {Way::substitution, Op::conj_transpose, 130, 65, "at once, in slabs, L^H"},
                                   {Way::substitution, Op::none, 64, 50, "at once, in small slabs"},
                                   {Way::substitution, Op::conj_transpose, 64, 50, "at once, in small slabs, L^H"}}};
  for (const std::int64_t n : edges) {
    for (const bool ill : {false, true}) {
      const Dominant<T> well{n};
      const NearlySingular<T> singular{1000 * epsilon<T>()};
      const Factor<T> factor(*this, n,
                             [&](std::int64_t i, std::int64_t j) { return ill ? singular(i, j) : well(i, j); });
      ASSERT_EQ(this->failing_minor(), kernels::no_failure);
      const auto l = factor.l.host();
      // entry (i, k) of the triangular matrix that the system has: L or, transposed, L^H
      const auto entry = [&](bool transposed, std::int64_t i, std::int64_t k) {
        return transposed ? std::conj(wide(l(k, i))) : wide(l(i, k));
      };
      for (const auto& [way, op, slab_width, leaf_width, name] : cases) {
        constexpr bool has_substitution = kernels::Substitution<Exec>::exists;
        if ((way == Way::trsm_left && has_substitution) || (way == Way::substitution && !has_substitution)) continue;
        const bool left = way != Way::trsm_right;
        for (const std::int64_t vectors : {0, 1, 5, 16, 65, 600}) {
          if (vectors == 600 && (n < 200 || ill)) continue;  // so many that on a device a team has several turns
          SCOPED_TRACE(std::to_string(n) + ", " + std::to_string(vectors) + (left ? " columns, " : " rows, ") + name +
                       (ill ? ", ill-conditioned" : ""));
          const Framed<T> b(left ? n : vectors, left ? vectors : n, random<T>(6));
          const auto right = b.host();
          if (way == Way::trsm_right) {
            kernels::trsm_right<T>(this->queue, factor.l.read(), b.view());
          } else if (way == Way::trsm_left) {
            kernels::trsm_left<T>(this->queue, op, factor.l.read(), b.view());
          } else {
            substitute<T>(*this, op, factor.l.read(), slab_width, leaf_width, b.view());
          }
          this->queue.exec().fence();
          const auto x = b.host();
          const auto at = [&](const auto& view, std::int64_t i, std::int64_t vector) {
            return left ? wide(view(i, vector)) : wide(view(vector, i));
          };
          // Each vector within what substitution would leave: that is not so with inverses alone. From the right it is
          // L conjugated that is substituted with, as (X L^H)^H = L X^H.
          const bool upper = left && op == Op::conj_transpose;
          for (std::int64_t v = 0; v < vectors; ++v) {
            long double residual = 0;
            long double size = 0;
            for (std::int64_t i = 0; i < n; ++i) {
              Sum product;
              for (std::int64_t k = upper ? i : 0; k < (upper ? n : i + 1); ++k) {
                const Wide factor_entry = entry(upper, i, k);
                product.add(left ? factor_entry : std::conj(factor_entry), at(x, k, v));
              }
              residual += std::norm(product.value - at(right, i, v));
              size += product.size * product.size;
            }
            EXPECT_LE(std::sqrt(residual), 4 * epsilon<T>() * std::sqrt(size)) << "vector " << v;
          }
        }
      }
    }
  }
}

/// A NaN with all bits set.
template <class T>
T nan_of_ones() {
  T value;
  std::memset(static_cast<void*>(&value), 0xff, sizeof value);
  return value;
}

TYPED_TEST(KernelsTest, NanStaysInItsColumn) {
  using T = TypeParam;
  constexpr std::int64_t n = 200;
  constexpr std::int64_t row = 70;
  const Factor<T> factor(*this, n, Dominant<T>{n});
  for (const Op op : {Op::none, Op::conj_transpose}) {
    for (const std::int64_t vectors : {1, 9}) {
      SCOPED_TRACE((op == Op::none ? "L, " : "L^H, ") + std::to_string(vectors) + " columns");
      const std::int64_t column = vectors / 2;
      const auto solution_of = [&](bool with_nan) {
        const Framed<T> b(n, vectors, [&](std::int64_t i, std::int64_t j) {
          return with_nan && i == row && j == column ? nan_of_ones<T>() : random<T>(6)(i, j);
        });
        if (kernels::Substitution<Exec>::exists) {
          substitute<T>(*this, op, factor.l.read(), 1000, 1000, b.view());
        } else {
          kernels::trsm_left<T>(this->queue, op, factor.l.read(), b.view());
        }
        this->queue.exec().fence();
        return b.host();
      };
      const auto x = solution_of(true);
      const auto expected = solution_of(false);
      EXPECT_TRUE(std::isnan(detail::real(x(row, column))));
      for (std::int64_t j = 0; j < vectors; ++j) {
        for (std::int64_t i = 0; i < n && j != column; ++i) EXPECT_EQ(x(i, j), expected(i, j)) << i << ", " << j;
      }
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
