#include "perf/output_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace tessera::perf {
namespace {

namespace fs = std::filesystem;

/// What a link, and a link that this is one to, leads to; it need not exist.
fs::path follow(fs::path path) {
  std::error_code ignored;
  for (int links = 0; links < 40 && fs::is_symlink(path, ignored); ++links) {
    path = path.parent_path() / fs::read_symlink(path, ignored);
  }
  return path;
}

}  // namespace

OutputFile::OutputFile(fs::path path) : path_(std::move(path)), final_(follow(path_)), temporary_(final_) {
  std::error_code ignored;
  const auto status = fs::status(final_, ignored);
  const bool replace = fs::is_regular_file(status) || !fs::exists(status);  // a device is written to
  if (replace) temporary_ += ".tmp" + std::to_string(getpid());
  stream_.open(temporary_, std::ios::binary);
  if (!stream_) fail(errno);
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (temporary_ != final_) fs::remove(temporary_, ignored);
}

void OutputFile::write(const std::string& text) {
  stream_ << text;
  stream_.close();
  if (!stream_) fail(errno);
  std::error_code error;
  if (temporary_ != final_) fs::rename(temporary_, final_, error);
  if (error) fail(error.value());
}

void OutputFile::fail(int error) const {
  throw std::runtime_error("cannot write " + path_.string() + ": " + std::strerror(error));
}

}  // namespace tessera::perf
