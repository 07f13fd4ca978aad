// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/residue_arithmetic.hpp"
#include "kernels/residues.hpp"

#include <cmath>

namespace tessera::kernels {
namespace {

/// A dot product for each plane, which a host's compiler makes vectors of.
struct MultiplyResidues {
  int planes;
  std::int64_t depth;
  Residues left;
  Residues right;
  ResidueProducts products;
  bool accumulates;

  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const {
    for (int t = 0; t < planes; ++t) {
      const std::int8_t* const a = left.data + t * left.plane + i * left.row;
      const std::int8_t* const b = right.data + t * right.plane + j * right.row;
      std::int32_t& product = products.data[t * products.plane + j * products.leading_dimension + i];
      std::int32_t sum = accumulates ? product : 0;
      for (std::int64_t k = 0; k < depth; ++k) sum += std::int32_t{a[k]} * std::int32_t{b[k]};
      product = sum;
    }
  }
};

/// The number that has given residues: sums of parts, each of which a double holds exactly.
struct FromResidues {
  double parts[Moduli::parts] = {};

  KOKKOS_INLINE_FUNCTION void add(const Moduli& moduli, int t, double residue) {
    for (int i = 0; i < Moduli::parts; ++i) parts[i] += residue * moduli.weight[i][t];
  }
  /// Rounded to a double: what one holds comes back as it was.
  KOKKOS_INLINE_FUNCTION double value(const Moduli& moduli) const {
    static_assert(Moduli::parts == 3);
    const double multiple = std::rint((parts[0] + (parts[1] + parts[2])) * moduli.product_inverse);
    double rest[Moduli::parts];
    for (int i = 0; i < Moduli::parts; ++i) rest[i] = parts[i] - multiple * moduli.product[i];
    // The sum of the first two and its error (Knuth's TwoSum).
    const double sum = rest[0] + rest[1];
    const double second = sum - rest[0];
    const double error = (rest[0] - (sum - second)) + (rest[1] - second);
    return sum + (error + rest[2]);
  }
};

/// Products of four rows, which are read together.
struct alignas(16) QuadOfProducts {
  std::int32_t of_row[Quad::size];
};

/// A thread takes four rows and two columns, for which it reads a modulus once.
template <class T, class Space>
struct AddProducts {
  static constexpr int columns = 2;
  static constexpr int parts = planes_per_modulus<T> == 1 ? 1 : 2;  // real and imaginary

  const Moduli* moduli;
  int count;
  ResidueProducts products;
  Unscale unscale;
  double alpha;
  bool adds_to_zero;
  MatrixView<T, Space> c;

  KOKKOS_FUNCTION std::int64_t quads() const {
    return (static_cast<std::int64_t>(c.extent(0)) + Quad::size - 1) / Quad::size;
  }

  KOKKOS_FUNCTION void operator()(std::int64_t index) const {
    const std::int64_t row = index % quads() * Quad::size;
    const std::int64_t column = index / quads() * columns;
    const std::int32_t* at = products.data + column * products.leading_dimension + row;
    const bool has_second = column + 1 < static_cast<std::int64_t>(c.extent(1));
    const std::int64_t second = has_second ? products.leading_dimension : 0;
    FromResidues sums[columns][Quad::size][parts];
    for (int t = 0; t < count; ++t, at += planes_per_modulus<T> * products.plane) {
      add(t, at, sums[0]);
      add(t, at + second, sums[1]);
    }
    for (int q = 0; q < Quad::size && row + q < static_cast<std::int64_t>(c.extent(0)); ++q) {
      add_to(row + q, column, sums[0][q]);
      if (has_second) add_to(row + q, column + 1, sums[1][q]);
    }
  }

 private:
  KOKKOS_INLINE_FUNCTION void add(int t, const std::int32_t* at, FromResidues (&sums)[Quad::size][parts]) const {
    const auto* const first = reinterpret_cast<const QuadOfProducts*>(at);
    if constexpr (parts == 1) {
      const QuadOfProducts x = *first;
      for (int q = 0; q < Quad::size; ++q) sums[q][0].add(*moduli, t, double{of_sum(t, x.of_row[q])});
    } else {
      const QuadOfProducts x = *first;
      const QuadOfProducts y = *reinterpret_cast<const QuadOfProducts*>(at + products.plane);
      const QuadOfProducts z = *reinterpret_cast<const QuadOfProducts*>(at + 2 * products.plane);
      for (int q = 0; q < Quad::size; ++q) {
        const float a = of_sum(t, x.of_row[q]);
        const float b = of_sum(t, y.of_row[q]);
        sums[q][0].add(*moduli, t, double{a - b});
        sums[q][1].add(*moduli, t, double{of_sum(t, z.of_row[q]) - a - b});
      }
    }
  }

  /// A sum of products modulo p_t: of its upper and lower 16 bits.
  KOKKOS_INLINE_FUNCTION float of_sum(int t, std::int32_t sum) const {
    const std::int32_t x = (sum >> 16) * moduli->power_of_sum[t] + (sum & 0xffff);
    return residue(static_cast<float>(x), moduli->modulus[t], moduli->inverse[t]);
  }

  KOKKOS_INLINE_FUNCTION void add_to(std::int64_t i, std::int64_t j, const FromResidues (&sums)[parts]) const {
    const bool is_exact = unscale.exact_until == nullptr || unscale.exact_until[i] >= unscale.end;
    // One after the other, the smaller one first: what is on the way is beyond a double's exponents only if the end is.
    const double row = unscale.rows[i];
    const double column = unscale.columns[j];
    const double smaller = row < column ? row : column;
    const double larger = row < column ? column : row;
    const auto number = [&](const FromResidues& sum) {
      return is_exact ? alpha * (sum.value(*moduli) * smaller * larger) : NAN;
    };
    using Real = detail::RealOf<T>;
    T& element = c(i, j);
    const T before = adds_to_zero ? T(0) : element;
    if constexpr (parts == 1) {
      element = static_cast<Real>(static_cast<double>(before) + number(sums[0]));
    } else {
      element = T(static_cast<Real>(static_cast<double>(before.real()) + number(sums[0])),
                  static_cast<Real>(static_cast<double>(before.imag()) + number(sums[1])));
    }
  }
};

template <class T, class Exec>
void run(const Exec& exec, const AddProducts<T, typename Exec::memory_space>& kernel) {
  constexpr int width = AddProducts<T, typename Exec::memory_space>::columns;
  const std::int64_t pairs = (static_cast<std::int64_t>(kernel.c.extent(1)) + width - 1) / width;
  Kokkos::parallel_for("tessera::residues::add",
                       Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, kernel.quads() * pairs),
                       kernel);
}

}  // namespace

template <class Exec>
void multiply_residues(Queue<Exec>& queue, int planes, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                       const Residues& left, const Residues& right, const ResidueProducts& products, bool accumulates) {
  if constexpr (is_host<Exec>) {
    for_each_index("tessera::residues::multiply", queue.exec(), rows, columns,
                   MultiplyResidues{planes, depth, left, right, products, accumulates});
  } else {
    const std::int64_t padded_rows = (rows + Quad::size - 1) / Quad::size * Quad::size;
    queue.blas().multiply_bytes(planes, padded_rows, columns, depth, {left.data, left.row, left.plane},
                                {right.data, right.row, right.plane},
                                {products.data, products.leading_dimension, products.plane}, accumulates);
  }
}

template <class T, class Exec>
void subtract_products(const Exec& exec, const Moduli* moduli, int count, const ResidueProducts& products,
                       const Unscale& unscale, T beta, const MatrixView<T, typename Exec::memory_space>& c) {
  run<T>(exec, AddProducts<T, typename Exec::memory_space>{moduli, count, products, unscale, -1., beta == T(0), c});
}

template <class T, class Exec>
void add_products(const Exec& exec, const Moduli* moduli, int count, const ResidueProducts& products,
                  const Unscale& unscale, double alpha, const MatrixView<T, typename Exec::memory_space>& c) {
  run<T>(exec, AddProducts<T, typename Exec::memory_space>{moduli, count, products, unscale, alpha, false, c});
}

#define TESSERA_INSTANTIATE_SUBTRACT(T, Exec)                                                                          \
  template void subtract_products<T, Exec>(const Exec&, const Moduli*, int, const ResidueProducts&, const Unscale&, T, \
                                           const MatrixView<T, typename Exec::memory_space>&);                         \
  template void add_products<T, Exec>(const Exec&, const Moduli*, int, const ResidueProducts&, const Unscale&, double, \
                                      const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_PRODUCTS(Exec)                                                                            \
  TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_SUBTRACT, Exec)                                                         \
  template void multiply_residues<Exec>(Queue<Exec>&, int, std::int64_t, std::int64_t, std::int64_t, const Residues&, \
                                        const Residues&, const ResidueProducts&, bool);
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_PRODUCTS)

}  // namespace tessera::kernels
