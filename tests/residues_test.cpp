// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/residues.hpp"
#include "device_vectors.hpp"
#include "kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

// Integers, their residues, the products of these, and the way back. moduli.cpp has what does not depend on a scalar.
namespace tessera::testing {
namespace {

using kernels::Moduli;
using kernels::PaddedColumns;

Kokkos::View<Moduli, Space> moduli_on_device(int count) {
  const Kokkos::View<Moduli, Space> there("moduli");
  Kokkos::deep_copy(there, kernels::make_moduli(count));
  return there;
}

/// Rows of residues, with bytes around them that nobody writes.
template <class T>
struct Rows {
  static constexpr std::int8_t marker = 99;

  std::int64_t rows;
  std::int64_t length;
  int planes;
  Kokkos::View<std::int8_t*, Space> bytes;

  Rows(std::int64_t row_count, std::int64_t row_length, int count)
      : rows(row_count),
        length(row_length),
        planes(count * kernels::planes_per_modulus<T>),
        bytes("bytes", static_cast<std::size_t>((rows + 4) * (length + 16) * planes + 64)) {
    Kokkos::deep_copy(bytes, marker);
  }
  kernels::Residues get() const { return {bytes.data() + 32, length + 16, (rows + 4) * (length + 16)}; }
  std::int64_t at(int plane, std::int64_t row, std::int64_t k) const {
    return 32 + plane * (rows + 4) * (length + 16) + row * (length + 16) + k;
  }
};

/// An update of m x n numbers by k columns, of a tile each `tile` wide.
template <class T>
class Update {
 public:
  Update(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t tile, int count)
      : count_(count),
        padding_{tile},
        moduli_(moduli_on_device(count)),
        left_(m, padding_.position(k), count),
        right_(n, padding_.position(k), count) {}

  /// C = beta C - A B^H, where A and B have rows of norms up to those given.
  template <class Norms>
  void run(const Framed<T>& a, const Framed<T>& b_conjugate, const Norms& a_norms, const Norms& b_norms, T beta,
           const Framed<T>& c) {
    const std::int64_t m = left_.rows;
    const std::int64_t n = right_.rows;
    const double norm = kernels::largest_norm(kernels::make_moduli(count_), 1 << 20);
    const auto scales_of = [&](const auto& norms) {
      std::vector<double> squares;
      for (const double x : norms) squares.push_back(x * x);
      const auto sums = to_device(squares);
      const Kokkos::View<double*, Space> up("up", squares.size());
      const Kokkos::View<double*, Space> down("down", squares.size());
      kernels::make_row_scales(Exec{}, sums.data(), static_cast<std::int64_t>(squares.size()), norm,
                               {up.data(), down.data()});
      return std::pair(up, down);
    };
    const auto [a_up, a_down] = scales_of(a_norms);
    const auto [b_up, b_down] = scales_of(b_norms);
    const Kokkos::View<double*, Space> squares("squares", static_cast<std::size_t>(m));
    exact_until_ = to_device(std::vector<std::int64_t>(static_cast<std::size_t>(m), INT64_MAX));
    kernels::left_residues<T>(Exec{}, moduli_.data(), count_, a.read(), padding_, a_up.data(), left_.get(),
                              {squares.data(), exact_until_.data()}, 5);
    kernels::right_residues<T>(Exec{}, moduli_.data(), count_, b_conjugate.read(), padding_, b_up.data(), right_.get());
    const std::int64_t ld = (m + 15) / 16 * 16;
    const Kokkos::View<std::int32_t*, Space> products("products", static_cast<std::size_t>(ld * n * left_.planes));
    const kernels::ResidueProducts of_planes{products.data(), ld, ld * n};
    kernels::multiply_residues(test_.queue, left_.planes, m, n, left_.length, left_.get(), right_.get(), of_planes);
    kernels::subtract_products<T>(Exec{}, moduli_.data(), count_, of_planes,
                                  {a_down.data(), b_down.data(), exact_until_.data(), 5 + 1}, beta, c.view());
    Exec{}.fence();
  }

  std::vector<std::int64_t> exact_until() const { return to_vector(exact_until_); }
  const Rows<T>& left() const { return left_; }
  const Rows<T>& right() const { return right_; }

 private:
  struct Queue : KernelsTest<T> {
    void TestBody() override {}
  };
  int count_;
  PaddedColumns padding_;
  Kokkos::View<Moduli, Space> moduli_;
  Rows<T> left_;
  Rows<T> right_;
  Kokkos::View<std::int64_t*, Space> exact_until_;
  Queue test_;
};

template <class T>
struct ResiduesTest : ::testing::Test {};
TYPED_TEST_SUITE(ResiduesTest, Scalars);

/// Integers small enough for exact scalars, as rows of norm 2^b or so: what comes back is exact.
TYPED_TEST(ResiduesTest, ProductsOfIntegersAreExact) {
  using T = TypeParam;
  std::vector<std::array<std::int64_t, 4>> shapes{
      {1, 1, 1, 1}, {1, 3, 16, 16}, {33, 5, 47, 16}, {70, 40, 100, 7}, {129, 65, 33, 32}};
  if (!kernels::is_host<Exec>) shapes.push_back({1900, 500, 1030, 128});
  for (const auto& [m, n, k, tile] : shapes) {
    for (const int count : {4, 5, 8, 13, 15}) {
      SCOPED_TRACE(::testing::Message() << m << " x " << n << " by " << k << ", tile " << tile << ", " << count);
      const auto integer = [](std::int64_t i, std::int64_t j, std::uint64_t seed) {
        return scalar<T>(std::rint(200 * noise(i, j, seed)), std::rint(200 * noise(i, j, seed + 9)));
      };
      const Framed<T> a(m, k, [&](std::int64_t i, std::int64_t j) { return integer(i, j, 1); });
      const Framed<T> b(k, n, [&](std::int64_t i, std::int64_t j) { return integer(j, i, 2); });
      const Framed<T> c(m, n, [&](std::int64_t i, std::int64_t j) { return integer(i, j, 3); });
      const double norm = 300 * std::sqrt(static_cast<double>(k));
      Update<T> update(m, n, k, tile, count);
      update.run(a, b, std::vector<double>(static_cast<std::size_t>(m), norm),
                 std::vector<double>(static_cast<std::size_t>(n), norm), T(1), c);
      const auto got = c.host();
      const auto a_host = a.host();
      const auto b_host = b.host();
      std::int64_t wrong = 0;
      for (std::int64_t i = 0; i < m; i += std::max<std::int64_t>(1, m / 100)) {
        for (std::int64_t j = 0; j < n; ++j) {
          Wide sum = 0;
          for (std::int64_t q = 0; q < k; ++q) sum += wide(a_host(i, q)) * wide(b_host(q, j));
          const Wide expected = wide(integer(i, j, 3)) - sum;
          const auto rounded = [](long double x) { return static_cast<long double>(static_cast<Real<T>>(x)); };
          wrong += wide(got(i, j)) == Wide(rounded(expected.real()), rounded(expected.imag())) ? 0 : 1;
        }
      }
      EXPECT_EQ(wrong, 0);
      for (const std::int64_t until : update.exact_until()) EXPECT_EQ(until, INT64_MAX);
      // what lies around the residues is as it was, and the padding is 0
      const auto bytes = to_vector(update.left().bytes);
      const PaddedColumns padding{tile};
      const Rows<T>& rows = update.left();
      for (int plane = 0; plane < rows.planes; ++plane) {
        for (std::int64_t i = 0; i < rows.rows; ++i) {
          for (std::int64_t q = 0; q < rows.length + 16; ++q) {
            const std::int8_t byte = bytes[static_cast<std::size_t>(rows.at(plane, i, q))];
            const std::int64_t column = padding.column_at(q);
            if (q >= rows.length) {
              ASSERT_EQ(byte, Rows<T>::marker);
            } else if (column < 0 || column >= k) {
              ASSERT_EQ(byte, 0);
            }
          }
        }
      }
    }
  }
}

// The parts of this sum, added one after the other, would be rounded twice, to 1 ulp less.
TEST(RemainderTest, WhatADoubleHoldsComesBack) {
  constexpr std::int64_t k = 1030;
  const auto integer = [](std::int64_t i, std::int64_t j, std::uint64_t seed) {
    return std::rint(200 * noise(i, j, seed));
  };
  const Framed<double> a(1, k, [&](std::int64_t, std::int64_t j) { return integer(1406, j, 1); });
  const Framed<double> b(k, 1, [&](std::int64_t i, std::int64_t) { return integer(444, i, 2); });
  const Framed<double> c(1, 1, [&](std::int64_t, std::int64_t) { return integer(1406, 444, 3); });
  const std::vector<double> norm{300 * std::sqrt(static_cast<double>(k))};
  Update<double> update(1, 1, k, 128, Moduli::most);
  update.run(a, b, norm, norm, 1., c);
  EXPECT_EQ(c.host()(0, 0), 229);
}

/// Any numbers: the error is that of rounding the rows.
TYPED_TEST(ResiduesTest, TheErrorIsThatOfRoundingRows) {
  using T = TypeParam;
  const std::int64_t m = 37;
  const std::int64_t n = 21;
  const std::int64_t k = 150;
  for (int count = Moduli::least; count <= Moduli::most; ++count) {
    for (const int exponent : {0, 30, -30}) {
      const auto graded = [&](std::int64_t i) { return std::ldexp(1., exponent * static_cast<int>(i % 3 - 1)); };
      const auto row_of = [&](std::uint64_t seed) {
        return [graded, seed](std::int64_t i, std::int64_t j) {
          return scalar<T>(graded(i) * noise(i, j, seed), graded(i) * noise(i, j, seed + 9));
        };
      };
      const Framed<T> a(m, k, row_of(1));
      const Framed<T> b(k, n, [&](std::int64_t i, std::int64_t j) { return detail::conj(row_of(2)(j, i)); });
      const Framed<T> c(m, n, nothing<T>);
      std::vector<double> a_norms;
      std::vector<double> b_norms;
      for (std::int64_t i = 0; i < m; ++i) a_norms.push_back(graded(i) * std::sqrt(2. * static_cast<double>(k)));
      for (std::int64_t j = 0; j < n; ++j) b_norms.push_back(graded(j) * std::sqrt(2. * static_cast<double>(k)));
      Update<T> update(m, n, k, 64, count);
      update.run(a, b, a_norms, b_norms, T(0), c);  // with beta 0, C is not read
      const auto got = c.host();
      const auto a_host = a.host();
      const auto b_host = b.host();
      const double bits = std::log2(kernels::largest_norm(kernels::make_moduli(count), 1 << 20));
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          Wide sum = 0;
          for (std::int64_t q = 0; q < k; ++q) sum += wide(a_host(i, q)) * wide(b_host(q, j));
          const auto size =
              static_cast<long double>(a_norms[static_cast<std::size_t>(i)] * b_norms[static_cast<std::size_t>(j)]);
          const long double rounding = 4 * std::exp2(-bits) * std::sqrt(static_cast<long double>(k));
          ASSERT_LE(std::abs(wide(got(i, j)) + sum), (rounding + epsilon<T>()) * size)
              << count << " moduli, " << i << ", " << j;
        }
      }
    }
  }
}

/// The longest depth that an int32 holds, of the largest residues.
TYPED_TEST(ResiduesTest, LongRows) {
  using T = TypeParam;
  const std::int64_t k = kernels::most_depth;
  const Framed<T> a(1, k, [](std::int64_t, std::int64_t) { return scalar<T>(-128, -128); });
  const Framed<T> b(k, 1, [](std::int64_t, std::int64_t) { return scalar<T>(-128, -128); });
  const Framed<T> c(1, 1, [](std::int64_t, std::int64_t) { return scalar<T>(0, 0); });
  // of a norm with which the scale is 1
  const double norm = kernels::largest_norm(kernels::make_moduli(6), 1 << 20);
  Update<T> update(1, 1, k, 16, 6);
  update.run(a, b, std::vector<double>{norm}, std::vector<double>{norm}, T(1), c);
  const Wide expected = -static_cast<long double>(k) * wide(scalar<T>(-128, -128)) * wide(scalar<T>(-128, -128));
  const auto got = wide(c.host()(0, 0));
  EXPECT_EQ(got.real(), static_cast<long double>(static_cast<Real<T>>(expected.real())));
  EXPECT_EQ(got.imag(), static_cast<long double>(static_cast<Real<T>>(expected.imag())));
}

/// A row that outgrows its norm, or is not finite, gives NaNs from there on, and nothing of another row.
TYPED_TEST(ResiduesTest, RowsThatAreNotRepresented) {
  using T = TypeParam;
  const std::int64_t m = 70;
  const std::int64_t n = 9;
  const std::int64_t k = 50;
  for (const int count : {4, 7, 13, 15}) {
    const auto row = [](std::int64_t i, std::int64_t j) {
      if (i == 3 && j == 17) return scalar<T>(NAN, 0);
      if (i == 11 && j == 0) return scalar<T>(0, is_complex<T> ? INFINITY : 0) + scalar<T>(INFINITY, 0);
      if (i == 40 && j == 49) return scalar<T>(-30, 0);
      if (i == 69) return scalar<T>(1, 0);  // of squares that add up to 50
      return scalar<T>(0.1 * noise(i, j, 1), 0.1 * noise(i, j, 2));
    };
    const Framed<T> a(m, k, row);
    const Framed<T> b(k, n, [](std::int64_t i, std::int64_t j) { return scalar<T>(0.1 * noise(i, j, 4), 0); });
    const Framed<T> c(m, n, [](std::int64_t, std::int64_t) { return scalar<T>(1, 1); });
    Update<T> update(m, n, k, 25, count);
    update.run(a, b, std::vector<double>(m, 1), std::vector<double>(n, 1), T(1), c);
    const auto until = update.exact_until();
    const auto got = c.host();
    for (std::int64_t i = 0; i < m; ++i) {
      const bool is_wrong = i == 3 || i == 11 || i == 40 || i == 69;
      EXPECT_EQ(until[static_cast<std::size_t>(i)], is_wrong ? 5 : INT64_MAX) << i;
      for (std::int64_t j = 0; j < n; ++j) EXPECT_EQ(std::isnan(detail::real(got(i, j))), is_wrong) << i << ", " << j;
    }
  }
}

/// Conjugates of rows that are there as residues are those of the conjugate numbers.
TYPED_TEST(ResiduesTest, ConjugatesOfResidues) {
  using T = TypeParam;
  if constexpr (is_complex<T>) {
    const std::int64_t m = 11;
    const std::int64_t k = 90;
    const int count = 15;
    const auto number = [](std::int64_t i, std::int64_t j) { return scalar<T>(noise(i, j, 1), noise(i, j, 2)); };
    const Framed<T> a(m, k, number);
    const Framed<T> conjugate(k, m, [&](std::int64_t i, std::int64_t j) { return detail::conj(number(j, i)); });
    const Framed<T> c(m, m, nothing<T>);
    const std::vector<double> norms(m, std::sqrt(2. * k));
    Update<T> update(m, m, k, 30, count);
    update.run(a, conjugate, norms, norms, T(0), c);
    const Rows<T> made(m, update.left().length, count);
    const auto moduli = moduli_on_device(count);
    kernels::conjugate_residues(Exec{}, moduli.data(), count, m, made.length, update.left().get(), made.get());
    Exec{}.fence();
    EXPECT_EQ(to_vector(made.bytes), to_vector(update.right().bytes));
  }
}

}  // namespace
}  // namespace tessera::testing
