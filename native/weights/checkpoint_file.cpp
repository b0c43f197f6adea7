#include "weights/checkpoint_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace sensorium {
namespace {

/// Linux reads at most about 2 GiB in one call.
constexpr size_t kMaxReadBytes = size_t{1} << 30;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::kInvalidCheckpoint, path + ": " + what);
}

}  // namespace

CheckpointFile CheckpointFile::open(const std::filesystem::path& path) {
  // Not blocking, so that a named pipe is refused below instead of waited for.
  CheckpointFile file(path.string(), ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), 0);
  if (file.descriptor_ < 0) fail(file.path_, std::strerror(errno));
  struct stat status = {};
  if (fstat(file.descriptor_, &status) != 0) fail(file.path_, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail(file.path_, "not a regular file");
  file.size_bytes_ = static_cast<size_t>(status.st_size);
#ifdef POSIX_FADV_SEQUENTIAL
  (void)posix_fadvise(file.descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);  // advice only
#endif
  return file;
}

CheckpointFile::~CheckpointFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

CheckpointFile::CheckpointFile(CheckpointFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

CheckpointFile& CheckpointFile::operator=(CheckpointFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

void CheckpointFile::read(size_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count = pread(descriptor_, out.data(), std::min(out.size(), kMaxReadBytes), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, std::strerror(errno));
    if (count == 0) fail(path_, "became shorter while it was read");
    out = out.subspan(static_cast<size_t>(count));
    offset += static_cast<size_t>(count);
  }
}

}  // namespace sensorium
