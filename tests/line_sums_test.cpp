// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/line_sums.hpp"

#include "support.hpp"

#include <cstdint>
#include <utility>

// Sums along rows and columns, against long double.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

template <class T>
struct LineSumsTest : ::testing::Test {};
TYPED_TEST_SUITE(LineSumsTest, Scalars);

TYPED_TEST(LineSumsTest, AlongRowsAndColumns) {
  using T = TypeParam;
  using W = kernels::Wide<T>;
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{3, 70}, {130, 5}, {65, 300}, {0, 4}, {4, 0}}) {
    const Kokkos::View<T**, Kokkos::LayoutLeft> view("a", static_cast<std::size_t>(rows),
                                                     static_cast<std::size_t>(columns));
    set_noise(view, 8);
    const auto host = to_host(view);
    for (const bool along_rows : {false, true}) {
      for (const bool subtract : {false, true}) {
        const auto stride = static_cast<std::int64_t>(view.stride(1));
        const std::int64_t count = along_rows ? rows : columns;
        const std::int64_t length = along_rows ? columns : rows;
        const Kokkos::View<W*> sums("sums", static_cast<std::size_t>(count));
        const Kokkos::View<W*> halves("halves", static_cast<std::size_t>(length));
        Kokkos::deep_copy(halves, W(0.5));
        kernels::line_sums<T>("test::line_sums", Exec{},
                              {view.data(), count, along_rows ? 1 : stride, length, along_rows ? stride : 1},
                              subtract ? halves.data() : nullptr, sums.data());
        Exec{}.fence();
        const auto got = to_host(sums);
        for (std::int64_t l = 0; l < count; ++l) {
          Wide sum = 0;
          for (std::int64_t s = 0; s < length; ++s) sum += wide(along_rows ? host(l, s) : host(s, l));
          if (subtract) sum -= 0.5L * static_cast<long double>(length);
          EXPECT_LE(std::abs(wide(got(l, 0)) - sum), 1e-15L * static_cast<long double>(length + 1)) << l;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tessera::testing
