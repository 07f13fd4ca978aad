// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "grams.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// A += alpha J J^H and alpha J^H J, and what is solved with them.
namespace tessera::testing {
namespace {

TYPED_TEST_SUITE(GramTest, Scalars);

TYPED_TEST(GramTest, IsWhatItShouldBe) {
  using T = TypeParam;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    for (const auto& [n, depth] : {std::pair<std::int64_t, std::int64_t>{37, several_chunks<Space>(37)},
                                   {5, 3},
                                   {1, 4},
                                   {3, 1},
                                   {4, 0},
                                   {0, 4}}) {
      const std::int64_t samples = form == GramForm::j_jh ? n : depth;
      const std::int64_t parameters = form == GramForm::j_jh ? depth : n;
      for (const int means : {0, 1, 2, 3}) {
        const Jacobian<T> f{means == 0 ? 0. : 3.};
        const GramOptions options{form, -0.75, (means & 1) != 0, (means & 2) != 0};
        const GramReference reference(samples, parameters, f, options);
        const std::vector<Wide> expected = all_of(reference);
        for (const GridShape grid : all_grids(this->ranks)) {
          for (const auto& [tile, slab] : {std::pair<std::int64_t, std::int64_t>{4, 0}, {3, 9}, {64, 0}, {1, 1}}) {
            SCOPED_TRACE(::testing::Message()
                         << (form == GramForm::j_jh ? "J J^H" : "J^H J") << ", n " << n << ", depth " << depth
                         << ", means " << means << ", " << grid.rows << " x " << grid.cols << ", tile " << tile);
            const Shards shards = tile == 4 ? even_shards(samples, this->ranks) : ragged_shards(samples, this->ranks);
            const auto check = [&](const auto& jacobian) {
              expect_gram(this->assembled(jacobian, options, grid, n, tile, slab), expected, reference, Start<T>{});
            };
            if (tile == 3) {
              check(make_samples<Kokkos::View<T**, Kokkos::LayoutLeft>>(shards, this->rank, parameters, f));
            } else if (tile == 1) {
              check(JacobianOperator<Jacobian<T>>{f, shards, this->rank, parameters});
            } else {
              check(make_samples<Kokkos::View<T**, Kokkos::LayoutRight>>(shards, this->rank, parameters, f));
            }
          }
        }
      }
    }
  }
}

/// A += twice, by an operator that is referred to, and by a constant Gram.
TYPED_TEST(GramTest, IsAdded) {
  using T = TypeParam;
  const std::int64_t n = 20;
  const Shards shards = ragged_shards(n, this->ranks);
  JacobianOperator<Jacobian<T>> jacobian{{}, shards, this->rank, 30};
  ShardedMatrix<T> matrix(ProcessGrid(this->comm), n, 6);
  matrix.fill(Exec{}, Start<T>{});
  add_gram(Exec{}, Gram<JacobianOperator<Jacobian<T>>&>{jacobian, {.alpha = 0.5}}, matrix);
  EXPECT_EQ(jacobian.calls.empty(), jacobian.extent(0) == 0);
  const Gram constant{make_samples<Kokkos::View<T**>>(shards, this->rank, 30, jacobian.f), {.alpha = 1.5}};
  add_gram(Exec{}, constant, matrix);
  const GramReference reference(n, 30, jacobian.f, {.alpha = 2});
  expect_gram(matrix, all_of(reference), reference, Start<T>{});
}

/// With means a thousand times as large as what is left without them, A loses no more than J has lost already.
TYPED_TEST(GramTest, CentringIsStable) {
  using T = TypeParam;
  const double offset = std::is_same_v<Real<T>, float> ? 1e3 : 1e6;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    const std::int64_t n = 20;
    const std::int64_t samples = form == GramForm::j_jh ? n : several_chunks<Space>(n);
    const std::int64_t parameters = form == GramForm::j_jh ? several_chunks<Space>(n) : n;
    const Jacobian<T> f{offset};
    const Shards shards = ragged_shards(samples, this->ranks);
    const auto jacobian = make_samples<Kokkos::View<T**>>(shards, this->rank, parameters, f);
    for (const int means : {1, 2, 3}) {
      SCOPED_TRACE(means);
      const GramOptions options{form, 1, (means & 1) != 0, (means & 2) != 0};
      const GramReference reference(samples, parameters, f, options);
      const ShardedMatrix<T> matrix = this->assembled(jacobian, options, nearly_square(this->ranks), n, 4, 0);
      expect_gram(matrix, all_of(reference), reference, Start<T>{});
    }
  }
}

TYPED_TEST(GramTest, MatricesInOtherMemoryAndStridedOnes) {
  using T = TypeParam;
  const std::int64_t n = 30;
  const Jacobian<T> f{1};
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    const std::int64_t samples = form == GramForm::j_jh ? n : 50;
    const std::int64_t parameters = form == GramForm::j_jh ? 50 : n;
    const GramOptions options{.form = form, .subtract_column_means = true};
    const GramReference reference(samples, parameters, f, options);
    const Shards shards = ragged_shards(samples, this->ranks);
    const auto check = [&](const auto& jacobian) {
      expect_gram(this->assembled(jacobian, options, nearly_square(this->ranks), n, 4, 0), all_of(reference), reference,
                  Start<T>{});
    };
    check(make_samples<Kokkos::View<T**, Kokkos::HostSpace>>(shards, this->rank, parameters, f));
    const auto whole = make_samples<Kokkos::View<T**>>(shards, this->rank, parameters, f);
    const Kokkos::View<const T**> constant = whole;
    check(constant);
    const Kokkos::View<T***> interleaved("interleaved", whole.extent(0), whole.extent(1), 2);
    const auto strided = Kokkos::subview(interleaved, Kokkos::ALL(), Kokkos::ALL(), 1);
    copy_elements(whole, strided);
    check(strided);
    if (whole.extent(0) == 0) {
      check(Kokkos::View<T**>());
    } else {
      check(whole);
    }
  }
}

/// Each part of J once, in order.
TYPED_TEST(GramTest, OperatorIsAskedForChunks) {
  using T = TypeParam;
  const std::int64_t n = 20;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    const std::int64_t samples = form == GramForm::j_jh ? n : several_chunks<Space>(n);
    const std::int64_t parameters = form == GramForm::j_jh ? several_chunks<Space>(n) : n;
    const Shards shards = ragged_shards(samples, this->ranks);
    const JacobianOperator<Jacobian<T>> jacobian{{}, shards, this->rank, parameters};
    Gram gram{jacobian, {.form = form}};
    const Kokkos::View<T*> b("b", static_cast<std::size_t>(n));
    cholesky_distributed(this->comm, gram, b, {.local_tile_size = 8, .diag_shift = 1});
    const std::int64_t own = jacobian.extent(0);
    std::int64_t done = 0;
    for (const detail::Window& call : gram.jacobian.calls) {
      const bool by_columns = form == GramForm::j_jh;
      EXPECT_EQ(by_columns ? call.row_begin : call.column_begin, 0);
      EXPECT_EQ(by_columns ? call.row_end : call.column_end, by_columns ? own : parameters);
      EXPECT_EQ(by_columns ? call.column_begin : call.row_begin, done);
      EXPECT_LE(by_columns ? call.columns() : call.rows(), detail::Tuning<Space>::gram_depth(n));
      done = by_columns ? call.column_end : call.row_end;
    }
    EXPECT_EQ(done, own == 0 ? 0 : form == GramForm::j_jh ? parameters : own);
  }
}

/// The matrix of a Gram as a function of (i, j).
template <class T>
struct ReferenceMatrix {
  const GramReference* reference;
  T operator()(std::int64_t i, std::int64_t j) const {
    const Wide x = i < j ? std::conj((*reference)(j, i)) : (*reference)(i, j);
    return scalar<T>(static_cast<double>(x.real()), static_cast<double>(x.imag()));
  }
};

TYPED_TEST(GramTest, IsSolvedWith) {
  using T = TypeParam;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    const std::int64_t n = 33;
    const std::int64_t samples = form == GramForm::j_jh ? n : 80;
    const std::int64_t parameters = form == GramForm::j_jh ? 80 : n;
    const Jacobian<T> f{0.5};
    const Shards shards = ragged_shards(samples, this->ranks);
    const auto jacobian = make_samples<Kokkos::View<T**>>(shards, this->rank, parameters, f);
    const GramOptions options{.form = form, .alpha = 1. / 80, .subtract_column_means = true};
    const GramReference reference(samples, parameters, f, options);
    const Kokkos::View<T**> b("b", static_cast<std::size_t>(n), 3);
    set_noise(b, 4);
    for (const GridShape grid : all_grids(this->ranks)) {
      const auto [x, info] = cholesky_distributed(this->comm, Gram{jacobian, options}, b,
                                                  {.local_tile_size = 5, .grid = grid, .diag_shift = 0.25});
      EXPECT_EQ(info.leading_minor, 0);
      const auto x_host = to_host(x);
      EXPECT_LE(backward_error(n, ReferenceMatrix<T>{&reference}, 0.25, x_host, to_host(b)), 200 * epsilon<T>());
      EXPECT_TRUE(same_on_all_ranks(this->comm, x_host));
      const auto again = cholesky_distributed(this->comm, Gram{jacobian, options}, b,
                                              {.local_tile_size = 5, .grid = grid, .diag_shift = 0.25});
      EXPECT_TRUE(same_bits(x_host, to_host(again.x)));
    }
  }
}

/// As a driver of natural gradients has it: a linear solver of any type, and the parameters of a network.
TYPED_TEST(GramTest, FitsADriver) {
  using T = TypeParam;
  using A = Gram<Kokkos::View<T**>>;
  using B = std::tuple<Kokkos::View<T*>, Kokkos::View<T**, Kokkos::LayoutRight>>;
  const std::int64_t n = 30;
  const Shards shards = ragged_shards(45, this->ranks);
  const A metric{make_samples<Kokkos::View<T**>>(shards, this->rank, n, Jacobian<T>{}),
                 {.form = GramForm::jh_j, .alpha = 1. / 45}};
  const Kokkos::View<T*> flat("flat", n);
  set_noise(flat, 9);
  const B gradient{Kokkos::View<T*>("bias", 6), Kokkos::View<T**, Kokkos::LayoutRight>("weights", 4, 6)};
  copy_elements(Kokkos::subview(flat, Kokkos::make_pair(0, 6)), std::get<0>(gradient));
  copy_elements(Kokkos::subview(flat, Kokkos::make_pair(6, 30)), std::get<1>(gradient));

  const CholeskyDistributed solver{.comm = this->comm, .options = {.local_tile_size = 5, .diag_shift = 0.1}};
  using R = decltype(solver(metric, gradient));
  const std::function<R(const A&, const B&)> plain = solver;
  const std::function<R(const A&, const B&, const B&)> with_guess = solver;
  const auto [x, info] = plain(metric, gradient);
  const auto again = with_guess(metric, gradient, gradient);
  EXPECT_EQ(info.leading_minor, 0);
  EXPECT_EQ(info.diag_shift, 0.1);
  ASSERT_EQ(info.tries.size(), 1u);
  const auto expected = to_host(solver(metric, flat).x);
  const auto bias = to_host(std::get<0>(x));
  const auto weights = to_host(std::get<1>(x));
  ASSERT_EQ(weights.extent(0), 4u);
  ASSERT_EQ(weights.extent(1), 6u);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(bias(i, 0), expected(i, 0));
  for (std::size_t i = 0; i < 24; ++i) EXPECT_EQ(weights(i / 6, i % 6), expected(6 + i, 0));
  EXPECT_TRUE(same_bits(weights, to_host(std::get<1>(again.x))));
}

/// More samples than parameters: J J^H alone is singular.
TYPED_TEST(GramTest, GoesUpTheLadder) {
  using T = TypeParam;
  const std::int64_t n = 30;
  const Shards shards = ragged_shards(n, this->ranks);
  const JacobianOperator<Jacobian<T>> jacobian{{}, shards, this->rank, 7};
  Gram gram{jacobian};
  const Kokkos::View<T*> b("b", static_cast<std::size_t>(n));
  set_noise(b, 4);
  EXPECT_THROW(cholesky_distributed(this->comm, gram, b, {.local_tile_size = 5, .diag_shift = -1}),
               NotPositiveDefinite);
  gram.jacobian.calls.clear();
  const CholeskyDistributed solver{
      .comm = this->comm,
      .options = {.local_tile_size = 5, .diag_shift = -1, .shifts = {.tries = 3, .first = 0.5, .factor = 4}}};
  const auto [x, info] = solver(gram, b);
  ASSERT_EQ(info.tries.size(), 3u);
  EXPECT_EQ(info.diag_shift, 1);
  EXPECT_GT(info.tries[0].leading_minor, 0);
  EXPECT_GT(info.tries[1].leading_minor, 0);
  EXPECT_EQ(info.tries[2].leading_minor, 0);
  EXPECT_EQ(gram.jacobian.calls.size(), jacobian.extent(0) > 0 ? 3u : 0u);
  const GramReference reference(n, 7, jacobian.f, {});
  EXPECT_LE(backward_error(n, ReferenceMatrix<T>{&reference}, 1, to_host(x), to_host(b)), 200 * epsilon<T>());
}

}  // namespace
}  // namespace tessera::testing
