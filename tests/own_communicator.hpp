// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

namespace tessera::testing {

/// A duplicate of a communicator, which Tessera has not seen before, and which ends with the object.
class OwnCommunicator {
 public:
  explicit OwnCommunicator(MPI_Comm of = MPI_COMM_WORLD) { MPI_Comm_dup(of, &comm_); }
  ~OwnCommunicator() { MPI_Comm_free(&comm_); }
  OwnCommunicator(const OwnCommunicator&) = delete;
  OwnCommunicator& operator=(const OwnCommunicator&) = delete;

  operator MPI_Comm() const { return comm_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
};

}  // namespace tessera::testing
