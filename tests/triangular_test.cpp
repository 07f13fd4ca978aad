// SPDX-License-Identifier: BSD-3-Clause
#include "kernels.hpp"
#include "kernels/backend.hpp"
#include "kernels/invert.hpp"
#include "kernels/potri.hpp"
#include "kernels/slabs_of_l.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

// Triangular systems and products of one rank, against loops in long double. No MPI.
namespace tessera::testing {
namespace {

template <class T>
struct TriangularTest : KernelsTest<T> {};
TYPED_TEST_SUITE(TriangularTest, Scalars);

TYPED_TEST(TriangularTest, InvertBlocks) {
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

// Of the largest some rows are looked at.
constexpr std::int64_t sizes[] = {0, 1, 63, 64, 65, 130, 200, 1100};
constexpr std::int64_t row_step(std::int64_t n) { return n > 200 ? 97 : 1; }

/// Potri with the memory that it wants.
template <class T>
struct PotriFor {
  PotriFor(kernels::Queue<Exec>& queue, std::int64_t columns)
      : size(static_cast<std::size_t>(kernels::Potri<T, Exec>::workspace_size(columns))),
        numbers("numbers", size + behind),
        potri(queue, numbers.data(), columns) {
    Kokkos::deep_copy(numbers, marker);
  }
  ~PotriFor() {
    Kokkos::fence();
    const auto all = to_host(numbers);
    for (std::size_t i = size; i < size + behind; ++i) EXPECT_EQ(wide(all(i, 0)), wide(marker));
  }

  static constexpr std::size_t behind = 64;
  T marker = scalar<T>(123456, -7);
  std::size_t size;
  Kokkos::View<T*, Space> numbers;
  kernels::Potri<T, Exec> potri;
};

TYPED_TEST(TriangularTest, InverseInPlace) {
  using T = TypeParam;
  for (const std::int64_t n : sizes) {
    SCOPED_TRACE(std::to_string(n));
    const Factor<T> factor(*this, n, Dominant<T>{n});
    const auto l = factor.l.host();
    PotriFor<T>(this->queue, n).potri.trtri(factor.l.view());
    this->queue.exec().fence();
    const auto x = factor.l.host();
    for (std::int64_t i = 0; i < n; i += row_step(n)) {
      for (std::int64_t j = 0; j <= i; ++j) {
        Sum unity;  // X L
        for (std::int64_t k = j; k <= i; ++k) unity.add(wide(x(i, k)), wide(l(k, j)));
        this->expect_close(T(i == j ? 1 : 0), unity, n, std::to_string(i) + ", " + std::to_string(j));
      }
      for (std::int64_t j = i + 1; j < n; ++j) EXPECT_TRUE(std::isnan(wide(x(i, j)).real()));
    }
  }
}

TYPED_TEST(TriangularTest, ProductInPlace) {
  using T = TypeParam;
  for (const std::int64_t n : sizes) {
    for (const std::int64_t below : {0, 1, 77}) {  // the rows of L below these
      SCOPED_TRACE(std::to_string(n) + " and " + std::to_string(below));
      const Factor<T> factor(*this, n, Dominant<T>{n});
      const auto l = factor.l.host();
      const Framed<T> a(below, n, random<T>(7));
      const auto more = a.host();
      PotriFor<T> with(this->queue, n);
      with.potri.lauum(factor.l.view());
      with.potri.add_product(a.read(), factor.l.view());
      this->queue.exec().fence();
      const auto product = factor.l.host();
      for (std::int64_t i = 0; i < n; i += row_step(n)) {
        for (std::int64_t j = 0; j <= i; ++j) {
          Sum sum;  // L^H L + A^H A
          for (std::int64_t k = i; k < n; ++k) sum.add(std::conj(wide(l(k, i))), wide(l(k, j)));
          for (std::int64_t k = 0; k < below; ++k) sum.add(std::conj(wide(more(k, i))), wide(more(k, j)));
          this->expect_close(product(i, j), sum, n + below, std::to_string(i) + ", " + std::to_string(j));
        }
        EXPECT_EQ(wide(product(i, i)).imag(), 0);
        for (std::int64_t j = i + 1; j < n; ++j) EXPECT_TRUE(std::isnan(wide(product(i, j)).real()));
      }
    }
  }
}

TYPED_TEST(TriangularTest, TriangularProducts) {
  using T = TypeParam;
  for (const std::int64_t n : sizes) {
    const Factor<T> factor(*this, n, Dominant<T>{n});  // above its diagonal, NaN
    const auto l = factor.l.host();
    for (const Op op : {Op::none, Op::conj_transpose}) {
      const bool upper = op == Op::conj_transpose;
      for (const auto& [columns, by_potri] :
           {std::pair{0, false}, {0, true}, {1, false}, {1, true}, {5, false}, {5, true}, {65, false}, {65, true}}) {
        SCOPED_TRACE(std::to_string(n) + ", " + std::to_string(columns) + (upper ? " columns, L^H" : " columns, L") +
                     (by_potri ? " by Potri" : ""));
        const Framed<T> b(n, columns, random<T>(6));
        const auto x = b.host();
        PotriFor<T> with(this->queue, std::max<std::int64_t>(n, columns));
        by_potri ? with.potri.trmm_left(op, factor.l.read(), b.view())
                 : kernels::trmm_left<T>(this->queue, op, factor.l.read(), b.view());
        this->queue.exec().fence();
        const auto product = b.host();
        for (std::int64_t i = 0; i < n; i += row_step(n)) {
          for (std::int64_t j = 0; j < columns; ++j) {
            Sum sum;
            for (std::int64_t k = upper ? i : 0; k < (upper ? n : i + 1); ++k) {
              sum.add(upper ? std::conj(wide(l(k, i))) : wide(l(i, k)), wide(x(k, j)));
            }
            this->expect_close(product(i, j), sum, n, std::to_string(i) + ", " + std::to_string(j));
          }
        }
      }
    }
  }
}

enum class Way { trsm_right, negative_trsm_right, trsm_left, substitution };

/// B = L^-1 B or L^-H B in one launch, with L in slabs and leaves of these widths.
template <class T, class Device = Exec>
void substitute(KernelsTest<T>& test, Op op, const MatrixView<const T, Space>& l, std::int64_t slab_width,
                std::int64_t leaf_width, const MatrixView<T, Space>& b) {
  if constexpr (!kernels::is_host<Device>) {
    using Substitution = kernels::Substitution<Device>;
    const auto n = static_cast<std::int64_t>(l.extent(0));
    const std::int64_t leaves_in_slab = (slab_width + leaf_width - 1) / leaf_width;
    const std::int64_t leaves = (n + slab_width - 1) / slab_width * leaves_in_slab;
    const std::int64_t size = kernels::inverses_size<T>(leaf_width);
    const Kokkos::View<T*, Space> inverses("inverses", static_cast<std::size_t>(leaves * size));
    std::vector<kernels::TriangleToInvert<T>> triangles;
    kernels::SlabsOfL<T> slabs{{n, slab_width, {}}, leaf_width, inverses.data()};
    for (std::int64_t first = 0; first < n; first += slab_width) {
      const std::int64_t slab = first / slab_width;
      const std::int64_t slab_end = std::min(first + slab_width, n);
      slabs.matrix.of[slab] = {l.data() + first * (1 + static_cast<std::int64_t>(l.stride(1))),
                               static_cast<std::int64_t>(l.stride(1))};
      for (std::int64_t leaf = first; leaf < slab_end; leaf += leaf_width) {
        const std::int64_t end = std::min(leaf + leaf_width, slab_end);
        const std::int64_t number = slab * leaves_in_slab + (leaf - first) / leaf_width;
        triangles.push_back({block(l, leaf, end, leaf, end).data(), slabs.matrix.of[slab].leading_dimension, end - leaf,
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

TYPED_TEST(TriangularTest, TriangularSystems) {
  using T = TypeParam;
  struct Case {
    Way way;
    Op op;
    std::int64_t slab_width;
    std::int64_t leaf_width;
    std::string name;
  };
  const std::array<Case, 10> cases{{{Way::trsm_right, Op::conj_transpose, 0, 0, "from the right"},
                                    {Way::negative_trsm_right, Op::none, 0, 0, "from the right, -L"},
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
        constexpr bool has_substitution = !kernels::is_host<Exec>;
        if (way == (has_substitution ? Way::trsm_left : Way::substitution)) continue;
        const bool left = way == Way::trsm_left || way == Way::substitution;
        const long double sign = way == Way::negative_trsm_right ? -1 : 1;
        for (const std::int64_t vectors : {0, 1, 5, 16, 97, 600, 9000}) {
          // So many that on a device a team has several turns.
          if (vectors == 600 && (n < 200 || ill)) continue;
          if (vectors == 9000 && (n != 65 || ill || left || !has_substitution)) continue;
          SCOPED_TRACE(std::to_string(n) + ", " + std::to_string(vectors) + (left ? " columns, " : " rows, ") + name +
                       (ill ? ", ill-conditioned" : ""));
          const Framed<T> b(left ? n : vectors, left ? vectors : n, random<T>(6));
          const auto right = b.host();
          if (way == Way::trsm_right) {
            kernels::trsm_right<T>(this->queue, factor.l.read(), b.view());
          } else if (way == Way::trsm_left) {
            kernels::trsm_left<T>(this->queue, op, factor.l.read(), b.view());
          } else if (way == Way::negative_trsm_right) {
            kernels::negative_trsm_right<T>(this->queue, factor.l.read(), b.view());
          } else {
            substitute<T>(*this, op, factor.l.read(), slab_width, leaf_width, b.view());
          }
          this->queue.exec().fence();
          const auto x = b.host();
          const auto at = [&](const auto& view, std::int64_t i, std::int64_t vector) {
            return left ? wide(view(i, vector)) : wide(view(vector, i));
          };
          // Each vector within what substitution would leave: that is not so with inverses alone. From the right it is
          // L conjugated that is substituted with, as (X L^H)^H = L X^H, or L transposed.
          const bool upper = left == (op == Op::conj_transpose);
          for (std::int64_t v = 0; v < vectors; ++v) {
            long double residual = 0;
            long double size = 0;
            for (std::int64_t i = 0; i < n; ++i) {
              Sum product;
              for (std::int64_t k = upper ? i : 0; k < (upper ? n : i + 1); ++k) {
                const Wide factor_entry = entry(upper, i, k);
                product.add(left ? factor_entry : std::conj(factor_entry), at(x, k, v));
              }
              residual += std::norm(product.value - sign * at(right, i, v));
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

TYPED_TEST(TriangularTest, NanStaysInItsColumn) {
  using T = TypeParam;
  constexpr std::int64_t n = 200;
  constexpr std::int64_t row = 70;
  const Factor<T> factor(*this, n, Dominant<T>{n});
  for (const Op op : {Op::none, Op::conj_transpose}) {
    for (const std::int64_t vectors : {1, 9, 97}) {
      SCOPED_TRACE((op == Op::none ? "L, " : "L^H, ") + std::to_string(vectors) + " columns");
      const std::int64_t column = vectors / 2;
      const auto solution_of = [&](bool with_nan) {
        const Framed<T> b(n, vectors, [&](std::int64_t i, std::int64_t j) {
          return with_nan && i == row && j == column ? nan_of_ones<T>() : random<T>(6)(i, j);
        });
        if (!kernels::is_host<Exec>) {
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
      // A device multiplies by inverses of blocks: there it may reach the whole block.
      const std::int64_t unit = kernels::is_host<Exec> ? 1 : kernels::substitution_block<T>;
      for (std::int64_t i = 0; i < n; ++i) {
        const bool is_reached = op == Op::none ? i >= row : i <= row;
        if (!is_reached && i / unit == row / unit) continue;
        EXPECT_EQ(std::isnan(detail::real(x(i, column))), is_reached) << i;
      }
      for (std::int64_t j = 0; j < vectors; ++j) {
        for (std::int64_t i = 0; i < n && j != column; ++i) EXPECT_EQ(x(i, j), expected(i, j)) << i << ", " << j;
      }
    }
  }
}

}  // namespace
}  // namespace tessera::testing
