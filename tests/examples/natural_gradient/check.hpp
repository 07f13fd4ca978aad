// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "embedded.hpp"
#include "ising.hpp"
#include "step.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

// Whether a step of NetKet's and one of ours are the same: A, b and the update, from the same samples.
namespace ng {

/// NetKet's numbers, and how far ours are from them.
class Check {
 public:
  explicit Check(MPI_Comm comm) : comm_(comm) {}

  void compare(const std::string& what, double difference) {
    const double most = max_over_ranks(comm_, difference);
    const bool same = most <= 1e-10;
    passed_ = passed_ && same;
    if (rank_of(comm_) == 0) std::printf("%-32s %.1e  %s\n", what.c_str(), most, same ? "ok" : "DIFFERS");
  }
  bool passed() const { return passed_; }

 private:
  MPI_Comm comm_;
  bool passed_ = true;
};

template <class T>
std::vector<T> numbers(const nlohmann::json& json) {
  const auto flat = json.get<std::vector<double>>();
  if constexpr (is_complex<T>) {
    std::vector<T> values;
    for (std::size_t i = 0; i < flat.size(); i += 2) values.emplace_back(flat[i], flat[i + 1]);
    return values;
  } else {
    return flat;
  }
}

template <class T>
struct Diagonal {
  double value;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return T(i == j ? value : 0.); }
};

/// max |gram + shift I - A| / max |A| on this rank's tiles; a(i, j) is NetKet's A where i >= j.
template <class T, class A>
double distance(MPI_Comm comm, const tessera::Gram<Matrix<T>>& gram, std::int64_t n, double shift, const A& a) {
  const Exec exec;
  const tessera::ProcessGrid grid(comm);
  tessera::ShardedMatrix<T> matrix(grid, n, /*tile_size=*/5);
  matrix.fill(exec, Diagonal<T>{shift});
  tessera::add_gram(exec, gram, matrix);

  double most = 0, scale = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) scale = std::max(scale, norm(a(i, j)));
  const std::int64_t tile = matrix.tile_size();
  for (std::int64_t row = 0; row < n; row += tile) {
    for (std::int64_t column = 0; column <= row; column += tile) {
      const tessera::GlobalTile i{row / tile}, j{column / tile};
      if (!matrix.has_tile(i, j)) continue;
      const auto there = matrix.tile(i, j);
      const Matrix<T> here("tile", there.extent(0), there.extent(1));
      Kokkos::deep_copy(here, there);
      const auto host = on_host(here);
      for (std::int64_t r = 0; r < std::int64_t(host.extent(0)); ++r)
        for (std::int64_t c = 0; c < std::int64_t(host.extent(1)) && column + c <= row + r; ++c)
          most = worse(most, norm(host(r, c) - a(row + r, column + c)));
    }
  }
  return most <= scale ? std::sqrt(most / scale) : std::numeric_limits<double>::infinity();
}

/// One set of parameters, real or complex.
template <class T>
void check_case(MPI_Comm comm, const nlohmann::json& system, const nlohmann::json& saved, Check& check) {
  const Ising ising{system["sites"], system["coupling"], system["field"]};
  const double shift = system["shift"];
  Rbm<T> rbm(ising.sites, system["hidden"]);
  std::tie(rbm.c, rbm.w, rbm.a) = shaped(on_device(numbers<T>(saved["parameters"])), rbm);

  const auto configurations = saved["samples"].get<std::vector<std::vector<double>>>();
  const auto count = static_cast<std::int64_t>(configurations.size());
  const Share mine = share_of(comm, count);
  const Matrix<double> spins("samples", mine.count, ising.sites);
  const auto host = Kokkos::create_mirror_view(spins);
  for (std::int64_t s = 0; s < mine.count; ++s)
    for (int i = 0; i < ising.sites; ++i)
      host(s, i) = configurations[static_cast<std::size_t>(mine.first + s)][static_cast<std::size_t>(i)];
  Kokkos::deep_copy(spins, host);

  const std::string scalar = is_complex<T> ? "complex" : "real";
  const std::vector<T> energies = gather(comm, local_energies(ising, rbm, spins));
  check.compare(scalar + ", local energies",
                difference(on_device(numbers<T>(saved["local_energies"])), on_device(energies)));
  const Vector<T> e = residual(energies);
  const Rows<T> rows{comm, jacobian(rbm, spins), mine.first, count};
  const Vector<T> gradient = rows.adjoint_times(e);
  const std::int64_t parameters = rbm.size();

  const tessera::CholeskyDistributed solver{.comm = comm, .options = {.diag_shift = shift}};
  const auto update_is = [&](const std::string& what, const Update<T>& update, const nlohmann::json& netket) {
    check.compare(what, difference(on_device(numbers<T>(netket["update"])), flat<T>(update.x)));
  };
  const typename Rbm<T>::Parameters none = Rbm<T>(rbm.sites(), rbm.hidden()).parameters();

  for (const bool ntk : {true, false}) {
    const nlohmann::json& netket = saved[ntk ? "ntk" : "qgt"];
    const std::string form = scalar + (ntk ? ", NTK, " : ", QGT, ");
    const auto gram = rows.gram(ntk ? tessera::GramForm::j_jh : tessera::GramForm::jh_j);
    const Vector<T> b = ntk ? e : gradient;
    const std::int64_t n = ntk ? count : parameters;
    const std::vector<double> a = numbers<double>(netket["A"]);  // real, even for complex parameters
    const auto a_at = [&](std::int64_t i, std::int64_t j) { return a[static_cast<std::size_t>(i * (i + 1) / 2 + j)]; };
    const Vector<double> netkets_b = on_device(numbers<double>(netket["b"]));
    if constexpr (is_complex<T>) {
      // Where the parts of (i, j) are in the embedding. Below its diagonal all of them are, but for Im A(i, i) = 0.
      const auto at = [&](std::int64_t k, int part) { return ntk ? Interleaved()(k, part) : Halves{n}(k, part); };
      const auto hermitian = [&](std::int64_t i, std::int64_t j) {
        return Complex(a_at(at(i, 0), at(j, 0)), i == j ? 0. : a_at(at(i, 1), at(j, 0)));
      };
      check.compare(form + "A", distance(comm, gram, n, shift, hermitian));
      check.compare(form + "A embedded", distance(comm, embed(comm, gram), 2 * n, shift, a_at));
      check.compare(form + "b", difference(netkets_b, ntk ? embed(b, Interleaved()) : embed(b, Halves{n})));
      const Embedded embedded{solver};
      update_is(form + "update embedded",
                ntk ? ntk_update<T>(embedded, rbm, rows, e) : qgt_update<T>(embedded, rbm, rows, e, none), netket);
    } else {
      check.compare(form + "A", distance(comm, gram, n, shift, a_at));
      check.compare(form + "b", difference(netkets_b, b));
    }
    update_is(form + "update", ntk ? ntk_update<T>(solver, rbm, rows, e) : qgt_update<T>(solver, rbm, rows, e, none),
              netket);
  }
}

/// Whether all of `path` agrees to 1e-10.
inline bool check_against_netket(MPI_Comm comm, const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  const nlohmann::json system = nlohmann::json::parse(file);
  Check check(comm);
  for (const auto& saved : system["cases"]) {
    if (saved["scalar"] == "complex") {
      check_case<Complex>(comm, system, saved, check);
    } else {
      check_case<double>(comm, system, saved, check);
    }
  }
  return check.passed();
}

}  // namespace ng
