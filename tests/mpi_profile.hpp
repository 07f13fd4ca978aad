#pragma once

#include <mpi.h>

#include <cstdint>
#include <ostream>
#include <set>
#include <string>
#include <thread>

// What a program asks of MPI, seen through MPI's profiling interface: mpi_profile.cpp defines the MPI_ functions of
// the program that it is linked into, and passes on to PMPI_.
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

/// Messages sent with MPI_Isend and the like since the last reset.
struct Sent {
  std::int64_t messages = 0;
  std::int64_t largest = 0;  ///< in bytes
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

}  // namespace tessera::testing::profile
