#pragma once

#include "tessera/errors.hpp"
#include "tessera/process_grid.hpp"

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

// All of Tessera's MPI: matrix data moves point-to-point, collectives carry small host values, every code is checked.
namespace tessera::detail {

/// What a message is about; messages of one kind and slot between two ranks arrive in the order in which they were
/// sent.
class Tag {
 public:
  enum Kind : int { rows, factor_row, diagonal, sum, solution, kinds };

  Tag(Kind kind, int slot = 0) : value_(kind + slot * kinds) {}
  int value() const { return value_; }

 private:
  int value_;
};

/// A communicator of the library's own. Errors are returned, and become MpiError.
class Communicator {
 public:
  /// Collective; `comm` is an intra-communicator.
  explicit Communicator(MPI_Comm comm);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  MPI_Comm native() const { return comm_; }

  /// The most bytes in one MPI message; longer ones are split. From TESSERA_MPI_LARGEST_MESSAGE, 1 GiB unless that is
  /// set; the same on every rank.
  std::int64_t largest_message() const { return largest_message_; }
  static constexpr std::int64_t most_message = std::int64_t{1} << 30;  ///< MPI counts are ints

  void all_reduce_min(std::int64_t* values, int count) const;
  std::vector<std::int64_t> all_gather(std::int64_t value) const;
  void broadcast(void* data, std::int64_t bytes, int root) const;
  /// The sums of `values` over the ranks, on `root`; elsewhere `values` is left as it is.
  void reduce_sum(std::vector<double>& values, int root) const;

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::int64_t largest_message_ = most_message;
};

/// Whether MPI is handed pointers to `MemorySpace` as they are; otherwise messages are staged through host memory.
/// Host memory: yes. Device memory: no, as an MPI that takes it can't be told for sure. TESSERA_MPI_BUFFERS=direct or
/// =staged overrides either.
bool mpi_takes_pointers(bool host_accessible);

/// Point-to-point messages in flight, between contiguous buffers in the memory of `Exec`. What is sent must stay as it
/// is until the message is done; what is received is there from then on.
template <class Exec>
class Transfers {
 public:
  using MemorySpace = typename Exec::memory_space;

  /// One message; a default one is done.
  using Message = std::int64_t;

  Transfers(const Communicator& communicator, const Exec& exec);
  ~Transfers();
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  template <class T>
  Message receive(T* data, std::int64_t count, int source, Tag tag) {
    return receive_bytes(reinterpret_cast<char*>(data), count * static_cast<std::int64_t>(sizeof(T)), source, tag);
  }
  /// The message holds what `exec` has written so far.
  template <class T>
  Message send(const T* data, std::int64_t count, int destination, Tag tag) {
    return send_bytes(reinterpret_cast<const char*>(data), count * static_cast<std::int64_t>(sizeof(T)), destination,
                      tag);
  }

  bool done(Message message) const { return open_.count(message) == 0; }
  bool done(const std::vector<Message>& messages) const {
    return std::all_of(messages.begin(), messages.end(), [this](Message message) { return done(message); });
  }
  bool idle() const { return requests_.empty(); }  ///< no message is on its way
  void progress();                                 ///< notes what is done by now
  void wait_some();                                ///< returns when at least one more part of a message is done
  void wait();                                     ///< returns when all messages are done

 private:
  static constexpr bool host_ = Kokkos::SpaceAccessibility<Kokkos::HostSpace, MemorySpace>::accessible;
  using HostBuffer = Kokkos::View<char*, Kokkos::HostSpace>;
  /// A message that is not yet done: how many parts are missing, and where it is staged.
  struct Open {
    int parts = 0;
    HostBuffer staged = {};
    char* device = nullptr;  ///< where what is received goes in the end
  };
  struct Part {
    Message message;
    bool receives;
  };

  Message receive_bytes(char* data, std::int64_t bytes, int source, Tag tag);
  Message send_bytes(const char* data, std::int64_t bytes, int destination, Tag tag);
  template <class Start>
  Message start(Open open, std::int64_t bytes, bool receives, const Start& start_part);
  /// MPI_Testsome or MPI_Waitsome, on all requests.
  using SomeCall = int (*)(int, MPI_Request*, int*, int*, MPI_Status*);
  void complete(SomeCall call, const char* name);
  void give_up() noexcept;

  const Communicator& communicator_;
  Exec exec_;
  bool direct_;
  Message last_ = 0;
  std::map<Message, Open> open_;
  std::vector<MPI_Request> requests_;
  std::vector<Part> parts_;     // of each request
  std::vector<int> completed_;  // positions of requests, as MPI gives them
};

}  // namespace tessera::detail
