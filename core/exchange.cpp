#include "core/exchange.hpp"

#include "kernels/instantiate.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

namespace tessera::detail {
namespace {

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
  throw MpiError(std::string(call) + " failed: " + std::string(text, static_cast<std::size_t>(length)), code);
}

bool mpi_is_running() {
  int initialised = 0;
  int finalised = 0;
  check(MPI_Initialized(&initialised), "MPI_Initialized");
  check(MPI_Finalized(&finalised), "MPI_Finalized");
  return initialised != 0 && finalised == 0;
}

std::int64_t largest_message_setting() {
  constexpr std::int64_t most = Communicator::most_message;
  const char* text = std::getenv("TESSERA_MPI_LARGEST_MESSAGE");
  if (text == nullptr) return most;
  std::int64_t bytes = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), bytes);
  if (error != std::errc{} || *end != '\0' || bytes < 1 || bytes > most) {
    throw_misuse("TESSERA_MPI_LARGEST_MESSAGE",
                 std::string("is \"") + text + "\", not a number of bytes from 1 to " + std::to_string(most));
  }
  return bytes;
}

}  // namespace

void require_mpi() {
  if (!mpi_is_running()) throw_misuse("comm", "MPI is not initialised, or is finalised already");
}

std::shared_ptr<const Communicator> duplicate(MPI_Comm comm) {
  require_mpi();
  if (comm == MPI_COMM_NULL) throw_misuse("comm", "is MPI_COMM_NULL");
  int inter = 0;
  check(MPI_Comm_test_inter(comm, &inter), "MPI_Comm_test_inter");
  if (inter != 0) throw_misuse("comm", "is an inter-communicator");
  return std::make_shared<const Communicator>(comm);
}

Communicator::Communicator(MPI_Comm comm) {
  check(MPI_Comm_dup(comm, &comm_), "MPI_Comm_dup");
  try {
    check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
    Agreement agreement("a communicator's first use");
    std::int64_t setting = 0;
    agreement.check([&] { setting = largest_message_setting(); });
    agreement.same("TESSERA_MPI_LARGEST_MESSAGE", setting);
    agreement.settle(*this);  // in messages of the same size on every rank
    largest_message_ = setting;
  } catch (...) {
    MPI_Comm_free(&comm_);
    throw;
  }
}

Communicator::~Communicator() {
  int finalised = 0;
  if (MPI_Finalized(&finalised) == MPI_SUCCESS && finalised == 0) MPI_Comm_free(&comm_);
}

void Communicator::all_reduce_min(std::int64_t* values, int count) const {
  check(MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_INT64_T, MPI_MIN, comm_), "MPI_Allreduce");
}

std::vector<std::int64_t> Communicator::all_gather(std::int64_t value) const {
  std::vector<std::int64_t> values(static_cast<std::size_t>(size_));
  check(MPI_Allgather(&value, 1, MPI_INT64_T, values.data(), 1, MPI_INT64_T, comm_), "MPI_Allgather");
  return values;
}

void Communicator::broadcast(void* data, std::int64_t bytes, int root) const {
  for (std::int64_t done = 0; done < bytes; done += largest_message_) {
    const int count = static_cast<int>(std::min(largest_message_, bytes - done));
    check(MPI_Bcast(static_cast<char*>(data) + done, count, MPI_BYTE, root, comm_), "MPI_Bcast");
  }
}

void Communicator::reduce_sum(std::vector<double>& values, int root) const {
  constexpr std::int64_t most = std::int64_t{1} << 24;
  const auto size = static_cast<std::int64_t>(values.size());
  for (std::int64_t done = 0; done < size; done += most) {
    const int count = static_cast<int>(std::min(most, size - done));
    double* piece = values.data() + done;
    check(MPI_Reduce(rank_ == root ? MPI_IN_PLACE : piece, piece, count, MPI_DOUBLE, MPI_SUM, root, comm_),
          "MPI_Reduce");
  }
}

bool mpi_takes_pointers(bool host_accessible) {
  const char* text = std::getenv("TESSERA_MPI_BUFFERS");
  if (text != nullptr && std::string_view(text) == "direct") return true;
  if (text != nullptr && std::string_view(text) == "staged") return false;
  return host_accessible;
}

template <class Exec>
Transfers<Exec>::Transfers(const Communicator& communicator, const Exec& exec)
    : communicator_(communicator), exec_(exec), direct_(mpi_takes_pointers(host_)) {}

template <class Exec>
Transfers<Exec>::~Transfers() {
  give_up();
}

// Does something only where an exception leaves messages behind: their buffers are about to go, so nothing may arrive
// any more.
template <class Exec>
void Transfers<Exec>::give_up() noexcept {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == MPI_REQUEST_NULL) continue;
    if (parts_[i].receives) {
      MPI_Cancel(&requests_[i]);
      MPI_Wait(&requests_[i], MPI_STATUS_IGNORE);
    } else {
      MPI_Request_free(&requests_[i]);
    }
  }
}

template <class Exec>
template <class Start>
typename Transfers<Exec>::Message Transfers<Exec>::start(Open open, std::int64_t bytes, bool receives,
                                                         const Start& start_part) {
  const Message message = ++last_;
  Open& entry = open_[message] = std::move(open);
  for (std::int64_t begin = 0; begin < bytes; begin += communicator_.largest_message()) {
    requests_.push_back(MPI_REQUEST_NULL);
    parts_.push_back({message, receives});
    start_part(begin, static_cast<int>(std::min(communicator_.largest_message(), bytes - begin)), &requests_.back());
    ++entry.parts;
  }
  return message;
}

template <class Exec>
typename Transfers<Exec>::Message Transfers<Exec>::receive_bytes(char* data, std::int64_t bytes, int source, Tag tag) {
  if (bytes == 0) return {};
  Open open;
  if (!direct_) {
    open.device = data;
    open.staged = HostBuffer(Kokkos::view_alloc("tessera::exchange::received", Kokkos::WithoutInitializing),
                             static_cast<std::size_t>(bytes));
    data = open.staged.data();
  } else if (!host_) {
    exec_.fence();  // MPI writes without waiting for what still reads there
  }
  return start(std::move(open), bytes, true, [&](std::int64_t begin, int count, MPI_Request* request) {
    check(MPI_Irecv(data + begin, count, MPI_BYTE, source, tag.value(), communicator_.native(), request), "MPI_Irecv");
  });
}

template <class Exec>
typename Transfers<Exec>::Message Transfers<Exec>::send_bytes(const char* data, std::int64_t bytes, int destination,
                                                              Tag tag) {
  if (bytes == 0) return {};
  Open open;
  if (!direct_) {
    open.staged = HostBuffer(Kokkos::view_alloc("tessera::exchange::sent", Kokkos::WithoutInitializing),
                             static_cast<std::size_t>(bytes));
    Kokkos::deep_copy(exec_, open.staged,
                      Kokkos::View<const char*, MemorySpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(
                          data, static_cast<std::size_t>(bytes)));
    data = open.staged.data();
  }
  exec_.fence();
  return start(std::move(open), bytes, false, [&](std::int64_t begin, int count, MPI_Request* request) {
    check(MPI_Isend(data + begin, count, MPI_BYTE, destination, tag.value(), communicator_.native(), request),
          "MPI_Isend");
  });
}

template <class Exec>
void Transfers<Exec>::progress() {
  complete(MPI_Testsome, "MPI_Testsome");
}

template <class Exec>
void Transfers<Exec>::wait_some() {
  complete(MPI_Waitsome, "MPI_Waitsome");
}

template <class Exec>
void Transfers<Exec>::wait() {
  while (!requests_.empty()) wait_some();
}

template <class Exec>
void Transfers<Exec>::complete(SomeCall call, const char* name) {
  int count = 0;
  completed_.resize(requests_.size());
  check(call(static_cast<int>(requests_.size()), requests_.data(), &count, completed_.data(), MPI_STATUSES_IGNORE),
        name);
  if (count <= 0) return;
  for (int i = 0; i < count; ++i) {
    const Message message = parts_[static_cast<std::size_t>(completed_[static_cast<std::size_t>(i)])].message;
    const auto entry = open_.find(message);
    if (--entry->second.parts > 0) continue;
    if (const Open& open = entry->second; open.device != nullptr) {
      Kokkos::deep_copy(
          exec_,
          Kokkos::View<char*, MemorySpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(open.device, open.staged.extent(0)),
          open.staged);
      exec_.fence();
    }
    open_.erase(entry);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == MPI_REQUEST_NULL) continue;
    requests_[kept] = requests_[i];
    parts_[kept++] = parts_[i];
  }
  requests_.resize(kept);
  parts_.resize(kept);
}

#define TESSERA_INSTANTIATE_TRANSFERS(Exec) template class Transfers<Exec>;
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_TRANSFERS)

}  // namespace tessera::detail
