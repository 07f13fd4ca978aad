// SPDX-License-Identifier: BSD-3-Clause
#include "mpi_profile.hpp"

#include "support.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

// The instrument itself: what it counts, and that MPI stays MPI while it delays.
namespace tessera::testing {
namespace {

constexpr int tag = 3;
using Data = std::array<int, 3>;

struct MpiProfileTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  int next = (rank + 1) % ranks;
  int previous = (rank + ranks - 1) % ranks;

  ~MpiProfileTest() override { profile::delay(0, 0); }

  /// What this rank sends in `send`, while a message from the previous one is awaited.
  profile::Sent sent_by(const std::function<void(const Data&)>& send) const {
    const Data out{rank, 1, 2};
    Data in{};
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Irecv(in.data(), 3, MPI_INT, previous, tag, comm, &request);
    MPI_Barrier(comm);
    profile::reset_sent();
    send(out);
    const profile::Sent sent = profile::sent();
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    EXPECT_EQ(in, (Data{previous, 1, 2}));
    return sent;
  }
  static void expect_sent(const profile::Sent& sent, int messages) {
    EXPECT_EQ(sent.messages, messages);
    EXPECT_EQ(sent.bytes, messages * std::int64_t{sizeof(Data)});
    EXPECT_EQ(sent.largest, messages == 0 ? 0 : std::int64_t{sizeof(Data)});
  }

  std::int64_t sum(std::int64_t value) const {
    MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_SUM, comm);
    return value;
  }
};

TEST_F(MpiProfileTest, SendsAreCounted) {
  using Send = int (*)(const void*, int, MPI_Datatype, int, int, MPI_Comm);
  std::vector<char> buffer(1000 + MPI_BSEND_OVERHEAD);
  MPI_Buffer_attach(buffer.data(), static_cast<int>(buffer.size()));
  for (const Send send : {MPI_Send, MPI_Ssend, MPI_Rsend, MPI_Bsend}) {
    expect_sent(sent_by([&](const Data& out) { send(out.data(), 3, MPI_INT, next, tag, comm); }), 1);
  }
  using Start = int (*)(const void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request*);
  for (const Start start : {MPI_Isend, MPI_Issend, MPI_Irsend, MPI_Ibsend}) {
    expect_sent(sent_by([&](const Data& out) {
                  MPI_Request request = MPI_REQUEST_NULL;
                  start(out.data(), 3, MPI_INT, next, tag, comm, &request);
                  MPI_Wait(&request, MPI_STATUS_IGNORE);
                }),
                1);
  }
  expect_sent(sent_by([&](Data out) {
                const int to = next;
                MPI_Sendrecv(out.data(), 3, MPI_INT, to, tag, nullptr, 0, MPI_INT, MPI_PROC_NULL, tag, comm,
                             MPI_STATUS_IGNORE);
              }),
              1);
  expect_sent(sent_by([&](Data out) {
                MPI_Sendrecv_replace(out.data(), 3, MPI_INT, next, tag, MPI_PROC_NULL, tag, comm, MPI_STATUS_IGNORE);
              }),
              1);
  void* detached = nullptr;
  int size = 0;
  MPI_Buffer_detach(static_cast<void*>(&detached), &size);
}

TEST_F(MpiProfileTest, PersistentSendsAreCountedWhenTheyAreStarted) {
  using Prepare = int (*)(const void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request*);
  const profile::Open before = profile::open();
  for (const Prepare prepare : {MPI_Send_init, MPI_Ssend_init}) {
    Data out{rank, 1, 2};
    MPI_Request request = MPI_REQUEST_NULL;
    profile::reset_sent();
    prepare(out.data(), 3, MPI_INT, next, tag, comm, &request);
    expect_sent(profile::sent(), 0);
    const auto wait = [&] { MPI_Wait(&request, MPI_STATUS_IGNORE); };
    for (int repetition = 0; repetition < 2; ++repetition) {
      expect_sent(sent_by([&](const Data&) { (void)MPI_Start(&request), wait(); }), 1);
      expect_sent(sent_by([&](const Data&) { (void)MPI_Startall(1, &request), wait(); }), 1);
    }
    MPI_Request_free(&request);
  }
  EXPECT_EQ(profile::open(), before);
}

TEST_F(MpiProfileTest, NothingIsSentToNobody) {
  const int some = 5;
  profile::reset_sent();
  MPI_Send(&some, 1, MPI_INT, MPI_PROC_NULL, tag, comm);
  expect_sent(profile::sent(), 0);
}

TEST_F(MpiProfileTest, CollectivesAreCountedApart) {
  Data in{};
  Data out{};
  const std::int64_t others = ranks - 1;
  const std::vector<std::function<void()>> calls = {
      [&] { MPI_Bcast(in.data(), 3, MPI_INT, ranks - 1, comm); },
      [&] { MPI_Reduce(in.data(), out.data(), 3, MPI_INT, MPI_SUM, ranks - 1, comm); },
      [&] { MPI_Allreduce(in.data(), out.data(), 3, MPI_INT, MPI_SUM, comm); }};
  const std::vector<std::int64_t> messages = {others, others, 2 * others};
  for (std::size_t i = 0; i < calls.size(); ++i) {
    SCOPED_TRACE(i);
    profile::reset_sent();
    calls[i]();
    const profile::Sent sent = profile::sent();
    expect_sent(sent, 0);
    EXPECT_EQ(sent.collectives, 1);
    EXPECT_EQ(sum(sent.collective_messages), messages[i]);
    EXPECT_EQ(sum(sent.collective_bytes), messages[i] * std::int64_t{sizeof(Data)});
  }
}

/// Several messages from the previous rank to this one, each with its number as its tag and as what it holds.
struct Messages {
  static constexpr int count = 12;
  std::array<int, count> in{};
  std::array<int, count> out{};
  std::vector<MPI_Request> receives = std::vector<MPI_Request>(count, MPI_REQUEST_NULL);
  std::vector<MPI_Request> sends = std::vector<MPI_Request>(count, MPI_REQUEST_NULL);
  std::vector<int> order;  ///< in which they have completed

  Messages(MPI_Comm comm, int previous, int next) {
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      in[at] = -1;
      out[at] = i;
      MPI_Irecv(&in[at], 1, MPI_INT, previous, i, comm, &receives[at]);
      MPI_Isend(&out[at], 1, MPI_INT, next, i, comm, &sends[at]);
    }
  }
  ~Messages() { MPI_Waitall(count, sends.data(), MPI_STATUSES_IGNORE); }

  void completed(int i, const MPI_Status& status) {
    ASSERT_TRUE(0 <= i && i < count) << i;
    EXPECT_EQ(status.MPI_TAG, i);
    EXPECT_EQ(in[static_cast<std::size_t>(i)], i) << "completed too early";
    EXPECT_EQ(receives[static_cast<std::size_t>(i)], MPI_REQUEST_NULL);
    order.push_back(i);
  }
};

/// Completes some of the receives; false when none is active any more.
struct Way {
  const char* name;
  bool (*complete)(Messages&);
  bool in_any_order = true;  ///< MPI's order; else the caller's
};
std::vector<Way> ways() {
  return {{"MPI_Wait",
           [](Messages& m) {
             MPI_Status status;
             for (int i = 0; i < Messages::count; ++i) {
               MPI_Wait(&m.receives[static_cast<std::size_t>(i)], &status);
               m.completed(i, status);
             }
             return false;
           },
           false},
          {"MPI_Test",
           [](Messages& m) {
             bool any = false;
             for (int i = 0; i < Messages::count; ++i) {
               MPI_Request& request = m.receives[static_cast<std::size_t>(i)];
               if (request == MPI_REQUEST_NULL) continue;
               any = true;
               int flag = -1;
               MPI_Status status;
               MPI_Test(&request, &flag, &status);
               if (flag) m.completed(i, status);
             }
             return any;
           }},
          {"MPI_Waitall",
           [](Messages& m) {
             MPI_Status statuses[Messages::count];
             MPI_Waitall(Messages::count, m.receives.data(), statuses);
             for (int i = 0; i < Messages::count; ++i) m.completed(i, statuses[i]);
             return false;
           },
           false},
          {"MPI_Testall",
           [](Messages& m) {
             MPI_Status statuses[Messages::count];
             int flag = -1;
             MPI_Testall(Messages::count, m.receives.data(), &flag, statuses);
             for (int i = 0; flag && i < Messages::count; ++i) m.completed(i, statuses[i]);
             return !flag;
           },
           false},
          {"MPI_Waitany",
           [](Messages& m) {
             MPI_Status status;
             int which = -1;
             MPI_Waitany(Messages::count, m.receives.data(), &which, &status);
             if (which != MPI_UNDEFINED) m.completed(which, status);
             return which != MPI_UNDEFINED;
           }},
          {"MPI_Testany",
           [](Messages& m) {
             MPI_Status status;
             int which = -1;
             int flag = -1;
             MPI_Testany(Messages::count, m.receives.data(), &which, &flag, &status);
             if (flag && which != MPI_UNDEFINED) m.completed(which, status);
             return !flag || which != MPI_UNDEFINED;
           }},
          {"MPI_Waitsome",
           [](Messages& m) {
             MPI_Status statuses[Messages::count];
             int which[Messages::count];
             int count = -1;
             MPI_Waitsome(Messages::count, m.receives.data(), &count, which, statuses);
             if (count == MPI_UNDEFINED) return false;
             EXPECT_GT(count, 0);
             for (int i = 0; i < count; ++i) m.completed(which[i], statuses[i]);
             return true;
           }},
          {"MPI_Testsome", [](Messages& m) {
             MPI_Status statuses[Messages::count];
             int which[Messages::count];
             int count = -1;
             MPI_Testsome(Messages::count, m.receives.data(), &count, which, statuses);
             if (count == MPI_UNDEFINED) return false;
             for (int i = 0; i < count; ++i) m.completed(which[i], statuses[i]);
             return true;
           }}};
}

TEST_F(MpiProfileTest, DelayedMessagesCompleteOnceEach) {
  const profile::Open before = profile::open();
  for (const Way& way : ways()) {
    for (const std::uint64_t seed : {0, 1, 2, 3}) {
      SCOPED_TRACE(std::string(way.name) + ", seed " + std::to_string(seed));
      profile::delay(seed, seed == 1 ? 0 : static_cast<int>(seed) * 50);
      Messages messages(comm, previous, next);
      while (way.complete(messages)) {
      }
      std::vector<int> sorted = messages.order;
      std::sort(sorted.begin(), sorted.end());
      EXPECT_EQ(sorted, std::vector<int>(messages.out.begin(), messages.out.end()));
      if (way.in_any_order) {
        EXPECT_FALSE(way.complete(messages)) << "none is active";
        EXPECT_EQ(messages.order.size(), sorted.size());
      }
    }
  }
  EXPECT_EQ(profile::open(), before);
}

TEST_F(MpiProfileTest, OrdersDifferFromSeedToSeed) {
  for (const Way& way : ways()) {
    if (!way.in_any_order) continue;
    std::set<std::vector<int>> orders;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      profile::delay(seed, 200);
      Messages messages(comm, previous, next);
      while (way.complete(messages)) {
      }
      orders.insert(messages.order);
    }
    EXPECT_GT(orders.size(), 5U) << way.name;
  }
}

// Whatever has completed long since may seem not to have.
TEST_F(MpiProfileTest, CompletedMessagesAreHeldBack) {
  const int most = 100'000'000;
  int held_back = 0;
  const int seeds = 40;
  for (int seed = 1; seed <= seeds; ++seed) {
    int in = 0;
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};  // the other one is never active
    MPI_Irecv(&in, 1, MPI_INT, previous, tag, comm, &requests[0]);
    MPI_Recv_init(&in, 1, MPI_INT, previous, tag, comm, &requests[1]);
    MPI_Send(&rank, 1, MPI_INT, next, tag, comm);
    for (int arrived = 0; !arrived;) MPI_Request_get_status(requests[0], &arrived, MPI_STATUS_IGNORE);

    profile::delay(static_cast<std::uint64_t>(seed), most);
    int count = -1;
    int which[2];
    MPI_Testsome(2, requests, &count, which, MPI_STATUSES_IGNORE);
    EXPECT_TRUE(count == 0 || (count == 1 && which[0] == 0)) << count;
    if (count == 0) ++held_back;
    profile::delay(0, 0);
    MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
    EXPECT_EQ(in, previous);

    profile::delay(static_cast<std::uint64_t>(seed), most);
    MPI_Testsome(2, requests, &count, which, MPI_STATUSES_IGNORE);
    EXPECT_EQ(count, MPI_UNDEFINED);
    MPI_Request_free(&requests[1]);
    profile::delay(0, 0);
  }
  EXPECT_GT(held_back, seeds / 4);
  EXPECT_LT(held_back, seeds);
}

}  // namespace
}  // namespace tessera::testing
