// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/errors.hpp"
#include "tessera/process_grid.hpp"

#include <mpi.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace tessera::detail {

/// Throws MpiError unless `code`, which `call` returned, is MPI_SUCCESS.
void check(int code, const char* call);

/// Thrown on a rank that waits for a message while another rank has an exception, which settle() then throws here.
struct Interrupted {};

/// Messages that may be on their way when a call fails.
class InFlight {
 public:
  virtual void stop_receiving() = 0;  ///< what has not arrived will not
  virtual void finish_sending() = 0;  ///< returns when all that was sent is received

 protected:
  ~InFlight() = default;
};

/// A communicator of the library's own. Errors are returned, and become MpiError.
///
/// It counts its point-to-point messages, so that all can be received when a call fails, wherever each rank is by then:
/// the next call finds none of them.
class Communicator {
 public:
  /// Collective. A duplicate of `comm`, an intra-communicator, for agreements alone: it allocates nothing.
  explicit Communicator(MPI_Comm comm);
  /// What a communicator of `ranks` ranks needs beside MPI's, which take() brings.
  Communicator(int ranks, std::int64_t largest_message);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  void take(Communicator& other) noexcept;

  int rank() const { return rank_; }
  int size() const { return size_; }
  MPI_Comm native() const { return comm_; }

  /// The most bytes in one MPI message; longer ones are split. From TESSERA_MPI_LARGEST_MESSAGE, 1 GiB unless that is
  /// set; the same on every rank.
  std::int64_t largest_message() const { return largest_message_; }
  static constexpr std::int64_t most_message = std::int64_t{1} << 30;  ///< MPI counts are ints

  /// Whether each collective so far, and each receipt of what is left, has succeeded here. If not, messages may be
  /// left, and it is not kept: a next call on the caller's communicator begins with another one.
  bool is_sound() const { return is_sound_; }

  // Collectives, which one rank alone leaves out.

  void all_reduce_min(std::int64_t* values, int count) const;
  /// `values`: room for one of each rank.
  void all_gather(std::int64_t value, std::int64_t* values) const;
  /// `all`: room for `count` of each rank.
  void all_gather(const double* values, int count, double* all) const;
  void broadcast(void* data, std::int64_t bytes, int root) const;
  /// The sums of `values` over the ranks.
  void all_reduce_sum(std::vector<double>& values) const;
  /// The sums of `values` over the ranks, on `root`; elsewhere `values` is left as it is.
  void reduce_sum(std::vector<double>& values, int root) const;

  // Of Transfers, whose messages these are.

  void attach(InFlight* messages) const { messages_->in_flight = messages; }  ///< null: none any more
  void has_sent(int rank) const { ++messages_->sent[static_cast<std::size_t>(rank)]; }
  void has_received(int rank) const { ++messages_->received[static_cast<std::size_t>(rank)]; }
  static constexpr int interruption = 0;  ///< the tag of an empty message to a rank that waits
  void note_interruption() const { messages_->is_interrupted = true; }  ///< that message has come
  bool is_interrupted() const { return messages_->is_interrupted; }

  // Of settle().

  void interrupt_others() const noexcept;
  /// Collective. Afterwards no message is on its way.
  void receive_the_rest() const;

 private:
  struct Messages {
    std::vector<std::int64_t> sent;      // to each rank, ever
    std::vector<std::int64_t> received;  // from each rank
    std::vector<std::int64_t> coming;    // what each rank has sent to this one
    std::vector<MPI_Request> interruptions;
    bool is_interrupted = false;
    InFlight* in_flight = nullptr;
  };

  void check_sound(int code, const char* call) const;
  void discard_from(int source) const;

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::int64_t largest_message_ = most_message;
  std::unique_ptr<Messages> messages_;
  mutable bool is_sound_ = true;
};

}  // namespace tessera::detail
