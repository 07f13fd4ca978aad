#pragma once

#include "tessera/errors.hpp"
#include "tessera/process_grid.hpp"

#include <mpi.h>

#include <cstdint>
#include <vector>

namespace tessera::detail {

/// Throws MpiError unless `code`, which `call` returned, is MPI_SUCCESS.
void check(int code, const char* call);

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
  /// `values` become their sums over the ranks, added in the order of these: the same bits on every rank, each time.
  /// `gathered`: room for numbers_in_order numbers of each rank.
  void sum_in_order(double* values, std::int64_t count, double* gathered) const;
  static constexpr std::int64_t numbers_in_order = 4096;
  /// The sums of `values` over the ranks, on `root`; elsewhere `values` is left as it is.
  void reduce_sum(std::vector<double>& values, int root) const;

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::int64_t largest_message_ = most_message;
};

}  // namespace tessera::detail
