// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/communicator.hpp"

#include "core/exchange/attribute.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace tessera::detail {

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
  throw MpiError(std::string(call) + " failed: " + std::string(text, static_cast<std::size_t>(length)), code);
}

namespace {

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
  using Kept = Attribute<std::shared_ptr<const Communicator>>;
  if (const auto* kept = Kept::of(comm); kept != nullptr && (*kept)->is_sound()) return *kept;
  int inter = 0;
  check(MPI_Comm_test_inter(comm, &inter), "MPI_Comm_test_inter");
  if (inter != 0) throw_misuse("comm", "is an inter-communicator");
  // First what no rank can fail alone in; with that, the ranks can tell each other about the rest.
  Communicator own(comm);
  std::shared_ptr<Communicator> shared;
  try {
    agree(own, "a communicator's first use", [&](Agreement& agreement) {
      const std::int64_t largest_message = largest_message_setting();
      agreement.same("TESSERA_MPI_LARGEST_MESSAGE", largest_message);
      shared = std::make_shared<Communicator>(own.size(), largest_message);
      Kept::set(comm, shared);
    });
  } catch (...) {
    Kept::remove(comm);  // on another rank it may not have been made
    throw;
  }
  shared->take(own);
  return shared;
}

Communicator::Communicator(MPI_Comm comm) {
  check(MPI_Comm_dup(comm, &comm_), "MPI_Comm_dup");
  try {
    check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  } catch (...) {
    MPI_Comm_free(&comm_);
    throw;
  }
}

Communicator::Communicator(int ranks, std::int64_t largest_message)
    : largest_message_(largest_message), messages_(std::make_unique<Messages>()) {
  const auto count = static_cast<std::size_t>(ranks);
  messages_->sent.resize(count);
  messages_->received.resize(count);
  messages_->coming.resize(count);
  messages_->interruptions.resize(count, MPI_REQUEST_NULL);
}

void Communicator::take(Communicator& other) noexcept {
  comm_ = std::exchange(other.comm_, MPI_COMM_NULL);
  rank_ = other.rank_;
  size_ = other.size_;
}

Communicator::~Communicator() {
  int finalised = 0;
  if (comm_ == MPI_COMM_NULL) return;
  if (MPI_Finalized(&finalised) == MPI_SUCCESS && finalised == 0) MPI_Comm_free(&comm_);
}

void Communicator::check_sound(int code, const char* call) const {
  if (code != MPI_SUCCESS) is_sound_ = false;
  check(code, call);
}

void Communicator::all_reduce_min(std::int64_t* values, int count) const {
  if (size_ == 1) return;
  check_sound(MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_INT64_T, MPI_MIN, comm_), "MPI_Allreduce");
}

void Communicator::all_gather(std::int64_t value, std::int64_t* values) const {
  if (size_ == 1) {
    *values = value;
    return;
  }
  check_sound(MPI_Allgather(&value, 1, MPI_INT64_T, values, 1, MPI_INT64_T, comm_), "MPI_Allgather");
}

void Communicator::all_gather(const double* values, int count, double* all) const {
  if (size_ == 1) {
    std::copy_n(values, count, all);
    return;
  }
  check_sound(MPI_Allgather(values, count, MPI_DOUBLE, all, count, MPI_DOUBLE, comm_), "MPI_Allgather");
}

void Communicator::broadcast(void* data, std::int64_t bytes, int root) const {
  if (size_ == 1) return;
  for (std::int64_t done = 0; done < bytes; done += largest_message_) {
    const int count = static_cast<int>(std::min(largest_message_, bytes - done));
    check_sound(MPI_Bcast(static_cast<char*>(data) + done, count, MPI_BYTE, root, comm_), "MPI_Bcast");
  }
}

namespace {
/// reduce(piece, count) for pieces of `values` that an int counts.
template <class Reduce>
void by_pieces(std::vector<double>& values, const Reduce& reduce) {
  constexpr std::int64_t most = std::int64_t{1} << 24;
  const auto size = static_cast<std::int64_t>(values.size());
  for (std::int64_t done = 0; done < size; done += most) {
    reduce(values.data() + done, static_cast<int>(std::min(most, size - done)));
  }
}
}  // namespace

void Communicator::all_reduce_sum(std::vector<double>& values) const {
  if (size_ == 1) return;
  by_pieces(values, [this](double* piece, int count) {
    check_sound(MPI_Allreduce(MPI_IN_PLACE, piece, count, MPI_DOUBLE, MPI_SUM, comm_), "MPI_Allreduce");
  });
}

void Communicator::reduce_sum(std::vector<double>& values, int root) const {
  if (size_ == 1) return;
  by_pieces(values, [this, root](double* piece, int count) {
    check_sound(MPI_Reduce(rank_ == root ? MPI_IN_PLACE : piece, piece, count, MPI_DOUBLE, MPI_SUM, root, comm_),
                "MPI_Reduce");
  });
}

void Communicator::interrupt_others() const noexcept {
  if (!messages_) return;
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_) continue;
    MPI_Request& request = messages_->interruptions[static_cast<std::size_t>(rank)];
    // Where MPI fails here too, that rank waits until MPI fails there.
    if (MPI_Isend(nullptr, 0, MPI_BYTE, rank, interruption, comm_, &request) == MPI_SUCCESS) has_sent(rank);
  }
}

void Communicator::receive_the_rest() const {
  if (!messages_ || size_ == 1) return;
  Messages& m = *messages_;
  if (m.in_flight != nullptr) m.in_flight->stop_receiving();
  check_sound(MPI_Alltoall(m.sent.data(), 1, MPI_INT64_T, m.coming.data(), 1, MPI_INT64_T, comm_), "MPI_Alltoall");
  for (int rank = 0; rank < size_; ++rank) {
    const auto r = static_cast<std::size_t>(rank);
    while (m.received[r] < m.coming[r]) discard_from(rank);
  }
  if (m.in_flight != nullptr) m.in_flight->finish_sending();
  check_sound(MPI_Waitall(size_, m.interruptions.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
  m.is_interrupted = false;
}

void Communicator::discard_from(int source) const {
  MPI_Status status;
  check_sound(MPI_Probe(source, MPI_ANY_TAG, comm_, &status), "MPI_Probe");
  int bytes = 0;
  check_sound(MPI_Get_count(&status, MPI_BYTE, &bytes), "MPI_Get_count");
  // Where there is no memory for it, MPI truncates it, which is as good.
  const std::unique_ptr<char, decltype(&std::free)> room(
      static_cast<char*>(std::malloc(static_cast<std::size_t>(bytes) + 1)), &std::free);
  const int code = MPI_Recv(room.get(), room ? bytes : 0, MPI_BYTE, source, status.MPI_TAG, comm_, MPI_STATUS_IGNORE);
  if (room) check_sound(code, "MPI_Recv");
  has_received(source);
}

}  // namespace tessera::detail
