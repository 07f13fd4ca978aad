// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

#include <cstdint>
#include <ostream>
#include <set>
#include <string>
#include <thread>

// What a program asks of MPI, seen through MPI's profiling interface: mpi_profile.cpp defines the MPI_ functions of
// the program that it is linked into, and of the shared libraries that it calls, and passes on to PMPI_.
namespace tessera::testing::profile {

/// What has been made and not yet been freed, or, for requests, not yet been completed.
struct Open {
  int communicators = 0;
  int groups = 0;
  int types = 0;
  int operations = 0;
  int requests = 0;

  friend bool operator==(const Open&, const Open&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Open& open) {
    return out << open.communicators << " communicators, " << open.groups << " groups, " << open.types << " types, "
               << open.operations << " operations, " << open.requests << " requests";
  }
};
Open open();

/// Messages and collectives on `comm` so far; what makes a new communicator of it is none.
std::int64_t calls_on(MPI_Comm comm);

/// What this rank has sent since the last reset, in whichever way.
struct Sent {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
  std::int64_t largest = 0;  ///< in bytes

  std::int64_t collectives = 0;  ///< calls of MPI_Bcast and the like
  /// What they make this rank send at the least. MPI_Bcast, MPI_Reduce: were they passed on from rank to rank.
  std::int64_t collective_messages = 0;
  std::int64_t collective_bytes = 0;
};
Sent sent();
void reset_sent();

/// The threads that have called MPI since start-up.
std::set<std::thread::id> threads();

/// The next call of `name`, after `skip` others, returns MPI_ERR_OTHER and does nothing, but for what completes
/// requests.
void fail(const std::string& name, int skip = 0);
/// Ends that; whether such a call was made.
bool has_failed();

/// From now on messages are sent, and found to have completed, at random times and in a random order: whatever moves
/// messages now and then waits for up to `most_microseconds`, and a request that has completed may be held back for as
/// long. Different for each seed, and on each rank. delay(0, 0) ends that.
void delay(std::uint64_t seed, int most_microseconds);

}  // namespace tessera::testing::profile
