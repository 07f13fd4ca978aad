// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/transfers.hpp"

#include "core/tuning.hpp"
#include "kernels/backend.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

// Open MPI and its kin say at run time whether they take a device's pointers.
#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#ifdef MPIX_CUDA_AWARE_SUPPORT
#define TESSERA_MPI_TELLS
#endif
#endif

namespace tessera::detail {
namespace {

template <class MemorySpace>
StagingPool<MemorySpace>& staging_of(Memory<MemorySpace>& memory) {
  if (!memory.staging) memory.staging = std::make_shared<StagingPool<MemorySpace>>();
  return *memory.staging;
}

/// Whether MPI is handed pointers to `MemorySpace` as they are. TESSERA_MPI_BUFFERS=direct or =staged decides, else
/// host memory goes as it is, and device memory as `asked`, or where this MPI says that it takes it.
template <class MemorySpace>
bool mpi_takes_pointers(MpiBuffers asked) {
  if (const char* text = std::getenv("TESSERA_MPI_BUFFERS")) {
    if (std::string_view(text) == "direct") return true;
    if (std::string_view(text) == "staged") return false;
    throw_misuse("TESSERA_MPI_BUFFERS", std::string("is \"") + text + "\", neither \"direct\" nor \"staged\"");
  }
  if (kernels::is_host<typename MemorySpace::execution_space>) return true;
  if (asked != MpiBuffers::automatic) return asked == MpiBuffers::direct;
#ifdef TESSERA_MPI_TELLS
  return MPIX_Query_cuda_support() == 1;
#else
  return false;
#endif
}

}  // namespace

template <class Exec>
Transfers<Exec>::Transfers(const ProcessGrid& grid, Memory<MemorySpace>& memory)
    : communicator_(grid.communicator()),
      staging_(staging_of(memory)),
      direct_(mpi_takes_pointers<MemorySpace>(grid.mpi_buffers())),
      most_bytes_(std::min(communicator_.largest_message(), Tuning<MemorySpace>::message_bytes)) {
  if (grid.size() == 1) return;
  post({Packet::Way::in, nullptr, MPI_ANY_SOURCE, Tag(Tag::interruption).value()});
  communicator_.attach(this);
}

// Messages are left here only if MPI itself has failed. Then it may read what it has to send for ever.
template <class Exec>
Transfers<Exec>::~Transfers() {
  if (requests_.empty()) return;
  communicator_.attach(nullptr);
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == MPI_REQUEST_NULL) continue;
    if (is_incoming(i) && exception_of([&] { stop_receiving(i); }) == nullptr) continue;
    if (requests_[i] != MPI_REQUEST_NULL) MPI_Request_free(&requests_[i]);
    exception_of([&] { new Buffer(std::move(packets_[i].staged)); });
  }
}

template <class Exec>
void Transfers<Exec>::stop_receiving() {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] != MPI_REQUEST_NULL && is_incoming(i)) stop_receiving(i);
  }
}

template <class Exec>
void Transfers<Exec>::stop_receiving(std::size_t request) {
  check(MPI_Cancel(&requests_[request]), "MPI_Cancel");
  MPI_Status status;
  check(MPI_Wait(&requests_[request], &status), "MPI_Wait");
  int is_cancelled = 0;
  check(MPI_Test_cancelled(&status, &is_cancelled), "MPI_Test_cancelled");
  if (is_cancelled != 0) return;
  communicator_.has_received(status.MPI_SOURCE);
  // Of the next phase, where another rank has got so far.
  if (is_interruption(request)) communicator_.note_interruption();
}

template <class Exec>
void Transfers<Exec>::finish_sending() {
  for (MPI_Request& request : requests_) check(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
}

template <class Exec>
typename Transfers<Exec>::Message Transfers<Exec>::begin(const Exec& exec, Packet packet, std::int64_t bytes) {
  if (bytes == 0) return {};
  if constexpr (kernels::is_host<Exec>) exec.fence();
  packet.message = ++last_;
  open_[packet.message] = (bytes + most_bytes_ - 1) / most_bytes_;
  for (std::int64_t done = 0; done < bytes; done += most_bytes_) {
    Packet next = packet;
    next.data += done;
    next.bytes = static_cast<int>(std::min(most_bytes_, bytes - done));
    if (!direct_) {
      next.staged = staging_.take(static_cast<std::size_t>(next.bytes));
      if (next.way == Packet::Way::in) {
        next.exec = exec;
        post(std::move(next));  // nobody else reads or writes there
        continue;
      }
      Kokkos::deep_copy(exec, staged(next), in_place(next));
    }
    if constexpr (kernels::is_host<Exec>) {
      post(std::move(next));
    } else {
      wait_in(next.way == Packet::Way::in ? held_incoming_ : held_outgoing_, exec, std::move(next));
    }
  }
  return packet.message;
}

template <class Exec>
void Transfers<Exec>::post(Packet packet) {
  requests_.push_back(MPI_REQUEST_NULL);
  packets_.push_back(std::move(packet));
  const Packet& p = packets_.back();
  char* const data = direct_ ? p.data : p.staged.data();
  if (p.way == Packet::Way::in) {
    check(MPI_Irecv(data, p.bytes, MPI_BYTE, p.rank, p.tag, communicator_.native(), &requests_.back()), "MPI_Irecv");
  } else {
    check(MPI_Isend(data, p.bytes, MPI_BYTE, p.rank, p.tag, communicator_.native(), &requests_.back()), "MPI_Isend");
    communicator_.has_sent(p.rank);
  }
}

template <class Exec>
void Transfers<Exec>::wait_in(std::deque<Waiting>& queue, const Exec& exec, Packet packet) {
  Waiting& waiting = queue.emplace_back();
  waiting.packet = std::move(packet);
  waiting.ready.record(exec);
}

/// In order: messages of one kind and slot must not overtake each other.
template <class Exec>
template <class Go>
bool Transfers<Exec>::release(std::deque<Waiting>& queue, const Go& go) {
  bool went = false;
  for (; !queue.empty() && queue.front().ready.done(); went = true) {
    Packet packet = std::move(queue.front().packet);
    queue.pop_front();
    go(std::move(packet));
  }
  return went;
}

template <class Exec>
bool Transfers<Exec>::progress() {
  const auto post_it = [this](Packet packet) { post(std::move(packet)); };
  bool went_on = release(held_incoming_, post_it);
  went_on |= release(held_outgoing_, post_it);
  if (!requests_.empty()) went_on |= complete(MPI_Testsome, "MPI_Testsome");
  went_on |= release(landing_, [this](Packet packet) { finish(std::move(packet)); });
  return went_on;
}

template <class Exec>
void Transfers<Exec>::wait_some() {
  if constexpr (kernels::is_host<Exec>) complete(MPI_Waitsome, "MPI_Waitsome");
}

/// Of the first `count` of completed_: those without an error.
template <class Exec>
void Transfers<Exec>::count_received(int code, int count) {
  for (int i = 0; i < count; ++i) {
    const MPI_Status& status = statuses_[static_cast<std::size_t>(i)];
    const auto request = static_cast<std::size_t>(completed_[static_cast<std::size_t>(i)]);
    if (!is_incoming(request) || (code != MPI_SUCCESS && status.MPI_ERROR != MPI_SUCCESS)) continue;
    communicator_.has_received(status.MPI_SOURCE);
    if (is_interruption(request)) communicator_.note_interruption();
  }
}

template <class Exec>
bool Transfers<Exec>::complete(SomeCall call, const char* name) {
  if (communicator_.is_interrupted()) throw Interrupted{};
  int count = 0;
  completed_.resize(requests_.size());
  statuses_.resize(requests_.size());
  const int code =
      call(static_cast<int>(requests_.size()), requests_.data(), &count, completed_.data(), statuses_.data());
  if (code == MPI_SUCCESS || code == MPI_ERR_IN_STATUS) count_received(code, count);
  check(code, name);
  if (count <= 0) return false;
  completed_.resize(static_cast<std::size_t>(count));
  if (communicator_.is_interrupted()) throw Interrupted{};
  for (const int request : completed_) {
    Packet packet = std::move(packets_[static_cast<std::size_t>(request)]);
    if (!direct_ && packet.way == Packet::Way::in) {
      land(std::move(packet));
    } else {
      finish(std::move(packet));
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == MPI_REQUEST_NULL) continue;
    requests_[kept] = requests_[i];
    if (kept != i) packets_[kept] = std::move(packets_[i]);
    ++kept;
  }
  requests_.resize(kept);
  packets_.erase(packets_.begin() + static_cast<std::ptrdiff_t>(kept), packets_.end());
  return true;
}

/// From where it was staged to where it belongs.
template <class Exec>
void Transfers<Exec>::land(Packet packet) {
  const Exec exec = *packet.exec;
  Kokkos::deep_copy(exec, in_place(packet), staged(packet));
  if constexpr (kernels::is_host<Exec>) {
    exec.fence();
    finish(std::move(packet));
  } else {
    wait_in(landing_, exec, std::move(packet));
  }
}

template <class Exec>
void Transfers<Exec>::finish(Packet packet) {
  if (!direct_) staging_.give_back(std::move(packet.staged));
  const auto entry = open_.find(packet.message);
  if (--entry->second == 0) open_.erase(entry);
}

#define TESSERA_INSTANTIATE_TRANSFERS(Exec) template class Transfers<Exec>;
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_TRANSFERS)

}  // namespace tessera::detail
