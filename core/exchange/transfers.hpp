// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/communicator.hpp"
#include "core/exchange/staging.hpp"
#include "kernels/backend.hpp"
#include "tessera/detail/memory.hpp"
#include "tessera/process_grid.hpp"

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace tessera::detail {

/// What a message is about; messages of one kind and slot between two ranks arrive in the order in which they were
/// sent.
class Tag {
 public:
  enum Kind : int {
    interruption = Communicator::interruption,
    rows,
    gram,
    sums,
    factor_row,
    diagonal,
    sum,
    solution,
    blocks,
    kinds
  };

  Tag(Kind kind, int slot = 0) : value_(kind + slot * kinds) {}
  int value() const { return value_; }

 private:
  int value_;
};

/// Point-to-point messages in flight, between contiguous buffers in the memory of `Exec`. What is sent must stay as it
/// is until the message is done; what is received is there from then on, for all instances.
///
/// MPI is handed pointers to the memory of `Exec`, or host memory that messages are staged in, as the grid's MpiBuffers
/// and the environment say. Nothing here waits for a device, unless pinned memory is short: what a message has to
/// wait for there is looked at again whenever there is progress.
///
/// What looks for messages throws Interrupted where another rank has an exception. One object at a time is there for a
/// communicator; it and the buffers outlive the collectively() that works with them, which receives what is left then.
template <class Exec>
class Transfers final : private InFlight {
 public:
  using MemorySpace = typename Exec::memory_space;

  /// One message; a default one is done.
  using Message = std::int64_t;

  /// `memory` keeps what messages are staged in. Throws Misuse where TESSERA_MPI_BUFFERS is neither direct nor staged.
  Transfers(const ProcessGrid& grid, Memory<MemorySpace>& memory);
  ~Transfers();
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  /// Arrives after all that `exec` has to do by now.
  template <class T>
  Message receive(const Exec& exec, T* data, std::int64_t count, int source, Tag tag) {
    return begin(exec, {Packet::Way::in, reinterpret_cast<char*>(data), source, tag.value()}, bytes_of<T>(count));
  }
  /// Holds what `exec` has written by now, or is about to.
  template <class T>
  Message send(const Exec& exec, const T* data, std::int64_t count, int destination, Tag tag) {
    char* const bytes = const_cast<char*>(reinterpret_cast<const char*>(data));
    return begin(exec, {Packet::Way::out, bytes, destination, tag.value()}, bytes_of<T>(count));
  }

  bool done(Message message) const { return open_.count(message) == 0; }
  bool done(const std::vector<Message>& messages) const {
    return std::all_of(messages.begin(), messages.end(), [this](Message message) { return done(message); });
  }
  bool idle() const { return open_.empty(); }  ///< no message is on its way
  bool progress();                             ///< brings all messages as far as they go by now; whether any went on
  /// On the host, returns when at least one more packet of a message is done; on a device at once, as that may have
  /// come further meanwhile.
  void wait_some();
  void wait() {
    wait_until([this] { return idle(); });
  }                                                  ///< returns when all messages are done
  void wait(const std::vector<Message>& messages) {  ///< returns when these are
    wait_until([&] { return done(messages); });
  }

 private:
  using Buffer = typename StagingPool<MemorySpace>::Buffer;

  /// What MPI is handed at a time: its counts are ints, and what is staged is copied on one side while the packet
  /// before it is on its way. A packet goes from place to place, when what it waits for there has happened:
  ///
  /// - held_outgoing_: the device has written the numbers, or copied them to where they are staged. Then requests_.
  /// - held_incoming_: the device no longer reads what is there. Then requests_. What is staged skips this.
  /// - requests_: MPI has sent the packet, or filled it. Then landing_, if it came in staged; else it is done.
  /// - landing_: the device has copied it from where it was staged to its place. Then it is done.
  ///
  /// On the host kernels and copies have ended when they are asked for: a packet begins in requests_ and ends there.
  struct Packet {
    enum class Way { in, out } way = Way::in;
    char* data = nullptr;
    int rank = 0;
    int tag = 0;
    Message message = {};
    int bytes = 0;
    Buffer staged = {};
    std::optional<Exec> exec = std::nullopt;  ///< what copies it from there, if it comes in
  };
  /// A packet that waits for a device.
  struct Waiting {
    kernels::Event<Exec> ready = {};
    Packet packet = {};
  };

  template <class T>
  static std::int64_t bytes_of(std::int64_t count) {
    return count * static_cast<std::int64_t>(sizeof(T));
  }
  template <class Space>
  static auto bytes_at(char* data, const Packet& packet) {
    return Kokkos::View<char*, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(data,
                                                                               static_cast<std::size_t>(packet.bytes));
  }
  bool is_incoming(std::size_t request) const { return packets_[request].way == Packet::Way::in; }
  bool is_interruption(std::size_t request) const { return packets_[request].rank == MPI_ANY_SOURCE; }
  static auto in_place(const Packet& packet) { return bytes_at<MemorySpace>(packet.data, packet); }
  static auto staged(const Packet& packet) {
    return bytes_at<kernels::StagingSpaceOf<MemorySpace>>(packet.staged.data(), packet);
  }

  template <class Condition>
  void wait_until(const Condition& condition) {
    while (!condition()) {
      if constexpr (kernels::is_host<Exec>) {
        wait_some();
      } else {
        progress();
      }
    }
  }

  Message begin(const Exec& exec, Packet packet, std::int64_t bytes);
  void post(Packet packet);
  /// MPI_Testsome or MPI_Waitsome, on all requests.
  using SomeCall = int (*)(int, MPI_Request*, int*, int*, MPI_Status*);
  bool complete(SomeCall call, const char* name);
  void count_received(int code, int count);
  void land(Packet packet);
  void finish(Packet packet);
  void wait_in(std::deque<Waiting>& queue, const Exec& exec, Packet packet);
  template <class Go>
  bool release(std::deque<Waiting>& queue, const Go& go);
  void stop_receiving() override;
  void stop_receiving(std::size_t request);
  void finish_sending() override;

  const Communicator& communicator_;
  StagingPool<MemorySpace>& staging_;
  bool direct_;
  std::int64_t most_bytes_;  // of a packet, the same on every rank
  Message last_ = 0;
  std::map<Message, std::int64_t> open_;  // how many packets are missing
  std::deque<Waiting> held_outgoing_;     // in the order of their begin
  std::deque<Waiting> held_incoming_;
  std::vector<MPI_Request> requests_;
  std::vector<Packet> packets_;       // of each request
  std::vector<int> completed_;        // positions of requests, as MPI gives them
  std::vector<MPI_Status> statuses_;  // of these
  std::deque<Waiting> landing_;
};

}  // namespace tessera::detail
