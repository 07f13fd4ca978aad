#pragma once

#include "tessera/errors.hpp"
#include "tessera/process_grid.hpp"

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

// All of Tessera's MPI: matrix data moves point-to-point, collectives carry small host values, every code is checked.
namespace tessera::detail {

/// What a message is about; messages of one kind between two ranks arrive in the order in which they were sent.
enum class Tag : int { rows = 1, factor_row, diagonal, sum, solution };

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

/// Point-to-point messages in flight, between contiguous buffers in the memory of `Exec`.
/// wait() completes all of them. What was sent must stay as it is until then, what is received is there from then on.
template <class Exec>
class Transfers {
 public:
  using MemorySpace = typename Exec::memory_space;

  Transfers(const Communicator& communicator, const Exec& exec);
  ~Transfers();
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  template <class T>
  void receive(T* data, std::int64_t count, int source, Tag tag) {
    receive_bytes(reinterpret_cast<char*>(data), count * static_cast<std::int64_t>(sizeof(T)), source, tag);
  }
  /// The message holds what `exec` has written so far.
  template <class T>
  void send(const T* data, std::int64_t count, int destination, Tag tag) {
    send_bytes(reinterpret_cast<const char*>(data), count * static_cast<std::int64_t>(sizeof(T)), destination, tag);
  }
  void wait();

 private:
  using HostBuffer = Kokkos::View<char*, Kokkos::HostSpace>;
  struct Staged {
    HostBuffer host;
    char* device;
  };

  void receive_bytes(char* data, std::int64_t bytes, int source, Tag tag);
  void send_bytes(const char* data, std::int64_t bytes, int destination, Tag tag);
  void give_up() noexcept;

  const Communicator& communicator_;
  Exec exec_;
  bool direct_;
  std::vector<MPI_Request> receives_;
  std::vector<MPI_Request> sends_;
  std::vector<HostBuffer> sent_;
  std::vector<Staged> received_;
};

}  // namespace tessera::detail
