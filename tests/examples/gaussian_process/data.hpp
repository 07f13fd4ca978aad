// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "gaussian_process.hpp"
#include "kernels.hpp"
#include "views.hpp"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace gp {

/// Observations, the same on every rank. `y` has mean 0 after `offset` was subtracted.
template <class Kernel>
struct Data {
  std::vector<Point<Kernel::dimensions>> x;
  std::vector<double> y;
  double offset = 0;

  std::int64_t n() const { return static_cast<std::int64_t>(y.size()); }
};

inline constexpr double co2_epoch = 1980;  // years count from here

/// Every `every`-th line of co2.csv.
inline Data<Co2Kernel> read_co2(const std::string& path, int every) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  Data<Co2Kernel> data;
  std::int64_t record = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    double year, ppm;
    if (std::sscanf(line.c_str(), "%lf,%lf", &year, &ppm) != 2) throw std::runtime_error(path + ": " + line);
    if (record++ % every != 0) continue;
    data.x.push_back({{year - co2_epoch}});
    data.y.push_back(ppm);
    data.offset += ppm;
  }
  if (data.y.empty()) throw std::runtime_error(path + " has no records");
  data.offset /= static_cast<double>(data.n());
  for (double& y : data.y) y -= data.offset;
  return data;
}

/// Number `index` of the normal distribution (splitmix64; Box and Muller), a function of the seed and the index.
inline double normal(std::uint64_t seed, std::uint64_t index) {
  const auto uniform = [&](std::uint64_t counter) {
    std::uint64_t x = (seed * 0xD1B54A32D192ED03ULL) + (counter + 1) * 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1.0p-53;
  };
  return std::sqrt(-2 * std::log(1 - uniform(2 * index))) * std::cos(2 * std::acos(-1.) * uniform(2 * index + 1));
}

inline std::vector<double> normal_numbers(std::uint64_t seed, std::int64_t count) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = normal(seed, i);
  return numbers;
}

/// The parameters of synthetic data: one of the dimensions matters little.
inline ArdKernel::Parameters synthetic_truth() {
  return {{std::log(2.), std::log(0.7), std::log(1.), std::log(2.), std::log(8.), std::log(0.02)}};
}

/// A sample of a process at random places.
inline Data<ArdKernel> synthetic(MPI_Comm comm, std::int64_t n, std::uint64_t seed) {
  Data<ArdKernel> data;
  data.x.resize(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < data.x.size(); ++i) {
    for (int k = 0; k < ArdKernel::dimensions; ++k) {
      data.x[i][k] = normal(seed, i * ArdKernel::dimensions + static_cast<std::size_t>(k));
    }
  }
  data.y = sample_prior<ArdKernel>(comm, synthetic_truth(), on_device(data.x), normal_numbers(seed + 1, n));
  return data;
}

}  // namespace gp
