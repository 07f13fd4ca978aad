// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "jacobians.hpp"
#include "operators.hpp"

#include "core/assemble/redistribute_memory.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// What an operator is asked for, and how an exception on some ranks becomes one on all of them.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

/// What the callback throws must arrive as it is, and not as something that it derives from.
struct OwnError : std::runtime_error {
  OwnError(const std::string& what, int number) : std::runtime_error(what), code(number) {}
  int code;
};

enum class Fault { none, own, bad_alloc, invalid_argument, not_positive_definite, integer };
constexpr Fault faults[] = {Fault::own, Fault::bad_alloc, Fault::invalid_argument, Fault::not_positive_definite,
                            Fault::integer};

std::string message_of(int rank) { return "the callback of rank " + std::to_string(rank); }

void raise(Fault fault, int rank) {
  switch (fault) {
    case Fault::none:
      return;
    case Fault::own:
      throw OwnError(message_of(rank), 1000 + rank);
    case Fault::bad_alloc:
      throw std::bad_alloc();
    case Fault::invalid_argument:
      throw std::invalid_argument(message_of(rank));
    case Fault::not_positive_definite:
      throw NotPositiveDefinite(1000 + rank);
    case Fault::integer:
      throw 1000 + rank;
  }
}

struct CallbackTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  static Fault fault_of(const std::map<int, Fault>& culprits, int rank) {
    const auto it = culprits.find(rank);
    return it == culprits.end() ? Fault::none : it->second;
  }

  /// `call` runs callbacks that raise what `culprits` says.
  template <class Call>
  void expect(const std::map<int, Fault>& culprits, const Call& call) const {
    std::string who = "culprits:";
    for (const auto& [culprit, fault] : culprits) {
      who += " rank " + std::to_string(culprit) + " with " + std::to_string(static_cast<int>(fault));
    }
    SCOPED_TRACE(who);
    const Fault mine = fault_of(culprits, rank);
    if (mine != Fault::none) {
      expect_own(mine, call);
    } else {
      const auto [lowest, theirs] = *culprits.begin();
      const Thrown thrown = thrown_by(call);
      if (theirs == Fault::bad_alloc) {
        EXPECT_EQ(thrown.kind, Kind::bad_alloc) << thrown;
      } else {
        EXPECT_EQ(thrown.kind, Kind::runtime_error) << thrown;
        if (theirs == Fault::own || theirs == Fault::invalid_argument) {
          EXPECT_EQ(thrown.message, message_of(lowest));
        } else {
          EXPECT_NE(thrown.message, "");
        }
      }
    }
    EXPECT_TRUE(solves(comm));
  }

  template <class Call>
  void expect_own(Fault fault, const Call& call) const {
    try {
      call();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const OwnError& e) {
      EXPECT_EQ(fault, Fault::own);
      EXPECT_EQ(e.what(), message_of(rank));
      EXPECT_EQ(e.code, 1000 + rank);
    } catch (const NotPositiveDefinite& e) {
      EXPECT_EQ(fault, Fault::not_positive_definite);
      EXPECT_EQ(e.leading_minor(), 1000 + rank);
    } catch (const std::bad_alloc&) {
      EXPECT_EQ(fault, Fault::bad_alloc);
    } catch (const std::invalid_argument& e) {
      EXPECT_EQ(fault, Fault::invalid_argument);
      EXPECT_EQ(e.what(), message_of(rank));
    } catch (int number) {
      EXPECT_EQ(fault, Fault::integer);
      EXPECT_EQ(number, 1000 + rank);
    }
  }

  /// Each rank alone in turn with each fault, and all at once; two with different ones, either of them the lower.
  std::vector<std::map<int, Fault>> all_culprits() const {
    std::vector<std::map<int, Fault>> result;
    for (const Fault fault : faults) {
      std::map<int, Fault> all;
      for (int culprit = 0; culprit < ranks; ++culprit) {
        result.push_back({{culprit, fault}});
        all.emplace(culprit, fault);
      }
      result.push_back(all);
    }
    if (ranks > 2) {
      result.push_back({{1, Fault::own}, {2, Fault::bad_alloc}});
      result.push_back({{0, Fault::bad_alloc}, {ranks - 1, Fault::own}});
      result.push_back({{1, Fault::invalid_argument}, {2, Fault::own}});
    }
    return result;
  }

  /// The least n, in steps of a hundred, whose rows take rank 0 more than one chunk.
  template <class T>
  std::int64_t several_chunks() const {
    std::int64_t n = 100;
    while (n / ranks <= detail::rows_per_chunk<T, Exec::memory_space>(n)) n += 100;
    return n;
  }

  template <class F>
  void expect_asked_once_in_order(const Operator<F>& a, std::int64_t n) const {
    std::int64_t next = n * rank / ranks;
    for (const auto& call : a.calls) {
      EXPECT_EQ(call.first_row, next);
      EXPECT_GT(call.rows, 0);
      EXPECT_EQ(call.columns, n);
      next += call.rows;
    }
    EXPECT_EQ(next, n * (rank + 1) / ranks);
  }
};

TEST_F(CallbackTest, OperatorIsAskedForItsRows) {
  for (const std::int64_t n : {1, 2, 3, 7, 24, 31}) {
    SCOPED_TRACE(n);
    const System<double> system(comm, n);
    Operator<Dominant<double>> a{system.f};
    const auto x = cholesky_distributed(comm, a, system.b, {.local_tile_size = 3}).x;
    EXPECT_TRUE(system.is_solved_by(to_host(x)));
    expect_asked_once_in_order(a, n);
  }
}

TEST_F(CallbackTest, OperatorOfUpperRows) {
  const System<Kokkos::complex<double>> system(comm);
  Operator<Dominant<Kokkos::complex<double>>> a{system.f};
  const auto x = cholesky_distributed(comm, a, system.b, {.local_tile_size = 5, .triangle = Triangle::upper}).x;
  EXPECT_TRUE(system.is_solved_by(to_host(x)));
  expect_asked_once_in_order(a, system.n);
}

TEST_F(CallbackTest, OperatorInSeveralChunks) {
  using T = Kokkos::complex<double>;
  const std::int64_t n = several_chunks<T>();
  Operator<Dominant<T>> a{Dominant<T>{n}};
  ShardedMatrix<T> matrix(ProcessGrid(comm), n, 64);
  redistribute(Exec{}, a, matrix, 0);
  expect_asked_once_in_order(a, n);
  EXPECT_GT(a.calls.size(), 1U);

  // The same tiles as f writes itself.
  ShardedMatrix<T> expected(ProcessGrid(comm), n, 64);
  expected.fill(Exec{}, Dominant<T>{n});
  Exec{}.fence();
  const auto& rows = matrix.rows();
  for (GlobalTile i{0}; i < rows.tiles_end(); ++i) {
    for (GlobalTile j{0}; j <= i; ++j) {
      if (!matrix.has_tile(i, j)) continue;
      ASSERT_TRUE(same_bits(to_host(matrix.tile(i, j)), to_host(expected.tile(i, j)))) << i.value << ", " << j.value;
    }
  }
}

TEST_F(CallbackTest, OperatorThrows) {
  for (const Failure on_failure : {Failure::raise, Failure::fill_nan}) {
    for (const auto& culprits : all_culprits()) {
      expect(culprits, [&] {
        const System<double> system(comm);
        Operator<Dominant<double>> a{system.f, [&](std::size_t) { raise(fault_of(culprits, rank), rank); }};
        cholesky_distributed(comm, a, system.b, {.local_tile_size = 4, .on_failure = on_failure});
      });
    }
  }
}

TEST_F(CallbackTest, OperatorThrowsInALaterChunk) {
  const std::int64_t n = several_chunks<double>();
  ShardedMatrix<double> matrix(ProcessGrid(comm), n, 64);
  for (const int culprit : {0, ranks - 1}) {
    Operator<Dominant<double>> a{Dominant<double>{n}, [&](std::size_t call) {
                                   if (call == 1 && rank == culprit) raise(Fault::own, rank);
                                 }};
    expect({{culprit, Fault::own}}, [&] { redistribute(Exec{}, a, matrix, 0); });
    // Who has failed is not asked again.
    if (rank == culprit) {
      EXPECT_EQ(a.calls.size(), 2U);
    }
  }
}

TEST_F(CallbackTest, ProgressIsMonotoneAndEndsWithAll) {
  const System<double> system(comm, 40);
  const ProcessGrid grid(comm);
  for (const std::int64_t tile : {1, 6, 40}) {
    std::vector<std::int64_t> done;
    const Progress progress = [&](std::int64_t columns, std::int64_t all) {
      EXPECT_EQ(all, system.n);
      EXPECT_GE(columns, done.empty() ? 0 : done.back());
      done.push_back(columns);
    };
    // Just the ranks that pass one.
    const auto l = factorize(Exec{}, sharded(grid, system, tile), rank % 2 == 0 ? progress : Progress{});
    if (rank % 2 != 0) continue;
    ASSERT_FALSE(done.empty());
    EXPECT_EQ(done.back(), system.n);
  }
}

TEST_F(CallbackTest, ProgressThrows) {
  const System<double> system(comm, 40);
  const ProcessGrid grid(comm);
  for (const std::int64_t from : {std::int64_t{0}, system.n}) {  // at once, or at the end
    for (const auto& culprits : all_culprits()) {
      auto matrix = sharded(grid, system, 6);
      int calls_after = 0;
      expect(culprits, [&] {
        bool failed = false;
        factorize(Exec{}, std::move(matrix), [&](std::int64_t done, std::int64_t) {
          if (failed) ++calls_after;
          if (done < from) return;
          failed = true;
          raise(fault_of(culprits, rank), rank);
        });
      });
      if (fault_of(culprits, rank) != Fault::none) {
        EXPECT_EQ(calls_after, 0);
      }
    }
  }
}

/// What reports progress beside factorize: A as rows, from an operator, as a Gram, and given to an object.
enum class Reporter { rows, op, gram, object };
constexpr Reporter reporters[] = {Reporter::rows, Reporter::op, Reporter::gram, Reporter::object};

CholeskyInfo solve_by(Reporter reporter, const System<double>& system, const CholeskyOptions& options) {
  switch (reporter) {
    case Reporter::rows:
      return cholesky_distributed(system.comm, system.a, system.b, options).info;
    case Reporter::op:
      return cholesky_distributed(system.comm, Operator<Dominant<double>>{system.f}, system.b, options).info;
    case Reporter::gram: {  // A A^H
      const auto rows = make_samples<Kokkos::View<double**>>(even_shards(system.n, size_of(system.comm)),
                                                             rank_in(system.comm), system.n, system.f);
      return cholesky_distributed(system.comm, Gram{rows}, system.b, options).info;
    }
    case Reporter::object:
      return CholeskyDistributed{system.comm, options}(system.a, system.b).info;
  }
  return {};
}

TEST_F(CallbackTest, ProgressOfTheOneCall) {
  const System<double> system(comm, 40);
  for (const Reporter reporter : reporters) {
    for (const std::int64_t tile : {0, 1, 6}) {
      SCOPED_TRACE(::testing::Message() << "reporter " << static_cast<int>(reporter) << ", tile " << tile);
      std::vector<std::int64_t> done;
      CholeskyOptions options{.local_tile_size = tile};
      if (rank % 2 == 0) {  // just the ranks that pass one
        options.progress = [&](std::int64_t columns, std::int64_t all) {
          EXPECT_EQ(all, system.n);
          EXPECT_GE(columns, done.empty() ? 0 : done.back());
          done.push_back(columns);
        };
      }
      solve_by(reporter, system, options);
      if (rank % 2 != 0) continue;
      ASSERT_FALSE(done.empty());
      EXPECT_EQ(done.back(), system.n);
    }
  }
}

TEST_F(CallbackTest, ProgressStartsAnewWithEachTry) {
  const System<double> system(comm, 40);
  // -I, -I again, which is not factored, as its shift is the same when rounded; and I
  for (const std::int64_t tile : {7, 40}) {
    std::vector<std::int64_t> done;
    const auto negative = [](std::int64_t i, std::int64_t j) { return i == j ? -1.5 : 0.; };
    const auto rows = make_rows<Kokkos::View<double**>>(even_shards(system.n, ranks), rank, system.n, negative);
    CholeskyOptions options{
        .local_tile_size = tile, .diag_shift = 0.5, .shifts = {.tries = 3, .first = 1e-30, .factor = 2e30}};
    options.progress = [&](std::int64_t columns, std::int64_t) { done.push_back(columns); };
    const CholeskyInfo info = cholesky_distributed(comm, rows, system.b, options).info;
    EXPECT_EQ(info.tries.size(), 3U);
    EXPECT_EQ(info.log_determinant, 0);
    const auto end_of_first = std::find(done.begin(), done.end(), system.n);
    ASSERT_NE(end_of_first, done.end());
    EXPECT_TRUE(std::is_sorted(done.begin(), end_of_first));
    EXPECT_TRUE(std::is_sorted(end_of_first + 1, done.end()));
    EXPECT_EQ(std::count(done.begin(), done.end(), system.n), 2);
    EXPECT_EQ(done.back(), system.n);
  }
}

TEST_F(CallbackTest, ProgressOfTheOneCallThrows) {
  const System<double> system(comm, 40);
  for (const Reporter reporter : reporters) {
    for (const Failure on_failure : {Failure::raise, Failure::fill_nan}) {
      for (const auto& culprits : all_culprits()) {
        int calls_after = 0;
        expect(culprits, [&] {
          bool failed = false;
          CholeskyOptions options{.local_tile_size = 6, .on_failure = on_failure};
          options.progress = [&](std::int64_t, std::int64_t) {
            if (failed) ++calls_after;
            failed = true;
            raise(fault_of(culprits, rank), rank);
          };
          solve_by(reporter, system, options);
        });
        if (fault_of(culprits, rank) != Fault::none) {
          EXPECT_EQ(calls_after, 0);
        }
      }
    }
  }
}

/// A progress of which no copy can be made while `copies_throw`.
struct Unique {
  const bool* copies_throw;
  int* calls;

  Unique(const bool* throw_now, int* count) : copies_throw(throw_now), calls(count) {}
  Unique(const Unique& other) : copies_throw(other.copies_throw), calls(other.calls) {
    if (*copies_throw) throw std::bad_alloc();
  }
  void operator()(std::int64_t, std::int64_t) const { ++*calls; }
};

TEST_F(CallbackTest, ProgressIsNotCopied) {
  const System<double> system(comm, 40);
  const ProcessGrid grid(comm);
  for (const int culprit : {0, ranks - 1}) {
    bool copies_throw = false;
    int calls = 0;
    const CholeskyOptions options{.local_tile_size = 6, .progress = Unique(&copies_throw, &calls)};
    const CholeskyDistributed solver{comm, options};
    auto matrix = sharded(grid, system, 6);
    const auto expect_calls = [&](const auto& call) {
      copies_throw = rank == culprit;
      calls = 0;
      call();
      EXPECT_GT(calls, 0);
      copies_throw = false;
    };
    expect_calls([&] { cholesky_distributed(comm, system.a, system.b, options); });
    expect_calls([&] { solver(system.a, system.b); });
    expect_calls([&] { factorize(Exec{}, std::move(matrix), options.progress); });
  }
}

// Rank 0 owns the one tile, and no machine has the memory: the larger one's bytes are no 64-bit number even.
TEST_F(CallbackTest, MatrixThatIsTooLargeForOneRank) {
  const ProcessGrid grid(comm);
  for (const std::int64_t n : {std::int64_t{1000000000}, (std::int64_t{1} << 31) - 1}) {
    const Thrown thrown = thrown_by([&] { const ShardedMatrix<double> matrix(grid, n, n); });
    // Kokkos's own exception is not always a std::bad_alloc.
    EXPECT_TRUE(thrown.kind == Kind::bad_alloc || thrown.kind == Kind::runtime_error) << thrown;
    EXPECT_TRUE(solves(comm));
  }
}

}  // namespace
}  // namespace tessera::testing
