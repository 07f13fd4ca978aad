// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/agreement.hpp>
#include <tessera/detail/backends.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/detail/rank_sum.hpp>
#include <tessera/detail/region.hpp>
#include <tessera/detail/row_sums.hpp>
#include <tessera/detail/saturated.hpp>
#include <tessera/detail/strided.hpp>
#include <tessera/scalar.hpp>
#include <tessera/sharded_matrix.hpp>

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace tessera {
/// @addtogroup pieces
/// @{
namespace detail {

/// What f(i, j) returns, as `count` numbers.
template <class Value>
struct Numbers {
  static_assert(Scalar<Value> || std::is_arithmetic_v<Value>,
                "f(i, j) is a number of the matrix's scalar, a real one, or a Kokkos::Array of such numbers");
  static constexpr std::size_t count = 1;
  KOKKOS_FUNCTION static const Value& number(const Value& value, std::size_t) { return value; }
  static double result(const Kokkos::Array<double, 1>& sums) { return sums[0]; }
};
template <class Value, std::size_t K>
struct Numbers<Kokkos::Array<Value, K>> {
  static_assert(Numbers<Value>::count == 1 && K > 0);
  static constexpr std::size_t count = K;
  KOKKOS_FUNCTION static const Value& number(const Kokkos::Array<Value, K>& value, std::size_t k) { return value[k]; }
  static Kokkos::Array<double, K> result(const Kokkos::Array<double, K>& sums) { return sums; }
};

/// The real part of conj(a) b, in double.
template <class A, class B>
KOKKOS_FUNCTION double real_product(const A& a, const B& b) {
  double product = static_cast<double>(real(a)) * static_cast<double>(real(b));
  if constexpr (!std::is_same_v<A, RealOf<A>> && !std::is_same_v<B, RealOf<B>>) {
    product += static_cast<double>(a.imag()) * static_cast<double>(b.imag());
  }
  return product;
}

/// What an element and its mirror image add to the inner product with f.
template <class T, class Function>
struct AddProducts {
  using Value = std::remove_cvref_t<std::invoke_result_t<const Function&, std::int64_t, std::int64_t>>;
  using NumbersOfF = Numbers<Value>;
  using Sums = Kokkos::Array<double, NumbersOfF::count>;

  Function f;

  KOKKOS_FUNCTION void operator()(Sums& sums, const T& a, std::int64_t i, std::int64_t j) const {
    const Value here = f(i, j);
    if (i == j) {
      for (std::size_t k = 0; k < NumbersOfF::count; ++k) {
        sums[k] += real_product(real(a), NumbersOfF::number(here, k));
      }
      return;
    }
    const Value there = f(j, i);
    for (std::size_t k = 0; k < NumbersOfF::count; ++k) {
      sums[k] += real_product(a, NumbersOfF::number(here, k)) + real_product(conj(a), NumbersOfF::number(there, k));
    }
  }
};

}  // namespace detail

/// The inner product of the Hermitian matrix M, whose lower triangle `matrix` holds, with the matrix f: the sum over
/// all i and j of the real part of conj(M(i, j)) f(i, j), which is the real part of the trace of M f.
///
/// So with M = A^-1 and f = dA / dp it is the derivative of log det A. Only the lower triangle is read, and the real
/// part of the diagonal. Sums are in double.
///
/// Collective over the matrix's grid. It begins after what `exec` has been given, and is complete when it returns. Each
/// rank takes memory for n doubles, for each number that f returns. What f throws on the host is thrown on every rank
/// (see errors.hpp).
/// @param exec runs the kernels, in the memory space of `matrix`
/// @param matrix is not changed
/// @param f callable in kernels of `exec` with global indices (std::int64_t i, std::int64_t j), from 0; asked once for
///   every i and j over all ranks; it need not be Hermitian. It returns a T, a real number, or a Kokkos::Array of K of
///   these.
/// @return a double; if f returns an Array, a Kokkos::Array<double, K> of the inner products with its K numbers. The
///   same bits on every rank, and from run to run; 0 for n = 0.
/// @throws std::invalid_argument on every rank, if the ranks disagree, on K for example
/// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
template <class Exec, Scalar T, class Function>
auto inner_product(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix, const Function& f) {
  detail::require_backend<Exec>();
  using MemorySpace = typename Exec::memory_space;
  using Add = detail::AddProducts<T, Function>;
  using Sums = typename Add::Sums;
  constexpr std::size_t count = Add::NumbersOfF::count;
  const detail::Communicator& communicator = matrix.grid().communicator();
  detail::agree(communicator, "inner_product", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    detail::note_matrix(agreement, matrix);
    agreement.same("f", std::to_string(count) + " numbers");
  });

  const detail::Region region("tessera::inner_product");
  detail::Memory<MemorySpace> memory;
  Sums total{};
  detail::collectively(communicator, [&] {
    const std::int64_t size = detail::saturated_product(matrix.n(), std::int64_t{count});
    const auto bytes = detail::saturated_product(size, sizeof(double));
    auto* const of_rows = reinterpret_cast<double*>(
        detail::Memory<MemorySpace>::reserve(memory.workspace, "tessera::inner_product::sums", bytes).data());
    detail::fill("tessera::inner_product::set_zero", exec, of_rows, size, 0.0);
    detail::add_row_sums<T>("tessera::inner_product::row_sums", exec, matrix, Add{f}, reinterpret_cast<Sums*>(of_rows));
    std::vector<double> sums(static_cast<std::size_t>(size));
    detail::copy_to_host<Exec, double>(exec, of_rows, sums.data(), size);
    for (std::size_t k = 0; k < sums.size(); ++k) total[k % count] += sums[k];
  });
  detail::sum_over_ranks(communicator, total.data(), static_cast<int>(count));
  return Add::NumbersOfF::result(total);
}

/// @}
}  // namespace tessera
