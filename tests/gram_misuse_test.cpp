// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "jacobians.hpp"

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

// Jacobians that are none, and operators that fail: an exception on every rank, and the next call works.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

template <class T>
struct GramMisuseTest : ::testing::Test {
  static constexpr std::int64_t n = 12;
  static constexpr std::int64_t parameters = 20;
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  Shards shards = even_shards(n, this->ranks);
  Kokkos::View<T*> b{"b", n};

  /// Every rank throws, the message has the words, and the next call works.
  template <class Call>
  void expect_misuse(const Call& call, const std::vector<std::string>& words, Kind kind = Kind::invalid_argument) {
    const Thrown thrown = thrown_by(call);
    EXPECT_EQ(thrown.kind, kind) << thrown;
    for (const std::string& word : words) EXPECT_NE(thrown.message.find(word), std::string::npos) << thrown;
    EXPECT_TRUE(solves(this->comm));
  }
  Kokkos::View<T**> samples(std::int64_t columns) const {
    return make_samples<Kokkos::View<T**>>(shards, this->rank, columns, Jacobian<T>{});
  }
  auto solve(const Kokkos::View<T**>& jacobian, const GramOptions& options) const {
    return [this, jacobian, options] {
      cholesky_distributed(this->comm, Gram{jacobian, options}, b, {.local_tile_size = 4, .diag_shift = 1});
    };
  }
};
TYPED_TEST_SUITE(GramMisuseTest, Scalars);

/// An operator whose extents are none on one rank.
template <class T>
struct NoExtent {
  bool culprit;
  bool throws;
  std::int64_t extent(int r) const {
    if (!culprit) return r == 0 ? 9 : 5;
    if (throws) throw std::runtime_error("no extent");
    return -3;
  }
  template <class Block>
  void to_dense(const Exec&, std::int64_t, std::int64_t, const Block&) {}
};

TYPED_TEST(GramMisuseTest, Misuse) {
  using T = TypeParam;
  const auto jacobian = this->samples(this->parameters);
  const bool last = this->rank + 1 == this->ranks;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  this->expect_misuse(this->solve(jacobian, {.alpha = nan}), {"alpha", "nan"});
  this->expect_misuse(this->solve(jacobian, {.form = static_cast<GramForm>(7)}), {"form", "7"});
  this->expect_misuse(this->solve(jacobian, {.arithmetic = static_cast<Arithmetic>(7)}), {"arithmetic: ", "7"});
  for (const int moduli : {-1, 3, 16}) {
    const auto words = {std::string("moduli: "), std::to_string(moduli)};
    this->expect_misuse(this->solve(jacobian, {.moduli = moduli}), words);
    ShardedMatrix<T> a(ProcessGrid(this->comm), this->n, 4);
    const GramOptions options{.arithmetic = Arithmetic::integer, .moduli = moduli};
    this->expect_misuse([&] { add_gram(Exec{}, Gram{jacobian, options}, a); }, words);
  }
  if (std::is_same_v<Real<T>, float>) this->expect_misuse(this->solve(jacobian, {.alpha = 1e39}), {"alpha"});
  for (const bool throws : {false, true}) {
    NoExtent<T> none{last, throws};
    this->expect_misuse(
        [&] {
          cholesky_distributed(this->comm, Gram<NoExtent<T>&>{none}, this->b, {.local_tile_size = 4, .diag_shift = 1});
        },
        {throws ? "no extent" : "-3"}, throws ? Kind::runtime_error : Kind::invalid_argument);
  }
  // as many samples as b has rows, or as many parameters
  this->expect_misuse(this->solve(jacobian, {.form = GramForm::jh_j}), {"jacobian", "columns", "20", "12"});
  this->expect_misuse(
      this->solve(Kokkos::View<T**>("short", jacobian.extent(0) - (last ? 1 : 0), jacobian.extent(1)), {}),
      {"jacobian", "rows", "11", "12"});
  if (this->ranks > 1) {
    this->expect_misuse(this->solve(this->samples(last ? 21 : 20), {}), {"jacobian", "columns", "20", "21"});
    this->expect_misuse(this->solve(jacobian, {.alpha = last ? 1. : 2.}), {"alpha"});
    this->expect_misuse(this->solve(jacobian, {.subtract_row_means = last}), {"subtract_row_means"});
    this->expect_misuse(this->solve(jacobian, {.moduli = last ? 13 : 14}), {"moduli", "13", "14"});
    const auto arithmetic = last ? Arithmetic::integer : Arithmetic::native;
    this->expect_misuse(this->solve(jacobian, {.arithmetic = arithmetic}), {"arithmetic"});
  }
  ShardedMatrix<T> matrix(ProcessGrid(this->comm), 13, 4);
  this->expect_misuse([&] { add_gram(Exec{}, Gram{jacobian}, matrix); }, {"jacobian", "rows", "12", "13"});
}

TYPED_TEST(GramMisuseTest, WhatTheOperatorThrowsIsThrownEverywhere) {
  using T = TypeParam;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    for (const bool means : {false, true}) {
      for (const std::size_t missing : {0, 1, 2, 4}) {  // of three chunks, which integers ask for twice
        const auto arithmetic = missing < 3 ? Arithmetic::native : Arithmetic::integer;
        const std::int64_t samples = form == GramForm::j_jh ? this->n : several_chunks<Exec::memory_space>(this->n);
        const std::int64_t all = form == GramForm::j_jh ? several_chunks<Exec::memory_space>(this->n) : this->n;
        JacobianOperator<Jacobian<T>> jacobian{{}, even_shards(samples, this->ranks), this->rank, all};
        bool was_asked = false;
        if (this->rank + 1 == this->ranks) {
          jacobian.before = [&was_asked, missing](std::size_t call) {
            if (call != missing) return;
            was_asked = true;
            throw std::runtime_error("a chunk is missing");
          };
        }
        this->expect_misuse(
            [&] {
              cholesky_distributed(this->comm, Gram{jacobian, {form, 1, means, means, arithmetic}}, this->b,
                                   {.local_tile_size = 4, .diag_shift = 1});
            },
            {"a chunk is missing"}, Kind::runtime_error);
        EXPECT_EQ(was_asked, this->rank + 1 == this->ranks);
      }
    }
  }
}

}  // namespace
}  // namespace tessera::testing
