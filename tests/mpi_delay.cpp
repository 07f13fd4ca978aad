// SPDX-License-Identifier: BSD-3-Clause
#include "mpi_delay.hpp"

#include "mpi_profile.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace tessera::testing::profile {
namespace delayed {
namespace {

using Clock = std::chrono::steady_clock;

struct State {
  bool on = false;
  std::uint64_t most = 0;  // in microseconds
  std::mt19937_64 random;
  std::map<MPI_Request, Clock::time_point> held;  // completed requests, until when they seem not to have
  std::set<MPI_Request> exempt;
};

State& state() {
  static State s;
  return s;
}

std::chrono::microseconds some_time() { return std::chrono::microseconds(state().random() % (state().most + 1)); }
bool once_in(std::uint64_t times) { return state().random() % times == 0; }

bool seems_complete(MPI_Request request) {
  if (state().exempt.contains(request)) return true;
  auto found = state().held.find(request);
  if (found == state().held.end()) {
    int completed = 0;
    const int code = PMPI_Request_get_status(request, &completed, MPI_STATUS_IGNORE);
    if (code == MPI_SUCCESS && !completed) return false;
    const auto now = Clock::now();
    found = state().held.emplace(request, once_in(2) ? now : now + some_time()).first;
  }
  return found->second <= Clock::now();
}

/// Those of some requests that seem complete, in random order; the others are active.
class Complete {
 public:
  Complete(int count, MPI_Request* all) : all_(all) {
    for (int i = 0; i < count; ++i) {
      if (all[i] == MPI_REQUEST_NULL) continue;
      if (seems_complete(all[i])) {
        index_.push_back(i);
      } else {
        others_ = true;
      }
    }
    std::shuffle(index_.begin(), index_.end(), state().random);
    for (const int i : index_) handles_.push_back(all[i]);
  }

  int count() const { return static_cast<int>(index_.size()); }
  MPI_Request* handles() { return handles_.data(); }
  bool others() const { return others_; }

  /// Completes number `k`: its index among all.
  int take(int k) {
    const int i = index_[static_cast<std::size_t>(k)];
    state().held.erase(all_[i]);
    all_[i] = handles_[static_cast<std::size_t>(k)];
    return i;
  }

 private:
  MPI_Request* all_;
  std::vector<int> index_;
  std::vector<MPI_Request> handles_;
  bool others_ = false;
};

void release(int count, const MPI_Request* requests) {
  for (int i = 0; i < count; ++i) state().held.erase(requests[i]);
}

/// Whether all of them may complete; if not, so says `flag`.
bool may_complete(int count, MPI_Request* requests, int* flag) {
  if (state().on && Complete(count, requests).others()) {
    *flag = 0;
    return false;
  }
  release(count, requests);
  return true;
}

}  // namespace

void pause() {
  if (state().on && once_in(4)) std::this_thread::sleep_for(some_time());
}

void exempt(MPI_Request request) { state().exempt.insert(request); }

void forget(MPI_Request request) {
  state().exempt.erase(request);
  state().held.erase(request);
}

int wait(MPI_Request* request, MPI_Status* status) {
  if (!state().on) return PMPI_Wait(request, status);
  std::this_thread::sleep_for(some_time());
  release(1, request);
  return PMPI_Wait(request, status);
}

int waitall(int count, MPI_Request* requests, MPI_Status* statuses) {
  if (!state().on) return PMPI_Waitall(count, requests, statuses);
  std::this_thread::sleep_for(some_time());
  release(count, requests);
  return PMPI_Waitall(count, requests, statuses);
}

// To wait for one that was chosen before it has completed might be to wait for ever.
int waitany(int count, MPI_Request* requests, int* which, MPI_Status* status) {
  if (!state().on) return PMPI_Waitany(count, requests, which, status);
  std::this_thread::sleep_for(some_time());
  for (;; std::this_thread::yield()) {
    int flag = 0;
    const int code = testany(count, requests, which, &flag, status);
    if (flag || code != MPI_SUCCESS) return code;
  }
}

int waitsome(int count, MPI_Request* requests, int* completed, int* which, MPI_Status* statuses) {
  if (!state().on) return PMPI_Waitsome(count, requests, completed, which, statuses);
  std::this_thread::sleep_for(some_time());
  for (;; std::this_thread::yield()) {
    const int code = testsome(count, requests, completed, which, statuses);
    if (code != MPI_SUCCESS || *completed != 0) return code;
  }
}

int test(MPI_Request* request, int* flag, MPI_Status* status) {
  if (!may_complete(1, request, flag)) return MPI_SUCCESS;
  return PMPI_Test(request, flag, status);
}

int testall(int count, MPI_Request* requests, int* flag, MPI_Status* statuses) {
  if (!may_complete(count, requests, flag)) return MPI_SUCCESS;
  return PMPI_Testall(count, requests, flag, statuses);
}

int testany(int count, MPI_Request* requests, int* which, int* flag, MPI_Status* status) {
  if (!state().on) return PMPI_Testany(count, requests, which, flag, status);
  Complete some(count, requests);
  *flag = 0;
  const int code = PMPI_Testany(some.count(), some.handles(), which, flag, status);
  if (*flag && *which != MPI_UNDEFINED) {
    *which = some.take(*which);
  } else if (some.others()) {
    *flag = 0;
  }
  return code;
}

int testsome(int count, MPI_Request* requests, int* completed, int* which, MPI_Status* statuses) {
  if (!state().on) return PMPI_Testsome(count, requests, completed, which, statuses);
  Complete some(count, requests);
  *completed = 0;
  const int code = PMPI_Testsome(some.count(), some.handles(), completed, which, statuses);
  if (*completed == MPI_UNDEFINED) {
    if (some.others()) *completed = 0;
  } else {
    for (int i = 0; i < *completed; ++i) which[i] = some.take(which[i]);
  }
  return code;
}

}  // namespace delayed

void delay(std::uint64_t seed, int most_microseconds) {
  int rank = 0;
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::seed_seq seeds{seed & 0xffffffffU, seed >> 32, static_cast<std::uint64_t>(rank)};
  delayed::State& state = delayed::state();
  state.on = seed != 0 || most_microseconds != 0;
  state.most = static_cast<std::uint64_t>(most_microseconds);
  state.random.seed(seeds);
  state.held.clear();
}

}  // namespace tessera::testing::profile
