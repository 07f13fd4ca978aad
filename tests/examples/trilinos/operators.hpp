// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/tessera.hpp>

#include <Tpetra_Map.hpp>
#include <Tpetra_MultiVector.hpp>
#include <Tpetra_Operator.hpp>

#include <cstddef>
#include <utility>

// A dense matrix in a Tpetra::MultiVector and its factor by Tessera, each as a Tpetra::Operator.
namespace trilinos_example {

using Map = Tpetra::Map<>;
using MultiVector = Tpetra::MultiVector<double>;
using Operator = Tpetra::Operator<double>;
using Exec = MultiVector::execution_space;

/// This rank's rows of a matrix, with their numbers, whatever its map: what Tessera takes as `a`.
inline auto rows_of(const MultiVector& a) {
  return tessera::RowIds{a.getLocalViewDevice(Tpetra::Access::ReadOnly), a.getMap()->getMyGlobalIndices()};
}
/// The same of right-hand sides: what it takes as `b`.
inline auto by_rows(const MultiVector& b) {
  return tessera::ByRows{b.getLocalViewDevice(Tpetra::Access::ReadOnly), b.getMap()->getMyGlobalIndices()};
}

/// Y = alpha A X + beta Y for a symmetric A, of which each rank has the rows of its map.
class Dense : public Operator {
 public:
  explicit Dense(const MultiVector& a) : a_(a) {}

  Teuchos::RCP<const Map> getDomainMap() const override { return a_.getMap(); }
  Teuchos::RCP<const Map> getRangeMap() const override { return a_.getMap(); }

  void apply(const MultiVector& x, MultiVector& y, Teuchos::ETransp, double alpha, double beta) const override {
    // A^T X, which is A X: each rank adds its rows' share of all of it.
    const auto everywhere = Teuchos::rcp(
        new Map(a_.getMap()->getGlobalNumElements(), 0, a_.getMap()->getComm(), Tpetra::LocallyReplicated));
    MultiVector all(everywhere, x.getNumVectors());
    all.multiply(Teuchos::TRANS, Teuchos::NO_TRANS, 1, a_, x, 0);
    MultiVector mine(a_.getMap(), x.getNumVectors());
    const auto from = all.getLocalViewHost(Tpetra::Access::ReadOnly);
    const auto ids = a_.getMap()->getMyGlobalIndices();
    {
      const auto to = mine.getLocalViewHost(Tpetra::Access::OverwriteAll);
      for (std::size_t c = 0; c < to.extent(1); ++c) {
        for (std::size_t k = 0; k < to.extent(0); ++k) to(k, c) = from(ids(k), c);
      }
    }
    y.update(alpha, mine, beta);
  }

 private:
  const MultiVector& a_;
};

/// Y = alpha (L L^T)^-1 X + beta Y, by a factor on the same ranks: a solver, or a preconditioner of a similar matrix.
class Factor : public Operator {
 public:
  using Cholesky = tessera::CholeskyFactor<double, Exec::memory_space>;

  /// Of A + shift I; throws tessera::NotPositiveDefinite.
  Factor(MPI_Comm comm, const MultiVector& a, double shift) : map_(a.getMap()), l_(factor(comm, a, shift)) {}

  Teuchos::RCP<const Map> getDomainMap() const override { return map_; }
  Teuchos::RCP<const Map> getRangeMap() const override { return map_; }

  void apply(const MultiVector& x, MultiVector& y, Teuchos::ETransp, double alpha, double beta) const override {
    MultiVector z(x, Teuchos::Copy);
    l_.solve(Exec(), tessera::ByRows{z.getLocalViewDevice(Tpetra::Access::ReadWrite), map_->getMyGlobalIndices()});
    y.update(alpha, z, beta);
  }

 private:
  static Cholesky factor(MPI_Comm comm, const MultiVector& a, double shift) {
    const Exec exec;
    tessera::ShardedMatrix<double, Exec::memory_space> tiles(tessera::ProcessGrid(comm),
                                                             static_cast<std::int64_t>(a.getNumVectors()));
    tessera::redistribute(exec, rows_of(a), tiles, shift);
    return tessera::factorize(exec, std::move(tiles));
  }

  Teuchos::RCP<const Map> map_;
  Cholesky l_;
};

}  // namespace trilinos_example
