// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

// What profile::delay holds back, for mpi_profile.cpp. As PMPI_ while there is no delay.
namespace tessera::testing::profile::delayed {

/// Now and then waits.
void pause();

/// Persistent requests are never held back: MPI does not say whether one is active.
void exempt(MPI_Request request);
void forget(MPI_Request request);

int wait(MPI_Request* request, MPI_Status* status);
int waitall(int count, MPI_Request* requests, MPI_Status* statuses);
int waitany(int count, MPI_Request* requests, int* which, MPI_Status* status);
int waitsome(int count, MPI_Request* requests, int* completed, int* which, MPI_Status* statuses);
int test(MPI_Request* request, int* flag, MPI_Status* status);
int testall(int count, MPI_Request* requests, int* flag, MPI_Status* statuses);
int testany(int count, MPI_Request* requests, int* which, int* flag, MPI_Status* status);
int testsome(int count, MPI_Request* requests, int* completed, int* which, MPI_Status* statuses);

}  // namespace tessera::testing::profile::delayed
