// SPDX-License-Identifier: BSD-3-Clause
#include "mpi_profile.hpp"

#include "mpi_delay.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace tessera::testing::profile {
namespace {

struct State {
  std::mutex mutex;
  Open open;
  Sent sent;
  std::map<MPI_Request, std::int64_t> persistent;  // the bytes that one sends whenever it is started; none: it receives
  std::map<MPI_Comm, std::int64_t> calls;
  std::set<std::thread::id> threads;
  std::string failing;
  int skip = 0;
  bool failed = false;
};

State& state() {
  static State s;
  return s;
}

/// Notes a call of `name`; whether it is to fail.
bool fails(const char* name) {
  const std::lock_guard lock(state().mutex);
  state().threads.insert(std::this_thread::get_id());
  if (state().failed || state().failing != name || state().skip-- > 0) return false;
  return state().failed = true;
}

template <class Call>
int traced(const char* name, const Call& call) {
  return fails(name) ? MPI_ERR_OTHER : call();
}

/// Communication on `comm`.
template <class Call>
int on(MPI_Comm comm, const char* name, const Call& call) {
  {
    const std::lock_guard lock(state().mutex);
    ++state().calls[comm];
  }
  delayed::pause();
  return traced(name, call);
}

void add(int Open::*what, int count) {
  const std::lock_guard lock(state().mutex);
  state().open.*what += count;
}

/// What makes (1) or frees (-1) something.
template <class Call>
int counted(int Open::*what, int count, const char* name, const Call& call) {
  const int code = traced(name, call);
  if (code == MPI_SUCCESS) add(what, count);
  return code;
}

template <class Call>
int starts(MPI_Comm comm, const char* name, const Call& call) {
  const int code = on(comm, name, call);
  if (code == MPI_SUCCESS) add(&Open::requests, 1);
  return code;
}

constexpr std::int64_t none = -1;

std::int64_t bytes_of(int count, MPI_Datatype type) {
  int size = 0;
  PMPI_Type_size(type, &size);
  return std::int64_t{size} * count;
}

/// The bytes of a message; none where it goes to nobody.
std::int64_t message(int count, MPI_Datatype type, int to) {
  return to == MPI_PROC_NULL ? none : bytes_of(count, type);
}

void add_message(std::int64_t bytes) {
  if (bytes == none) return;
  const std::lock_guard lock(state().mutex);
  Sent& sent = state().sent;
  ++sent.messages;
  sent.bytes += bytes;
  sent.largest = std::max(sent.largest, bytes);
}

template <class Call>
int sends(MPI_Comm comm, std::int64_t bytes, const char* name, const Call& call) {
  add_message(bytes);
  return on(comm, name, call);
}

template <class Call>
int starts_to_send(MPI_Comm comm, std::int64_t bytes, const char* name, const Call& call) {
  add_message(bytes);
  return starts(comm, name, call);
}

/// What makes a request that MPI_Start starts, as often as one likes.
template <class Call>
int prepares(MPI_Comm comm, std::int64_t bytes, MPI_Request* request, const char* name, const Call& call) {
  const int code = starts(comm, name, call);
  if (code != MPI_SUCCESS) return code;
  delayed::exempt(*request);
  const std::lock_guard lock(state().mutex);
  state().persistent[*request] = bytes;
  return code;
}

void forget(MPI_Request request) {
  state().persistent.erase(request);
  delayed::forget(request);
}

void add_started(MPI_Request request) {
  const auto found = state().persistent.find(request);
  if (found != state().persistent.end()) add_message(found->second);
}

/// The ranks of a collective.
struct Members {
  int size = 1;
  int rank = 0;

  explicit Members(MPI_Comm comm) {
    PMPI_Comm_size(comm, &size);
    PMPI_Comm_rank(comm, &rank);
  }
  int broadcast(int root) const { return (rank - root + size) % size == size - 1 ? 0 : 1; }
  int reduce(int root) const { return rank == root ? 0 : 1; }
  int all_reduce() const { return reduce(0) + broadcast(0); }
  int to_each() const { return size - 1; }
};

/// A collective that makes this rank send `messages` of `bytes`.
void add_collective(int messages, std::int64_t bytes) {
  const std::lock_guard lock(state().mutex);
  Sent& sent = state().sent;
  ++sent.collectives;
  sent.collective_messages += messages;
  sent.collective_bytes += messages * bytes;
}

template <class Call>
int together(MPI_Comm comm, int messages, std::int64_t bytes, const char* name, const Call& call) {
  add_collective(messages, bytes);
  return on(comm, name, call);
}

template <class Call>
int starts_together(MPI_Comm comm, int messages, std::int64_t bytes, const char* name, const Call& call) {
  add_collective(messages, bytes);
  return starts(comm, name, call);
}

/// What may complete some of `requests`, which are set to MPI_REQUEST_NULL then.
template <class Call>
int completes(int count, MPI_Request* requests, const char* name, const Call& call) {
  const auto active = [&] {
    return static_cast<int>(count - std::count(requests, requests + count, MPI_REQUEST_NULL));
  };
  const int before = active();
  const int code = traced(name, call);
  add(&Open::requests, active() - before);
  return code;
}

}  // namespace

Open open() { return state().open; }
std::int64_t calls_on(MPI_Comm comm) { return state().calls[comm]; }
Sent sent() { return state().sent; }
void reset_sent() { state().sent = {}; }
std::set<std::thread::id> threads() { return state().threads; }

void fail(const std::string& name, int skip) {
  state().failing = name;
  state().skip = skip;
  state().failed = false;
}

bool has_failed() {
  state().failing.clear();
  return std::exchange(state().failed, false);
}

}  // namespace tessera::testing::profile

using namespace tessera::testing::profile;

// NAME(arguments) as PMPI_NAME(arguments).
#define PASS_ON(name, ...) #name, [&] { return P##name(__VA_ARGS__); }
#define DELAYED(name, call, ...) "MPI_" #name, [&] { return delayed::call(__VA_ARGS__); }

extern "C" {

int MPI_Comm_rank(MPI_Comm c, int* rank) { return traced(PASS_ON(MPI_Comm_rank, c, rank)); }
int MPI_Comm_size(MPI_Comm c, int* size) { return traced(PASS_ON(MPI_Comm_size, c, size)); }
int MPI_Comm_test_inter(MPI_Comm c, int* flag) { return traced(PASS_ON(MPI_Comm_test_inter, c, flag)); }
int MPI_Comm_set_errhandler(MPI_Comm c, MPI_Errhandler h) { return traced(PASS_ON(MPI_Comm_set_errhandler, c, h)); }

// Communicators, groups, types, operations.
int MPI_Comm_dup(MPI_Comm c, MPI_Comm* made) {
  return counted(&Open::communicators, 1, PASS_ON(MPI_Comm_dup, c, made));
}
int MPI_Comm_dup_with_info(MPI_Comm c, MPI_Info info, MPI_Comm* made) {
  return counted(&Open::communicators, 1, PASS_ON(MPI_Comm_dup_with_info, c, info, made));
}
int MPI_Comm_split(MPI_Comm c, int color, int key, MPI_Comm* made) {
  const int code = traced(PASS_ON(MPI_Comm_split, c, color, key, made));
  if (code == MPI_SUCCESS && *made != MPI_COMM_NULL) add(&Open::communicators, 1);
  return code;
}
int MPI_Comm_split_type(MPI_Comm c, int type, int key, MPI_Info info, MPI_Comm* made) {
  const int code = traced(PASS_ON(MPI_Comm_split_type, c, type, key, info, made));
  if (code == MPI_SUCCESS && *made != MPI_COMM_NULL) add(&Open::communicators, 1);
  return code;
}
int MPI_Comm_create(MPI_Comm c, MPI_Group group, MPI_Comm* made) {
  const int code = traced(PASS_ON(MPI_Comm_create, c, group, made));
  if (code == MPI_SUCCESS && *made != MPI_COMM_NULL) add(&Open::communicators, 1);
  return code;
}
int MPI_Comm_free(MPI_Comm* c) { return counted(&Open::communicators, -1, PASS_ON(MPI_Comm_free, c)); }
int MPI_Comm_group(MPI_Comm c, MPI_Group* made) { return counted(&Open::groups, 1, PASS_ON(MPI_Comm_group, c, made)); }
int MPI_Group_incl(MPI_Group g, int n, const int* ranks, MPI_Group* made) {
  return counted(&Open::groups, 1, PASS_ON(MPI_Group_incl, g, n, ranks, made));
}
int MPI_Group_excl(MPI_Group g, int n, const int* ranks, MPI_Group* made) {
  return counted(&Open::groups, 1, PASS_ON(MPI_Group_excl, g, n, ranks, made));
}
int MPI_Group_free(MPI_Group* g) { return counted(&Open::groups, -1, PASS_ON(MPI_Group_free, g)); }
int MPI_Type_contiguous(int n, MPI_Datatype t, MPI_Datatype* made) {
  return counted(&Open::types, 1, PASS_ON(MPI_Type_contiguous, n, t, made));
}
int MPI_Type_vector(int n, int block, int stride, MPI_Datatype t, MPI_Datatype* made) {
  return counted(&Open::types, 1, PASS_ON(MPI_Type_vector, n, block, stride, t, made));
}
int MPI_Type_create_hvector(int n, int block, MPI_Aint stride, MPI_Datatype t, MPI_Datatype* made) {
  return counted(&Open::types, 1, PASS_ON(MPI_Type_create_hvector, n, block, stride, t, made));
}
int MPI_Type_create_struct(int n, const int* blocks, const MPI_Aint* at, const MPI_Datatype* t, MPI_Datatype* made) {
  return counted(&Open::types, 1, PASS_ON(MPI_Type_create_struct, n, blocks, at, t, made));
}
int MPI_Type_create_resized(MPI_Datatype t, MPI_Aint lower, MPI_Aint extent, MPI_Datatype* made) {
  return counted(&Open::types, 1, PASS_ON(MPI_Type_create_resized, t, lower, extent, made));
}
int MPI_Type_dup(MPI_Datatype t, MPI_Datatype* made) {
  return counted(&Open::types, 1, PASS_ON(MPI_Type_dup, t, made));
}
int MPI_Type_free(MPI_Datatype* t) { return counted(&Open::types, -1, PASS_ON(MPI_Type_free, t)); }
int MPI_Op_create(MPI_User_function* f, int commute, MPI_Op* made) {
  return counted(&Open::operations, 1, PASS_ON(MPI_Op_create, f, commute, made));
}
int MPI_Op_free(MPI_Op* op) { return counted(&Open::operations, -1, PASS_ON(MPI_Op_free, op)); }

// Messages.
#define SEND_ARGUMENTS const void *data, int n, MPI_Datatype t, int to, int tag, MPI_Comm c
#define SEND(name) \
  int name(SEND_ARGUMENTS) { return sends(c, message(n, t, to), PASS_ON(name, data, n, t, to, tag, c)); }
#define SEND_STARTED(name)                                                                 \
  int name(SEND_ARGUMENTS, MPI_Request* r) {                                               \
    return starts_to_send(c, message(n, t, to), PASS_ON(name, data, n, t, to, tag, c, r)); \
  }
#define SEND_PREPARED(name)                                                             \
  int name(SEND_ARGUMENTS, MPI_Request* r) {                                            \
    return prepares(c, message(n, t, to), r, PASS_ON(name, data, n, t, to, tag, c, r)); \
  }
SEND(MPI_Send)
SEND(MPI_Ssend)
SEND(MPI_Rsend)
SEND(MPI_Bsend)
SEND_STARTED(MPI_Isend)
SEND_STARTED(MPI_Issend)
SEND_STARTED(MPI_Irsend)
SEND_STARTED(MPI_Ibsend)
SEND_PREPARED(MPI_Send_init)
SEND_PREPARED(MPI_Ssend_init)
SEND_PREPARED(MPI_Rsend_init)
SEND_PREPARED(MPI_Bsend_init)
int MPI_Sendrecv(const void* out, int n, MPI_Datatype t, int to, int tag, void* in, int n_in, MPI_Datatype t_in,
                 int from, int tag_in, MPI_Comm c, MPI_Status* s) {
  return sends(c, message(n, t, to), PASS_ON(MPI_Sendrecv, out, n, t, to, tag, in, n_in, t_in, from, tag_in, c, s));
}
int MPI_Sendrecv_replace(void* data, int n, MPI_Datatype t, int to, int tag, int from, int tag_in, MPI_Comm c,
                         MPI_Status* s) {
  return sends(c, message(n, t, to), PASS_ON(MPI_Sendrecv_replace, data, n, t, to, tag, from, tag_in, c, s));
}
int MPI_Recv(void* data, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Status* s) {
  return on(c, PASS_ON(MPI_Recv, data, n, t, from, tag, c, s));
}
int MPI_Irecv(void* data, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Request* r) {
  return starts(c, PASS_ON(MPI_Irecv, data, n, t, from, tag, c, r));
}
int MPI_Recv_init(void* data, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Request* r) {
  return prepares(c, none, r, PASS_ON(MPI_Recv_init, data, n, t, from, tag, c, r));
}
int MPI_Start(MPI_Request* r) {
  delayed::pause();
  add_started(*r);
  return traced(PASS_ON(MPI_Start, r));
}
int MPI_Startall(int n, MPI_Request* r) {
  delayed::pause();
  std::for_each(r, r + n, add_started);
  return traced(PASS_ON(MPI_Startall, n, r));
}
int MPI_Probe(int from, int tag, MPI_Comm c, MPI_Status* s) { return on(c, PASS_ON(MPI_Probe, from, tag, c, s)); }
int MPI_Iprobe(int from, int tag, MPI_Comm c, int* flag, MPI_Status* s) {
  return on(c, PASS_ON(MPI_Iprobe, from, tag, c, flag, s));
}

// Their completion.
int MPI_Wait(MPI_Request* r, MPI_Status* s) { return completes(1, r, DELAYED(Wait, wait, r, s)); }
int MPI_Waitall(int n, MPI_Request* r, MPI_Status* s) { return completes(n, r, DELAYED(Waitall, waitall, n, r, s)); }
int MPI_Waitany(int n, MPI_Request* r, int* which, MPI_Status* s) {
  return completes(n, r, DELAYED(Waitany, waitany, n, r, which, s));
}
int MPI_Waitsome(int n, MPI_Request* r, int* count, int* which, MPI_Status* s) {
  return completes(n, r, DELAYED(Waitsome, waitsome, n, r, count, which, s));
}
int MPI_Test(MPI_Request* r, int* flag, MPI_Status* s) { return completes(1, r, DELAYED(Test, test, r, flag, s)); }
int MPI_Testall(int n, MPI_Request* r, int* flag, MPI_Status* s) {
  return completes(n, r, DELAYED(Testall, testall, n, r, flag, s));
}
int MPI_Testany(int n, MPI_Request* r, int* which, int* flag, MPI_Status* s) {
  return completes(n, r, DELAYED(Testany, testany, n, r, which, flag, s));
}
int MPI_Testsome(int n, MPI_Request* r, int* count, int* which, MPI_Status* s) {
  return completes(n, r, DELAYED(Testsome, testsome, n, r, count, which, s));
}
int MPI_Request_free(MPI_Request* r) {
  forget(*r);
  return completes(1, r, PASS_ON(MPI_Request_free, r));
}

// Collectives.
int MPI_Barrier(MPI_Comm c) { return together(c, Members(c).all_reduce(), 0, PASS_ON(MPI_Barrier, c)); }
int MPI_Bcast(void* data, int n, MPI_Datatype t, int root, MPI_Comm c) {
  return together(c, Members(c).broadcast(root), bytes_of(n, t), PASS_ON(MPI_Bcast, data, n, t, root, c));
}
int MPI_Reduce(const void* in, void* out, int n, MPI_Datatype t, MPI_Op op, int root, MPI_Comm c) {
  return together(c, Members(c).reduce(root), bytes_of(n, t), PASS_ON(MPI_Reduce, in, out, n, t, op, root, c));
}
int MPI_Allreduce(const void* in, void* out, int n, MPI_Datatype t, MPI_Op op, MPI_Comm c) {
  return together(c, Members(c).all_reduce(), bytes_of(n, t), PASS_ON(MPI_Allreduce, in, out, n, t, op, c));
}
int MPI_Allgather(const void* in, int n, MPI_Datatype t, void* out, int n_out, MPI_Datatype t_out, MPI_Comm c) {
  return together(c, Members(c).to_each(), bytes_of(n_out, t_out),
                  PASS_ON(MPI_Allgather, in, n, t, out, n_out, t_out, c));
}
int MPI_Gather(const void* in, int n, MPI_Datatype t, void* out, int n_out, MPI_Datatype t_out, int root, MPI_Comm c) {
  const int messages = Members(c).reduce(root);
  return together(c, messages, messages == 0 ? 0 : bytes_of(n, t),
                  PASS_ON(MPI_Gather, in, n, t, out, n_out, t_out, root, c));
}
int MPI_Scatter(const void* in, int n, MPI_Datatype t, void* out, int n_out, MPI_Datatype t_out, int root, MPI_Comm c) {
  const Members members(c);
  const bool sends_all = members.rank == root;
  return together(c, sends_all ? members.to_each() : 0, sends_all ? bytes_of(n, t) : 0,
                  PASS_ON(MPI_Scatter, in, n, t, out, n_out, t_out, root, c));
}
int MPI_Alltoall(const void* in, int n, MPI_Datatype t, void* out, int n_out, MPI_Datatype t_out, MPI_Comm c) {
  return together(c, Members(c).to_each(), bytes_of(n_out, t_out),
                  PASS_ON(MPI_Alltoall, in, n, t, out, n_out, t_out, c));
}
int MPI_Ibarrier(MPI_Comm c, MPI_Request* r) {
  return starts_together(c, Members(c).all_reduce(), 0, PASS_ON(MPI_Ibarrier, c, r));
}
int MPI_Ibcast(void* data, int n, MPI_Datatype t, int root, MPI_Comm c, MPI_Request* r) {
  return starts_together(c, Members(c).broadcast(root), bytes_of(n, t), PASS_ON(MPI_Ibcast, data, n, t, root, c, r));
}
int MPI_Iallreduce(const void* in, void* out, int n, MPI_Datatype t, MPI_Op op, MPI_Comm c, MPI_Request* r) {
  return starts_together(c, Members(c).all_reduce(), bytes_of(n, t), PASS_ON(MPI_Iallreduce, in, out, n, t, op, c, r));
}

}  // extern "C"
