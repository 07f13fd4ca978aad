// SPDX-License-Identifier: BSD-3-Clause
#include "perf/hdf5_file.hpp"

#include "perf/program.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace tessera::perf {
namespace {

/// What HDF5 said first, where it failed; what it says after that is who called whom.
std::string reason() {
  std::string text = "HDF5 gives no reason";
  const auto take_first = [](unsigned, const H5E_error2_t* error, void* to) -> herr_t {
    *static_cast<std::string*>(to) = error->desc;
    return 1;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &text);
  const std::string quoted = "error message = '";  // the system's, among much that is of use to HDF5's developers only
  const std::size_t begin = text.find(quoted);
  if (begin == std::string::npos) return text;
  const std::size_t end = text.find('\'', begin + quoted.size());
  return text.substr(begin + quoted.size(), end - begin - quoted.size());
}

void check(herr_t status, const std::string& failure) {
  if (status < 0) throw std::runtime_error(failure + ": " + reason());
}

void keep_quiet() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

std::string failure_to_read(const std::string& what) { return "cannot read " + what; }

Hdf5Handle open_to_read(const std::string& file) {
  keep_quiet();
  std::error_code missing;
  const auto status = std::filesystem::status(file, missing);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {  // a pipe would be waited for
    throw std::runtime_error(failure_to_read(file) + ": it is not a regular file");
  }
  return {H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, failure_to_read(file)};
}

std::string file_of(hid_t object) {
  std::string name(static_cast<std::size_t>(std::max<ssize_t>(H5Fget_name(object, nullptr, 0), 0)), '\0');
  H5Fget_name(object, name.data(), name.size() + 1);
  return name;
}

std::string bytes_each(const char* what, std::size_t bytes) {
  return std::string(what) + " of " + std::to_string(bytes) + " bytes";
}

/// float, double, or what it is instead.
std::string real_name(hid_t type) {
  const std::size_t bytes = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return bytes == 4 ? "float" : bytes == 8 ? "double" : bytes_each("floating-point numbers", bytes);
    case H5T_INTEGER:
      return bytes_each("integers", bytes);
    case H5T_STRING:
      return "strings";
    case H5T_COMPOUND:
      return "a compound other than {r, i} of float or double";
    default:
      return "a type that is no number";
  }
}

bool is_real(const std::string& name) { return name == "float" || name == "double"; }

/// The name of member `index` of a compound, and of its type.
std::pair<std::string, std::string> member(hid_t type, unsigned index) {
  char* name = H5Tget_member_name(type, index);
  std::pair<std::string, std::string> result(name == nullptr ? "" : name, "");
  H5free_memory(name);
  const Hdf5Handle member_type(H5Tget_member_type(type, index), H5Tclose, "a compound's member");
  result.second = real_name(member_type);
  return result;
}

/// A scalar as --scalar has it, or what is there instead.
std::string scalar_name_of(hid_t type) {
  if (H5Tget_class(type) == H5T_COMPOUND && H5Tget_nmembers(type) == 2) {
    const auto [r, real] = member(type, 0);
    const auto [i, imaginary] = member(type, 1);
    if (r == "r" && i == "i" && real == imaginary && is_real(real)) return "complex-" + real;
  }
  return real_name(type);
}

const std::string out_of_memory = "cannot put x into a file in memory";

void write_attribute(hid_t dataset, const std::string& name, const nlohmann::ordered_json& value) {
  const auto write = [&](hid_t type, hid_t space, const void* data) {
    const Hdf5Handle attribute(H5Acreate2(dataset, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                               out_of_memory);
    check(H5Awrite(attribute, type, data), out_of_memory);
  };
  const Hdf5Handle one(H5Screate(H5S_SCALAR), H5Sclose, out_of_memory);
  if (value.is_string()) {
    const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, out_of_memory);
    check(H5Tset_size(type, H5T_VARIABLE), out_of_memory);
    check(H5Tset_cset(type, H5T_CSET_UTF8), out_of_memory);
    const char* text = value.get_ref<const std::string&>().c_str();
    write(type, one, &text);
  } else if (value.is_array()) {
    const auto numbers = value.get<std::vector<std::int64_t>>();
    const hsize_t size = numbers.size();
    const Hdf5Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose, out_of_memory);
    write(H5T_NATIVE_INT64, space, numbers.data());
  } else if (value.is_number_float()) {
    const auto number = value.get<double>();
    write(H5T_NATIVE_DOUBLE, one, &number);
  } else {
    const auto number = value.get<std::int64_t>();
    write(H5T_NATIVE_INT64, one, &number);
  }
}

}  // namespace

Hdf5Handle::Hdf5Handle(hid_t id, Close close, const std::string& failure) : id_(id), close_(close) {
  if (id < 0) throw std::runtime_error(failure + ": " + reason());
}

Hdf5Handle::Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

Hdf5Handle::~Hdf5Handle() {
  if (id_ >= 0) close_(id_);
}

Hdf5Handle hdf5_number_type(bool complex, std::size_t bytes_of_real) {
  const std::string failure = "cannot describe a number";
  const hid_t real = bytes_of_real == 4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
  if (!complex) return {H5Tcopy(real), H5Tclose, failure};
  Hdf5Handle type(H5Tcreate(H5T_COMPOUND, 2 * bytes_of_real), H5Tclose, failure);
  check(H5Tinsert(type, "r", 0, real), failure);
  check(H5Tinsert(type, "i", bytes_of_real, real), failure);
  return type;
}

Dataset::Dataset(const DatasetName& name)
    : name_(name.text()),
      file_(open_to_read(name.file)),
      dataset_(H5Dopen2(file_, name.path.c_str(), H5P_DEFAULT), H5Dclose, failure_to_read(name_)),
      actual_file_(file_of(dataset_)) {
  const Hdf5Handle type(H5Dget_type(dataset_), H5Tclose, failure_to_read(name_));
  scalar_ = scalar_name_of(type);
  if (!is_real(scalar_) && scalar_.rfind("complex-", 0) != 0) {
    throw std::runtime_error(name_ + ": expected float, double or h5py's complex of these, got " + scalar_);
  }
  const Hdf5Handle space(H5Dget_space(dataset_), H5Sclose, failure_to_read(name_));
  dimensions_ = H5Sget_simple_extent_ndims(space);
  if (dimensions_ != 1 && dimensions_ != 2) {
    throw std::runtime_error(name_ + ": expected 1 or 2 dimensions, got " + std::to_string(dimensions_));
  }
  H5Sget_simple_extent_dims(space, extent_, nullptr);
  constexpr hsize_t most = std::numeric_limits<std::int64_t>::max();
  if (extent_[0] > most || extent_[1] > most || !is_addressable(rows(), columns(), H5Tget_size(type))) {
    throw std::runtime_error(name_ + ": more numbers than can be addressed, " + std::to_string(extent_[0]) + " x " +
                             std::to_string(extent_[1]));
  }
}

std::string Dataset::shape() const {
  return std::to_string(rows()) + (dimensions_ == 2 ? " x " + std::to_string(columns()) : "");
}

void Dataset::read(const Hdf5Handle& type, std::int64_t first_row, std::int64_t end_row, std::int64_t first_column,
                   std::int64_t end_column, void* to) const {
  const hsize_t first[2] = {static_cast<hsize_t>(first_row), static_cast<hsize_t>(first_column)};
  const hsize_t count[2] = {static_cast<hsize_t>(end_row - first_row), static_cast<hsize_t>(end_column - first_column)};
  const hsize_t first_in_memory[2] = {0, first[1]};
  const hsize_t room[2] = {count[0], extent_[1]};
  if (count[0] == 0 || count[1] == 0) return;

  const std::string failure = failure_to_read(name_);
  const Hdf5Handle from(H5Dget_space(dataset_), H5Sclose, failure);
  check(H5Sselect_hyperslab(from, H5S_SELECT_SET, first, nullptr, count, nullptr), failure);
  const Hdf5Handle memory(H5Screate_simple(dimensions_, room, nullptr), H5Sclose, failure);
  check(H5Sselect_hyperslab(memory, H5S_SELECT_SET, first_in_memory, nullptr, count, nullptr), failure);
  check(H5Dread(dataset_, type, memory, from, H5P_DEFAULT, to), failure);
}

std::string hdf5_image(const std::string& path, const Hdf5Handle& type, const std::vector<std::int64_t>& extents,
                       const void* numbers, const nlohmann::ordered_json& attributes) {
  keep_quiet();
  const std::string& failure = out_of_memory;
  const std::vector<hsize_t> shape(extents.begin(), extents.end());
  std::size_t bytes = H5Tget_size(type);
  for (const hsize_t extent : shape) bytes *= static_cast<std::size_t>(extent);

  const Hdf5Handle in_memory(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, failure);
  check(H5Pset_fapl_core(in_memory, std::max<std::size_t>(bytes, 1 << 16), false), failure);
  const char* nowhere = "/dev/null/x";  // HDF5 looks for a file of that name first
  const Hdf5Handle file(H5Fcreate(nowhere, H5F_ACC_TRUNC, H5P_DEFAULT, in_memory), H5Fclose, failure);
  {
    const Hdf5Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose, failure);
    const Hdf5Handle with_groups(H5Pcreate(H5P_LINK_CREATE), H5Pclose, failure);
    check(H5Pset_create_intermediate_group(with_groups, 1), failure);
    const Hdf5Handle dataset(H5Dcreate2(file, path.c_str(), type, space, with_groups, H5P_DEFAULT, H5P_DEFAULT),
                             H5Dclose, failure);
    check(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers), failure);
    for (const auto& [name, value] : attributes.items()) write_attribute(dataset, name, value);
  }
  check(H5Fflush(file, H5F_SCOPE_GLOBAL), failure);
  const ssize_t size = H5Fget_file_image(file, nullptr, 0);
  std::string image(static_cast<std::size_t>(std::max<ssize_t>(size, 0)), '\0');
  if (size <= 0 || H5Fget_file_image(file, image.data(), image.size()) != size) {
    throw std::runtime_error(failure + ": " + reason());
  }
  return image;
}

}  // namespace tessera::perf
