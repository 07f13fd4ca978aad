// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "calls.hpp"
#include "mpi_profile.hpp"

#include <string>

// A call that works on messages, and fails on one rank alone.
namespace tessera::testing {

/// Makes `call` on all ranks, while call number `skip` of `name`, counted from 0, fails on rank `culprit`: there
/// tessera::MpiError, its message on the others, and nothing left open. Whether there was such a call. Collective.
template <class Call>
bool ends_everywhere(MPI_Comm comm, int culprit, const std::string& name, int skip, const Call& call) {
  SCOPED_TRACE(name + " number " + std::to_string(skip) + " on rank " + std::to_string(culprit));
  const bool is_culprit = rank_in(comm) == culprit;
  const profile::Open before = profile::open();
  if (is_culprit) profile::fail(name, skip);
  const Thrown thrown = thrown_by(call);
  int made = profile::has_failed() ? 1 : 0;
  MPI_Bcast(&made, 1, MPI_INT, culprit, comm);
  const Kind expected = made == 0 ? Kind::nothing : is_culprit ? Kind::mpi_error : Kind::runtime_error;
  EXPECT_EQ(thrown.kind, expected) << thrown;
  EXPECT_TRUE(made == 0 || thrown.message.starts_with(name)) << thrown;
  EXPECT_EQ(profile::open(), before);
  return made != 0;
}

}  // namespace tessera::testing
