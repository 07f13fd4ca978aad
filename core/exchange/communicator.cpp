#include "core/exchange/communicator.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>

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

void Communicator::sum_in_order(double* values, std::int64_t count, double* gathered) const {
  for (std::int64_t done = 0; done < count; done += numbers_in_order) {
    const int piece = static_cast<int>(std::min(numbers_in_order, count - done));
    check(MPI_Gather(values + done, piece, MPI_DOUBLE, gathered, piece, MPI_DOUBLE, 0, comm_), "MPI_Gather");
    if (rank_ != 0) continue;
    for (int i = 0; i < piece; ++i) {
      double sum = 0;
      for (int rank = 0; rank < size_; ++rank) sum += gathered[rank * piece + i];
      values[done + i] = sum;
    }
  }
  broadcast(values, count * std::int64_t{sizeof(double)}, 0);
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

}  // namespace tessera::detail
