// SPDX-License-Identifier: BSD-3-Clause
#include "entries.hpp"
#include "failing_messages.hpp"
#include "misuse.hpp"
#include "mpi_profile.hpp"
#include "own_communicator.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// What ends a call, through every entry of the interface: ranks that disagree, callbacks that throw, MPI calls that
// fail; and the communicators that it may be made on.
namespace tessera::testing {
namespace {

constexpr std::int64_t n = 24;
constexpr std::int64_t depth = 7;
using Call = std::function<Answer<double>(const Question<double>&)>;

struct Way {
  std::string name;
  Call call;
};

/// All entries with a matrix that they solve with.
std::vector<Way> ways() {
  std::vector<Way> result;
  for (const Entry entry : entries) {
    result.push_back({::testing::PrintToString(entry),
                      [entry](const Question<double>& q) { return answer(entry, q, Dominant<double>{q.n()}); }});
  }
  for (const GramEntry entry : gram_entries) {
    result.push_back({::testing::PrintToString(entry), [entry](Question<double> q) {
                        q.options.diag_shift = q.options.diag_shift == 0 ? 1 : q.options.diag_shift;
                        return answer(entry, q, Jacobian<double>{}, depth, {.alpha = 1. / depth});
                      }});
  }
  result.push_back({"rows by integers", [](Question<double> q) {
                      q.options.grid = GridShape{1, size_of(q.comm)};  // whose steps are tiles
                      q.options.arithmetic = Arithmetic::integer;
                      return answer(Entry::rows, q, Dominant<double>{q.n()});
                    }});
  return result;
}

struct EntriesTest : MisuseTest {
  /// Some rank, another one each time.
  int next_rank() { return last_rank = (last_rank + 1) % ranks; }
  int last_rank = 0;
};

// The rows themselves are tried in misuse_test, the pieces in pieces_misuse_test.
TEST_F(EntriesTest, OptionsThatAreWrongOrDiffer) {
  struct Case {
    std::string argument;
    std::function<void(CholeskyOptions&)> spoil;
    bool alone;  ///< it is wrong only because the other ranks pass something else
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const Case cases[] = {
      {"local_tile_size", [](CholeskyOptions& o) { o.local_tile_size = -1; }, false},
      {"local_tile_size", [](CholeskyOptions& o) { o.local_tile_size = 8; }, true},
      {"grid",
       [this](CholeskyOptions& o) {
         o.grid = GridShape{ranks + 1, 1};
       },
       false},
      {"grid",
       [this](CholeskyOptions& o) {
         o.grid = GridShape{1, ranks};
       },
       true},
      {"diag_shift", [](CholeskyOptions& o) { o.diag_shift = nan; }, false},
      {"diag_shift", [](CholeskyOptions& o) { o.diag_shift = 2; }, true},
      {"on_failure", [](CholeskyOptions& o) { o.on_failure = static_cast<Failure>(7); }, false},
      {"on_failure", [](CholeskyOptions& o) { o.on_failure = Failure::fill_nan; }, true},
      {"triangle", [](CholeskyOptions& o) { o.triangle = static_cast<Triangle>(-3); }, false},
      {"triangle", [](CholeskyOptions& o) { o.triangle = Triangle::upper; }, true},
      {"shifts.tries", [](CholeskyOptions& o) { o.shifts.tries = 0; }, false},
      {"shifts.(tries|first|factor)", [](CholeskyOptions& o) { o.shifts = {.tries = 2, .first = 1}; }, true},
      {"arithmetic", [](CholeskyOptions& o) { o.arithmetic = static_cast<Arithmetic>(3); }, false},
      {"arithmetic", [](CholeskyOptions& o) { o.arithmetic = Arithmetic::integer; }, true},
      {"moduli", [](CholeskyOptions& o) { o.moduli = 16; }, false},
      {"moduli", [](CholeskyOptions& o) { o.moduli = 14; }, true},
      {"bytes_free", [](CholeskyOptions& o) { o.bytes_free = -2; }, false},
      {"bytes_free", [](CholeskyOptions& o) { o.bytes_free = 1 << 20; }, true},
      {"mpi_buffers", [](CholeskyOptions& o) { o.mpi_buffers = static_cast<MpiBuffers>(3); }, false},
      {"mpi_buffers", [](CholeskyOptions& o) { o.mpi_buffers = MpiBuffers::staged; }, true}};
  const Dominant<double> f{n};
  const auto rows = make_samples<Kokkos::View<double**>>(even_shards(n, ranks), rank, n, f);
  const auto jacobian = make_samples<Kokkos::View<double**>>(even_shards(n, ranks), rank, depth, Jacobian<double>{});
  const auto b = question<double>(comm, n).b;
  const CholeskyDistributed solver{comm, {.local_tile_size = 4}};
  const std::pair<std::string, std::function<void(const CholeskyOptions&)>> calls[] = {
      {"operator", [&](const CholeskyOptions& o) { cholesky_distributed(comm, Operator<Dominant<double>>{f}, b, o); }},
      {"Gram", [&](const CholeskyOptions& o) { cholesky_distributed(comm, Gram{jacobian}, b, o); }},
      {"object", [&](const CholeskyOptions& o) {
         CholeskyDistributed other = solver;
         other.options = o;
         other(rows, b);
       }}};
  for (const auto& [name, call] : calls) {
    for (const Case& one : cases) {
      if (one.alone && ranks == 1) continue;
      const int culprit = next_rank();
      SCOPED_TRACE(name + ", " + one.argument + ", rank " + std::to_string(culprit) + " alone is wrong");
      expect(one.argument, {}, rank == culprit, [&](bool is_wrong) {
        CholeskyOptions options{.local_tile_size = 4, .grid = GridShape{ranks, 1}, .diag_shift = 1};
        if (is_wrong) one.spoil(options);
        call(options);
      });
    }
  }
}

TEST_F(EntriesTest, ArgumentsThatAreWrongOrDiffer) {
  const Dominant<double> f{n};
  const auto rows = make_samples<Kokkos::View<double**>>(even_shards(n, ranks), rank, n, f);
  const auto jacobian = make_samples<Kokkos::View<double**>>(even_shards(n, ranks), rank, depth, Jacobian<double>{});
  const Kokkos::View<double**> more_rows("a", rows.extent(0) + 1, n);
  const auto b = question<double>(comm, n).b;
  const Kokkos::View<double**, Kokkos::LayoutLeft> wide("b", n, 2);
  const CholeskyDistributed solver{comm, {.local_tile_size = 4, .diag_shift = 1}};
  wrong("a", {"rows", "\\b24\\b"}, [&](bool is_wrong) { solver(is_wrong ? more_rows : rows, b); });
  wrong_on_one("b", {"\\b1\\b", "\\b2\\b"}, [&](bool is_wrong) { solver(rows, is_wrong ? wide : b); });
  wrong_on_one("b", {"\\b1\\b", "\\b2\\b"},
               [&](bool is_wrong) { cholesky_distributed(comm, Operator<Dominant<double>>{f}, is_wrong ? wide : b); });
  wrong_on_one("b", {"\\b1\\b", "\\b2\\b"},
               [&](bool is_wrong) { cholesky_distributed(comm, Gram{jacobian}, is_wrong ? wide : b); });
  double one = 1;
  const auto long_lines = repeated(&one, std::int64_t{0}, std::int64_t{1} << 62);
  wrong("jacobian|a", {std::to_string(std::int64_t{1} << 62)},
        [&](bool is_wrong) { cholesky_distributed(comm, Gram{is_wrong ? long_lines : repeated(&one, 0, 0)}, b); });
  // where A comes from
  wrong_on_one("a|jacobian", {"View of local samples", "View of local rows"}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, Gram{jacobian}, b);
    } else {
      cholesky_distributed(comm, rows, b);
    }
  });
  wrong_on_one("a|jacobian", {"View of local samples", "operator"}, [&](bool is_wrong) {
    if (is_wrong) {
      solver(Gram{jacobian}, b);
    } else {
      solver(Operator<Dominant<double>>{f}, b);
    }
  });
}

TEST_F(EntriesTest, ScalarsThatDiffer) {
  const auto ask = [this]<class T>(std::size_t entry, T) {
    const Kokkos::View<T*> b("b", n);
    const auto rows = make_samples<Kokkos::View<T**>>(even_shards(n, ranks), rank, n, Dominant<T>{n});
    if (entry == 0) cholesky_distributed(comm, Operator<Dominant<T>>{{n}}, b);
    if (entry == 1) cholesky_distributed(comm, Gram{rows}, b);
    if (entry == 2) CholeskyDistributed{.comm = comm}(rows, b);
  };
  for (const std::size_t entry : {0, 1, 2}) {
    SCOPED_TRACE(entry);
    wrong_on_one("scalar of (a|jacobian) and b|a|b", {},
                 [&](bool is_wrong) { is_wrong ? ask(entry, 1.F) : ask(entry, 1.); });
  }
}

TEST_F(EntriesTest, NoCommunicator) {
  const auto b = question<double>(comm, n).b;
  const auto jacobian = make_samples<Kokkos::View<double**>>(even_shards(n, ranks), rank, depth, Jacobian<double>{});
  const auto on = [&](MPI_Comm other, const std::string& word) {
    expect("comm", {word}, true, [&](bool) { cholesky_distributed(other, Operator<Dominant<double>>{{n}}, b); });
    expect("comm", {word}, true, [&](bool) { cholesky_distributed(other, Gram{jacobian}, b); });
  };
  on(MPI_COMM_NULL, "MPI_COMM_NULL");
  if (ranks == 1) return;
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm inter = MPI_COMM_NULL;
  MPI_Comm_split(comm, rank == 0 ? 0 : 1, rank, &half);
  MPI_Intercomm_create(half, 0, comm, rank == 0 ? 1 : 0, 0, &inter);
  on(inter, "inter-communicator");
  MPI_Comm_free(&inter);
  MPI_Comm_free(&half);
}

// The pieces are tried against each other, on one grid, in pieces_misuse_test.
TEST_F(EntriesTest, OneRankCallsAnotherFunction) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    const bool begins_with_a_grid =
        way.name == "pieces" || way.name == "fill" || way.name == "append" || way.name == "add_gram";
    wrong_on_one("operation", {"ProcessGrid", "cholesky_distributed"}, [&](bool is_wrong) {
      if (!is_wrong) {
        way.call(question<double>(comm, n));
      } else if (begins_with_a_grid) {
        System<double>(comm).solve();
      } else {
        ProcessGrid{comm};
      }
    });
  }
}

TEST_F(EntriesTest, OperatorsThatThrow) {
  for (const Way& way : ways()) {
    if (way.name.starts_with("rows") || way.name == "fill" || way.name == "append" || way.name == "Gram of a View")
      continue;  // asked of no operator
    for (int culprit = 0; culprit < ranks; ++culprit) {
      for (const bool no_memory : {false, true}) {
        SCOPED_TRACE(way.name + ", rank " + std::to_string(culprit));
        Question<double> q = question<double>(comm, n);
        q.before = [&](std::size_t) {
          if (rank != culprit) return;
          if (no_memory) throw std::bad_alloc();
          throw std::runtime_error("rank " + std::to_string(culprit) + " has none");
        };
        const Thrown thrown = thrown_by([&] { way.call(q); });
        EXPECT_EQ(thrown.kind, no_memory ? Kind::bad_alloc : Kind::runtime_error) << thrown;
        EXPECT_TRUE(no_memory || thrown.message == "rank " + std::to_string(culprit) + " has none") << thrown;
        EXPECT_TRUE(solves(comm));
      }
    }
  }
}

// A sample of the calls on each rank: communicator_test lets every one fail, with rows.
TEST_F(EntriesTest, MessagesThatFailOnOneRank) {
  if (ranks == 1) GTEST_SKIP() << "one rank sends none";
  for (const Way& way : ways()) {
    for (const std::string name : {"MPI_Irecv", "MPI_Isend"}) {
      SCOPED_TRACE(way.name);
      int failed_in_all = 0;
      const int culprit = next_rank();
      const auto call = [&] { way.call(question<double>(comm, n)); };
      for (int skip = 0; ends_everywhere(comm, culprit, name, skip, call); skip += 1 + skip / 2) ++failed_in_all;
      EXPECT_GT(failed_in_all, 0) << name << " is not called at all";
    }
    EXPECT_TRUE(solves(comm));
  }
}

// What fails on all ranks alike: the first, and one in the middle, of each that has one.
TEST_F(EntriesTest, CollectivesThatFailOnAllRanks) {
  for (const Way& way : ways()) {
    for (const std::string name : {"MPI_Comm_dup", "MPI_Allreduce", "MPI_Bcast", "MPI_Reduce"}) {
      for (const int skip : {0, 5}) {
        SCOPED_TRACE(way.name + ", " + name + " number " + std::to_string(skip));
        const profile::Open before = profile::open();
        {
          const OwnCommunicator own(comm);
          profile::fail(name, skip);
          const Thrown thrown = thrown_by([&] { way.call(question<double>(own, n)); });
          const bool made = profile::has_failed();
          EXPECT_EQ(thrown.kind, made ? Kind::mpi_error : Kind::nothing) << thrown;
          EXPECT_TRUE(made || skip > 0 || ranks == 1 || name == "MPI_Reduce" || name == "MPI_Bcast")
              << "not called at all";
        }
        EXPECT_EQ(profile::open(), before);
      }
    }
    EXPECT_TRUE(solves(comm));
  }
}

// Two halves of the ranks use different entries at the same time; each communicator is freed as the call returns.
TEST_F(EntriesTest, OnCommunicatorsAtOnceThatAreFreedAtOnce) {
  const std::vector<Way> all = ways();
  const bool lower = rank < (ranks + 1) / 2;
  for (std::size_t k = 0; k < all.size(); ++k) {
    const Way& way = all[lower ? k : all.size() - 1 - k];
    SCOPED_TRACE(way.name);
    MPI_Comm half = MPI_COMM_NULL;
    MPI_Comm_split(comm, lower ? 0 : 1, -rank, &half);
    const std::int64_t size = lower ? 31 : 50;
    const Question<double> q = question<double>(half, size);
    const Answer<double> answer = way.call(q);
    MPI_Comm_free(&half);
    const auto expected = way.call({MPI_COMM_SELF, q.b}).x;
    ASSERT_EQ(answer.x.size(), expected.size());
    for (std::int64_t i = 0; i < size; ++i) EXPECT_NEAR(answer.x(i, 0), expected(i, 0), 1e-12);
  }
}

}  // namespace
}  // namespace tessera::testing
