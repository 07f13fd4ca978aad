// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/communicator.hpp"
#include "core/measure/magnitude.hpp"
#include "core/timed.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/line_sums.hpp"
#include "tessera/cholesky_factor.hpp"
#include "tessera/detail/strided.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace tessera::detail {
namespace {

/// Estimates the 1-norm of a Hermitian matrix from its products with a few vectors: LAPACK's lacn2, which is algorithm
/// 4.1 of N. J. Higham, FORTRAN codes for estimating the one-norm of a real or complex matrix, ACM TOMS 14 (1988).
/// `multiply(x)` multiplies the numbers at x by the matrix. All vectors are multiplied by `scale`, and so the estimate.
template <class T, class Multiply>
class NormEstimator {
 public:
  NormEstimator(std::int64_t n, double scale, const Multiply& multiply)
      : scale_(scale), multiply_(multiply), x_(static_cast<std::size_t>(n)), signs_(x_.size()) {}

  double run() {
    std::fill(x_.begin(), x_.end(), number(1 / count()));
    double estimate = product();
    if (x_.size() == 1) return estimate;
    std::size_t column = steepest();
    for (int iteration = 2; iteration <= most_iterations; ++iteration) {
      std::fill(x_.begin(), x_.end(), T(0));
      x_[column] = number(1);
      const double before = std::exchange(estimate, product());
      // Signs that come again lead to the same column again.
      if (has_same_signs() || estimate <= before) break;
      const std::size_t last = std::exchange(column, steepest());
      if (magnitude(x_[last]) == magnitude(x_[column])) break;
    }
    // A vector for matrices in which the products above cancel.
    for (std::size_t i = 0; i < x_.size(); ++i) {
      x_[i] = number((i % 2 == 0 ? 1 : -1) * (1 + static_cast<double>(i) / (count() - 1)));
    }
    return std::max(estimate, 2 * product() / (3 * count()));
  }

 private:
  static constexpr int most_iterations = 5;
  static constexpr bool is_real = std::is_same_v<T, RealOf<T>>;

  double count() const { return static_cast<double>(x_.size()); }
  T number(double x) const { return T(static_cast<RealOf<T>>(scale_ * x)); }

  /// x becomes its product, whose 1-norm this is.
  double product() {
    multiply_(x_.data());
    double sum = 0;
    for (const T& x : x_) sum += magnitude(x);
    return sum;
  }

  static T sign(const T& x) {
    const double size = magnitude(x);
    return size > 0 ? T(kernels::Wide<T>(x) / size) : T(1);
  }

  /// Of real numbers alone.
  bool has_same_signs() const {
    if constexpr (is_real) {
      for (std::size_t i = 0; i < x_.size(); ++i) {
        if (sign(x_[i]) != signs_[i]) return false;
      }
      return true;
    } else {
      return false;
    }
  }

  /// Where the norm grows the most from the last product on: the largest of the products of its signs.
  std::size_t steepest() {
    std::transform(x_.begin(), x_.end(), signs_.begin(), sign);
    std::transform(signs_.begin(), signs_.end(), x_.begin(), [this](const T& s) { return s * number(1); });
    multiply_(x_.data());
    std::size_t most = 0;
    for (std::size_t i = 1; i < x_.size(); ++i) {
      if (magnitude(x_[i]) > magnitude(x_[most])) most = i;
    }
    return most;
  }

  double scale_;
  const Multiply& multiply_;
  std::vector<T> x_;
  std::vector<T> signs_;
};

/// The power of 2 at `norm`, as far as T has it and its quotient by any n.
template <class T>
double scale_of(double norm) {
  using Limits = std::numeric_limits<RealOf<T>>;
  return std::ldexp(1., std::clamp(std::ilogb(norm), Limits::min_exponent + 32, Limits::max_exponent - 3));
}

}  // namespace

template <class T, class Exec>
double reciprocal_condition(const Exec& exec, const CholeskyFactor<T, typename Exec::memory_space>& factor,
                            double norm_of_a, Memory<typename Exec::memory_space>& memory) {
  using MemorySpace = typename Exec::memory_space;
  const Region region("tessera::reciprocal_condition");
  const Communicator& communicator = factor.grid().communicator();
  if (factor.n() == 0) return 1;
  if (norm_of_a == 0) return 0;
  MatrixView<T, MemorySpace> work;
  const auto multiply = [&](T* x) {
    const auto here = numbers_at<Kokkos::HostSpace>(x, factor.n());
    const auto there = numbers_at<MemorySpace>(work.data(), factor.n());
    collectively(communicator, [&] { Kokkos::deep_copy(exec, there, here); });
    const auto deliver = [&] {
      Kokkos::deep_copy(exec, here, there);
      exec.fence();
    };
    apply<T>(exec, FactorOperation::solve, factor, work, memory, std::cref(deliver));
  };
  // What is estimated is the norm of scale A^-1. Its numbers are at most about the condition number: those of A^-1 may
  // be more than T holds.
  const double scale = scale_of<T>(norm_of_a);
  std::optional<NormEstimator<T, decltype(multiply)>> estimator;
  collectively(communicator, [&] {
    work = right_hand_sides<T>(memory, factor.n(), 1);
    estimator.emplace(factor.n(), scale, multiply);
  });
  const double norm_of_inverse = estimator->run();
  return norm_of_inverse > 0 ? 1 / norm_of_inverse / (norm_of_a / scale) : 0;  // 0 for a NaN, too
}

#define TESSERA_INSTANTIATE_CONDITION(T, Exec)                                                                      \
  template double reciprocal_condition<T, Exec>(const Exec&, const CholeskyFactor<T, typename Exec::memory_space>&, \
                                                double, Memory<typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_CONDITIONS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_CONDITION, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_CONDITIONS)

}  // namespace tessera::detail
