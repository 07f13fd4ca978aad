#include "perf/output_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace tessera::perf {

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
  // A device or a link is written to, not replaced.
  std::error_code ignored;
  const auto status = std::filesystem::symlink_status(path_, ignored);
  const bool replace = status.type() == std::filesystem::file_type::regular || !std::filesystem::exists(status);
  if (replace) temporary_ += ".tmp" + std::to_string(getpid());
  stream_.open(temporary_);
  if (!stream_) fail();
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (temporary_ != path_) std::filesystem::remove(temporary_, ignored);
}

void OutputFile::write(const std::string& text) {
  stream_ << text;
  stream_.close();
  if (!stream_) fail();
  if (temporary_ != path_) std::filesystem::rename(temporary_, path_);
}

void OutputFile::fail() const {
  throw std::runtime_error("cannot write " + path_.string() + ": " + std::strerror(errno));
}

}  // namespace tessera::perf
