// SPDX-License-Identifier: BSD-3-Clause
#include "device_vectors.hpp"
#include "kernels.hpp"

#include "kernels/moduli.hpp"
#include "kernels/residues.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

// Moduli against integers of 128 bits, and the scales by which rows become integers.
namespace tessera::testing {
namespace {

__extension__ using Int128 = __int128;
using kernels::Moduli;

long double as_long_double(Int128 x) {
  const bool negative = x < 0;
  const Int128 size = negative ? -x : x;
  const long double value = std::ldexp(static_cast<long double>(static_cast<std::uint64_t>(size >> 64)), 64) +
                            static_cast<long double>(static_cast<std::uint64_t>(size));
  return negative ? -value : value;
}

TEST(ModuliTest, GiveBackIntegers) {
  for (int count = Moduli::least; count <= Moduli::most; ++count) {
    const Moduli moduli = kernels::make_moduli(count);
    Int128 product = 1;
    for (int t = 0; t < count; ++t) product *= static_cast<int>(moduli.modulus[t]);
    EXPECT_EQ(static_cast<long double>(moduli.product[0]) + moduli.product[1] + moduli.product[2],
              as_long_double(product));
    EXPECT_LT(moduli.largest_square_sum, as_long_double(product) / 2);
    // w_t is 1 modulo p_t, and 0 modulo the others
    for (int t = 0; t < count; ++t) {
      Int128 weight = 0;
      for (int i = 0; i < Moduli::parts; ++i) {
        EXPECT_LT(std::ldexp(moduli.weight[i][t], -40 * (Moduli::parts - 1 - i)), 0x1p40);
        weight += static_cast<Int128>(moduli.weight[i][t]);
      }
      for (int s = 0; s < count; ++s) {
        const auto p = static_cast<int>(moduli.modulus[s]);
        EXPECT_LE(p, 256);
        EXPECT_EQ(static_cast<int>(weight % p), s == t ? 1 : 0)
            << count << " moduli, weight " << t << ", modulus " << s;
      }
    }
  }
}

TEST(ModuliTest, ScalesAreTheLargest) {
  using Limits = std::numeric_limits<double>;
  const std::vector<double> sums{1,
                                 2,
                                 3.99,
                                 4,
                                 0.3,
                                 1e10,
                                 Limits::max(),
                                 Limits::min(),
                                 0,
                                 -1,
                                 NAN,
                                 Limits::denorm_min(),
                                 INFINITY,
                                 -INFINITY,
                                 Limits::min() * 0.37};
  const auto there = to_device(sums);
  for (const int count : {4, 7, 13, 15}) {
    const double norm = kernels::largest_norm(kernels::make_moduli(count), 100000);
    const Kokkos::View<double*, Space> up("up", sums.size());
    const Kokkos::View<double*, Space> down("down", sums.size());
    kernels::make_row_scales(Exec{}, there.data(), static_cast<std::int64_t>(sums.size()), norm,
                             {up.data(), down.data()});
    Exec{}.fence();
    const auto ups = to_vector(up);
    const auto downs = to_vector(down);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      SCOPED_TRACE(sums[i]);
      if (!(sums[i] > 0) || std::isinf(sums[i])) {
        EXPECT_EQ(ups[i], 0);
        EXPECT_EQ(downs[i], 0);
        continue;
      }
      const long double row = std::sqrt(static_cast<long double>(sums[i])) * static_cast<long double>(ups[i]);
      EXPECT_LE(row, norm * (1 + 1e-15L));
      EXPECT_GT(2 * row, norm * (1 - 1e-15L));
      EXPECT_EQ(ups[i] * downs[i], 1);
      int exponent = 0;
      EXPECT_EQ(std::frexp(ups[i], &exponent), 0.5);
    }
  }
}

TEST(SquareSumTest, OfNumbersOfAnySize) {
  using Limits = std::numeric_limits<double>;
  const auto expect = [](const std::vector<double>& numbers, double norm, bool has_scale) {
    SCOPED_TRACE(norm);
    kernels::SquareSum sum;
    for (const double x : numbers) sum.add(x);
    EXPECT_TRUE(std::isnan(norm) ? std::isnan(sum.root())
                                 : sum.root() == norm || std::abs(sum.root() / norm - 1) < 1e-15);
    const auto sums = to_device(std::vector<kernels::SquareSum>{sum, kernels::SquareSum{}});
    const Kokkos::View<double*, Space> up("up", 2);
    const Kokkos::View<double*, Space> down("down", 2);
    EXPECT_EQ(kernels::make_row_scales(Exec{}, sums.data(), 2, 0x1p50, {up.data(), down.data()}), has_scale);
    if (!has_scale || norm == 0) return;
    const double scaled = to_vector(up)[0] * norm;
    EXPECT_LE(scaled, 0x1p50 * (1 + 1e-15));
    EXPECT_GT(scaled, 0x1p50 * (1 - 1. / 16));
    for (const double integer : {1., 3., 0x1p20 + 1})
      EXPECT_EQ(integer * to_vector(up)[0] * to_vector(down)[0], integer);
  };
  expect({}, 0, true);
  expect({3e300, -4e300}, 5e300, true);
  expect({3e-280, 4e-280, 1e-300}, 5e-280, true);
  expect({1e-300, 1, 1e-200}, 1, true);
  expect({3e-290, 4e-290}, 5e-290, false);
  expect({3 * Limits::denorm_min(), 4 * Limits::denorm_min()}, 5 * Limits::denorm_min(), false);
  expect({Limits::max(), Limits::max()}, INFINITY, false);
  expect({1e-300, INFINITY}, INFINITY, false);
  for (const double other : {0., 1., 1e300, Limits::infinity()}) expect({other, NAN}, NAN, false);
}

}  // namespace
}  // namespace tessera::testing
