// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/moduli.hpp"

#include <cmath>

namespace tessera::kernels {
namespace {

__extension__ using Integer128 = unsigned __int128;

constexpr int numbers[Moduli::most] = {256, 255, 253, 251, 247, 241, 239, 233, 229, 227, 223, 217, 211, 199, 197};

void write_parts(Integer128 x, double (&parts)[Moduli::parts]) {
  constexpr int bits = 40;
  for (int i = Moduli::parts; i-- > 0; x >>= bits) {
    const auto low = static_cast<std::uint64_t>(x & ((Integer128{1} << bits) - 1));
    parts[i] = std::ldexp(static_cast<double>(low), bits * (Moduli::parts - 1 - i));
  }
}

}  // namespace

Moduli make_moduli(int count) {
  Moduli moduli;
  moduli.count = count;
  Integer128 product = 1;
  for (int t = 0; t < count; ++t) product *= static_cast<Integer128>(numbers[t]);
  for (int t = 0; t < count; ++t) {
    const auto p = static_cast<unsigned>(numbers[t]);
    moduli.modulus[t] = static_cast<float>(p);
    moduli.inverse[t] = 1 / moduli.modulus[t];
    const auto power = [p](int exponent) {
      const auto rest = static_cast<int>((std::uint64_t{1} << exponent) % p);
      return 2 * rest < static_cast<int>(p) ? rest : rest - static_cast<int>(p);
    };
    for (int k = 0; k < Moduli::digits; ++k) moduli.power[k][t] = static_cast<float>(power(12 * k));
    moduli.power_of_sum[t] = power(16);
    const Integer128 others = product / p;
    const auto rest = static_cast<unsigned>(others % p);
    unsigned inverse = 1;
    while (rest * inverse % p != 1) ++inverse;
    double parts[Moduli::parts];
    write_parts(others * inverse, parts);
    for (int i = 0; i < Moduli::parts; ++i) moduli.weight[i][t] = parts[i];
  }
  write_parts(product, moduli.product);
  moduli.product_inverse = 1 / static_cast<double>(product);
  moduli.largest_square_sum = 0.99 * (static_cast<double>(product) / 2);
  return moduli;
}

double largest_norm(const Moduli& moduli, std::int64_t n, double rounding) {
  const double errors = rounding * std::sqrt(2 * static_cast<double>(n));
  return std::sqrt(moduli.largest_square_sum) * 0.99 - errors;
}

}  // namespace tessera::kernels
