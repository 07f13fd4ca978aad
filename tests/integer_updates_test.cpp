#include "lapack.hpp"
#include "support.hpp"

namespace tessera::testing {
namespace {
using Exec = Kokkos::DefaultExecutionSpace;

template <class T>
struct IntegerTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int ranks = size_of(comm);
};
TYPED_TEST_SUITE(IntegerTest, Scalars);

TYPED_TEST(IntegerTest, Quick) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    for (const std::int64_t n : {0, 1, 5, 37, 300}) {
      for (const std::int64_t tile : {7, 16, 40}) {
        if (n > 40 * tile) continue;
        for (const int moduli : {0, 4, 6, 8, 10, 13, 14, 15}) {
          ShardedMatrix<T> matrix(grid, n, tile);
          const Dominant<T> f{n};
          matrix.fill(Exec{}, f);
          const auto l = factorize(Exec{}, std::move(matrix), FactorizeOptions{.arithmetic = Arithmetic::integer, .moduli = moduli});
          const Kokkos::View<T**, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(n), 3);
          set_noise(b, 3);
          const auto rhs = to_host(b);
          l.solve(Exec{}, b);
          const auto x = to_host(b);
          const double e = backward_error(n, f, 0, x, rhs);
          if (n == 300 && rank_in(this->comm) == 0) std::printf("%zu %ldx%ld n %ld tile %ld moduli %d: %g u\n", scalar_number<T>, long(shape.rows), long(shape.cols), n, tile, moduli, e / epsilon<T>() * 2);
          if (moduli == 0) { EXPECT_LE(e, 10 * epsilon<T>()); }
        }
      }
    }
  }
}
}  // namespace
}  // namespace tessera::testing
