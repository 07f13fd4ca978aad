// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/dataset_name.hpp"

#include <hdf5.h>
#include <Kokkos_Core.hpp>
#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

// HDF5, as far as tessera-solve needs it. What HDF5 has to say is in a std::runtime_error, and nowhere else.
namespace tessera::perf {

/// An identifier of HDF5's, closed at the end.
class Hdf5Handle {
 public:
  using Close = herr_t (*)(hid_t);

  /// Throws if `id` is none, with HDF5's reason behind `failure`.
  Hdf5Handle(hid_t id, Close close, const std::string& failure);
  Hdf5Handle(Hdf5Handle&& other) noexcept;
  Hdf5Handle& operator=(Hdf5Handle&&) = delete;
  ~Hdf5Handle();

  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// The type of real numbers, or of h5py's complex ones, in memory.
Hdf5Handle hdf5_number_type(bool complex, std::size_t bytes_of_real);

template <class T>
Hdf5Handle hdf5_type_of() {
  constexpr bool real = std::is_floating_point_v<T>;
  return hdf5_number_type(!real, real ? sizeof(T) : sizeof(T) / 2);
}

/// A dataset of one or two dimensions that is read.
///
/// Every rank opens the file for itself, not through MPI-IO: there opening and closing are collective, and a rank that
/// fails alone leaves the others waiting. Here each call is the rank's own, and its failure an exception like any
/// other.
class Dataset {
 public:
  explicit Dataset(const DatasetName& name);

  const std::string& name() const { return name_; }
  const std::string& file() const { return actual_file_; }  ///< where it is, at the end of all links
  int dimensions() const { return dimensions_; }
  std::int64_t rows() const { return static_cast<std::int64_t>(extent_[0]); }
  std::int64_t columns() const { return static_cast<std::int64_t>(extent_[1]); }  ///< 1, where it has one dimension
  std::string shape() const;
  const std::string& scalar() const { return scalar_; }  ///< as --scalar has it

  /// Rows and columns [first, end) into `to`, where each row has room for all columns.
  template <class T>
  void read(std::int64_t first_row, std::int64_t end_row, std::int64_t first_column, std::int64_t end_column,
            T* to) const {
    read(hdf5_type_of<T>(), first_row, end_row, first_column, end_column, to);
  }

 private:
  void read(const Hdf5Handle& type, std::int64_t first_row, std::int64_t end_row, std::int64_t first_column,
            std::int64_t end_column, void* to) const;

  std::string name_;
  Hdf5Handle file_;
  Hdf5Handle dataset_;
  std::string actual_file_;
  int dimensions_ = 0;
  hsize_t extent_[2] = {0, 1};
  std::string scalar_;
};

/// The bytes of a file with one dataset, whose attributes are numbers, strings and lists of whole numbers. It is put
/// together in memory: then writing it is a matter of bytes, which a full disk can't leave half done.
std::string hdf5_image(const std::string& path, const Hdf5Handle& type, const std::vector<std::int64_t>& extents,
                       const void* numbers, const nlohmann::ordered_json& attributes);

}  // namespace tessera::perf
