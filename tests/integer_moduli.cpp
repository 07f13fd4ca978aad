// SPDX-License-Identifier: BSD-3-Clause
#include "integer_accuracy.hpp"

#include "kernels/moduli.hpp"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <tuple>

// The error of factors for each number of moduli, beside its bound.
namespace tessera::testing {
namespace {

/// The bound on what the rounding of rows adds to the error, in units of u: an entry's is at most 2^-b sqrt(A(i, i)),
/// so that an element of L L^H errs by 2^-b sqrt(K) sqrt(A(i, i) A(j, j)) for each of its two rows of K <= n numbers.
template <class T>
double bound_of_rounding(int moduli, std::int64_t n) {
  const double power = kernels::largest_norm(kernels::make_moduli(moduli), n);  // 2^b
  return 2 * std::sqrt(static_cast<double>(n)) / power / (epsilon<T>() / 2);
}

/// A size and a matrix.
struct IntegerAccuracyOfEachNumberTest : ::testing::TestWithParam<std::tuple<Size, Hard>> {
  const Size size = std::get<0>(GetParam());
  const Hard hard = std::get<1>(GetParam());
  const bool told = std::getenv("TESSERA_TEST_VERBOSE") != nullptr;

  void SetUp() override {
    if (!has_narrow_steps || size_of(MPI_COMM_WORLD) > 1) GTEST_SKIP() << "the same on all ranks";
    if ((size.n > 500) != told) GTEST_SKIP() << "takes long, and is on request";
  }

  /// Native products and each number of moduli; on request as lines of JSON, for perf/plot.py.
  template <class T>
  void expect_errors_below_the_bound(const char* name) const {
    const ProcessGrid grid(MPI_COMM_WORLD);
    const HardMatrix<T> a(hard, size.n);
    const int number = default_number(size.n, T());
    const auto tell = [&](int moduli, double error, double bound) {
      std::ostringstream line;
      line << R"({"matrix": ")" << hard << R"(", "scalar": ")" << name << R"(", "n": )" << size.n << R"(, "moduli": )"
           << moduli << R"(, "default": )" << number << R"(, "bound": )" << bound << R"(, "error": )";
      if (error < INFINITY) {
        line << error;
      } else {
        line << "null";
      }
      if (told) std::puts((line.str() + "}").c_str());
    };
    const double native = native_error(grid, a, size.tile);
    tell(0, native, 0);
    for (int moduli = kernels::Moduli::least; moduli <= kernels::Moduli::most; ++moduli) {
      SCOPED_TRACE(::testing::Message() << hard << ", " << size << ", moduli " << moduli);
      const double error = error_of(grid, a, size.tile, {.arithmetic = Arithmetic::integer, .moduli = moduli});
      const double bound = bound_of_rounding<T>(moduli, size.n);
      if (moduli >= number) {
        EXPECT_LE(error, most(native)) << "native: " << native;
      } else if (error < INFINITY) {  // no matrix need be positive definite when it has been rounded so coarsely
        EXPECT_LE(error, bound + most(native));
      }
      tell(moduli, error, bound);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(OfMatrices, IntegerAccuracyOfEachNumberTest,
                         ::testing::Combine(::testing::Values(Size{131, 16}, Size{512, 64}, Size{1031, 128}),
                                            ::testing::ValuesIn(hard_for_moduli)));

TEST_P(IntegerAccuracyOfEachNumberTest, TheErrorIsBelowTheBound) {
  expect_errors_below_the_bound<double>("double");
  expect_errors_below_the_bound<float>("float");
}

}  // namespace
}  // namespace tessera::testing
