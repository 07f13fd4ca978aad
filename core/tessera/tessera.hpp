#pragma once

// Tessera: dense Hermitian positive definite systems, sharded over MPI ranks as Kokkos::Views.

#include <tessera/cholesky_distributed.hpp>
#include <tessera/cholesky_factor.hpp>
#include <tessera/distribution.hpp>
#include <tessera/errors.hpp>
#include <tessera/gram.hpp>
#include <tessera/memory_plan.hpp>
#include <tessera/options.hpp>
#include <tessera/process_grid.hpp>
#include <tessera/redistribute.hpp>
#include <tessera/sharded_matrix.hpp>
