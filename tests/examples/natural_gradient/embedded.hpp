// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "step.hpp"

// NetKet's solver is real. For a holomorphic wave function it is handed, instead of the Hermitian A = O O^H (or O^H O)
// and b, their embedding: a real matrix of twice the size, of the real Jacobian
//
//     J = [ Re O   -Im O ]      so that  J J^T = [ Re A   -Im A ]   and J^T J alike, and the same holds of b and x:
//         [ Im O    Re O ]                       [ Im A    Re A ]   their real parts, and their imaginary parts.
//
// Every eigenvalue is there twice. The Hermitian A has a quarter of the entries, in half of the bytes, and its Cholesky
// takes half of the flops.
//
// Samples are interleaved, Re s0, Im s0, Re s1, ..., so that a rank's rows stay together; of the parameters, all real
// parts come before all imaginary ones.
namespace ng {

/// Where, in a real vector of 2n numbers, part 0 (real) or 1 (imaginary) of complex number k is.
struct Interleaved {
  KOKKOS_FUNCTION std::int64_t operator()(std::int64_t k, int part) const { return 2 * k + part; }
};
struct Halves {
  std::int64_t n;
  KOKKOS_FUNCTION std::int64_t operator()(std::int64_t k, int part) const { return part * n + k; }
};

template <class Place>
Vector<double> embed(const Vector<Complex>& z, const Place& place) {
  const Vector<double> x("embed", 2 * z.size());
  Kokkos::parallel_for(
      "embed", Range(0, static_cast<std::int64_t>(z.size())), KOKKOS_LAMBDA(std::int64_t k) {
        x(place(k, 0)) = z(k).real();
        x(place(k, 1)) = z(k).imag();
      });
  return x;
}

template <class Place>
Vector<Complex> unembed(const Vector<double>& x, const Place& place) {
  const Vector<Complex> z("unembed", x.size() / 2);
  Kokkos::parallel_for(
      "unembed", Range(0, static_cast<std::int64_t>(z.size())),
      KOKKOS_LAMBDA(std::int64_t k) { z(k) = Complex(x(place(k, 0)), x(place(k, 1))); });
  return z;
}

/// The real Jacobian. It is centred here: a column of J has two means, one over the real and one over the imaginary
/// rows.
inline tessera::Gram<Matrix<double>> embed(MPI_Comm comm, const tessera::Gram<Matrix<Complex>>& gram) {
  const Matrix<Complex> o = gram.jacobian;
  const auto samples = static_cast<std::int64_t>(o.extent(0)), n = static_cast<std::int64_t>(o.extent(1));
  const auto count = static_cast<std::int64_t>(sum_over_ranks(comm, static_cast<double>(samples)));
  const Vector<Complex> ones("ones", samples);
  Kokkos::deep_copy(ones, Complex(1));
  const Vector<Complex> mean = adjoint_times(comm, o, 0, ones, 1 / static_cast<double>(count));  // its conjugate

  const Matrix<double> j("embedded_jacobian", 2 * samples, 2 * n);
  const Halves place{n};
  Kokkos::parallel_for(
      "embed::jacobian", Range2({0, 0}, {samples, n}), KOKKOS_LAMBDA(std::int64_t s, std::int64_t k) {
        const Complex z = o(s, k) - conj(mean(k));
        j(2 * s, place(k, 0)) = z.real();
        j(2 * s, place(k, 1)) = -z.imag();
        j(2 * s + 1, place(k, 0)) = z.imag();
        j(2 * s + 1, place(k, 1)) = z.real();
      });
  return {j, {.form = gram.options.form, .alpha = gram.options.alpha}};
}

/// A solver of complex systems that hands their embeddings to a real one, to compare with.
struct Embedded {
  tessera::CholeskyDistributed solver;

  tessera::Solution<Vector<Complex>> operator()(const tessera::Gram<Matrix<Complex>>& gram,
                                                const Vector<Complex>& b) const {
    auto [x, info] = solver(embed(solver.comm, gram), embed(b, Interleaved()));
    return {unembed(x, Interleaved()), info};
  }

  using Parameters = Rbm<Complex>::Parameters;
  tessera::Solution<Parameters> operator()(const tessera::Gram<Matrix<Complex>>& gram, const Parameters& b,
                                           const Parameters& /*guess*/) const {
    const Halves place{static_cast<std::int64_t>(gram.jacobian.extent(1))};
    auto [x, info] = solver(embed(solver.comm, gram), embed(flat<Complex>(b), place));
    const auto& w = std::get<1>(b);
    return {shaped(unembed(x, place), Rbm<Complex>(static_cast<int>(w.extent(0)), static_cast<int>(w.extent(1)))),
            info};
  }
};

}  // namespace ng
