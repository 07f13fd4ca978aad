// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/blas.hpp"
#include "kernels/potrf.hpp"
#include "support.hpp"

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>

// What the tests of kernels have in common.
namespace tessera::testing {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;
using kernels::Op;

inline constexpr std::int64_t edges[] = {0, 1, 63, 64, 65, 130, 200};

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
  Kokkos::View<char*, Exec::memory_space> workspace{"workspace", kernels::Queue<Exec>::workspace_bytes};
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

}  // namespace tessera::testing
