// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

// Exact products of integers by their residues modulo small numbers (Ozaki scheme II: Ozaki, Uchino, Imamura, arXiv
// 2504.08009).
namespace tessera::kernels {

/// Pairwise coprime numbers p_t, and what makes a number V of its residues r_t: V = sum over t of r_t w_t (mod P),
/// where P is the product of the moduli, and |V| < P / 2 (Chinese remainder theorem).
struct Moduli {
  static constexpr int least = 4;
  static constexpr int most = 15;
  /// Numbers up to P are held in as many doubles of 40 bits: a sum of such parts, each times a residue, is exact.
  static constexpr int parts = 3;

  /// Integers below 2^59 are split into as many signed digits of 12 bits, and sums of products of bytes into two of 16:
  /// a sum of digits, each times a power of two modulo p_t, is exact in single precision.
  static constexpr int digits = 5;

  int count = 0;
  float modulus[most] = {};              ///< p_t, at most 256: residues from -p_t / 2 to (p_t - 1) / 2 fit a byte
  float inverse[most] = {};              ///< 1 / p_t
  float power[digits][most] = {};        ///< 2^(12 k) modulo p_t
  std::int32_t power_of_sum[most] = {};  ///< 2^16 modulo p_t
  double weight[parts][most] = {};       ///< w_t = (P / p_t) ((P / p_t)^-1 mod p_t), from its highest part on
  double product[parts] = {};            ///< P
  double product_inverse = 0;            ///< 1 / P
  double largest_square_sum = 0;  ///< less than P / 2: no product of rows with smaller sums of squares is beyond it
};

/// The `count` largest ones, from Moduli::least to Moduli::most.
Moduli make_moduli(int count);

/// How large a row of n numbers, complex ones perhaps, may be: if its 2-norm is smaller, its numbers rounded to
/// integers, each part by an error below `rounding`, have a sum of squares below largest_square_sum, even if the norm
/// errs by a hundredth: by the triangle inequality their 2-norm is at most that of the row and of the errors together.
double largest_norm(const Moduli& moduli, std::int64_t n, double rounding = 0.5);

}  // namespace tessera::kernels
