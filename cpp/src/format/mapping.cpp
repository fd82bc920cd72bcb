#include "format/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "potstill/error.h"

namespace potstill::format {
namespace {

constexpr std::align_val_t kAlignment{64};
constexpr int kPopulateRead = 22;  // MADV_POPULATE_READ, Linux 5.14; older kernels refuse it and fault as they did

[[noreturn]] void cannot_open(const std::string& path, const std::string& why) {
  throw Error("F001", "the model file cannot be read: " + why, path, "check the path and its permissions");
}

struct Descriptor {
  int value;
  explicit Descriptor(int fd) : value(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

}  // namespace

void ReleaseBytes::operator()(const std::byte* data) const noexcept {
  if (mapped > 0) {
    ::munmap(const_cast<std::byte*>(data), mapped);
  } else {
    ::operator delete(const_cast<std::byte*>(data), kAlignment);
  }
}

Mapping Mapping::open(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not block us
  if (file.value < 0) cannot_open(path, std::generic_category().message(errno));
  struct stat status{};
  if (::fstat(file.value, &status) != 0) cannot_open(path, std::generic_category().message(errno));
  if (!S_ISREG(status.st_mode)) cannot_open(path, "it is not a regular file");
  if (status.st_size < 0 || static_cast<uintmax_t>(status.st_size) > SIZE_MAX / 2) {
    cannot_open(path, "it is too large for this machine's address space");
  }
  Mapping mapping;
  mapping.size_ = static_cast<std::size_t>(status.st_size);
  if (mapping.size_ == 0) return mapping;  // the reader refuses it: too short
  void* data = ::mmap(nullptr, mapping.size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (data == MAP_FAILED) cannot_open(path, std::generic_category().message(errno));
  mapping.data_ = {static_cast<const std::byte*>(data), ReleaseBytes{mapping.size_}};
  ::madvise(data, mapping.size_, MADV_WILLNEED);  // only a hint: its failure changes nothing
  return mapping;
}

void Mapping::expect(std::span<const std::byte> part) const noexcept { advise(part, kPopulateRead, false); }

void Mapping::release(std::span<const std::byte> part) const noexcept { advise(part, MADV_DONTNEED, true); }

void Mapping::advise(std::span<const std::byte> part, int advice, bool whole_pages) const noexcept {
  if (data_.get_deleter().mapped == 0 || part.empty()) return;          // a copy: DONTNEED would zero it
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));  // 4 KiB; 16 KiB on a Pi 5
  const auto offset = static_cast<std::size_t>(part.data() - data_.get());
  const std::size_t begin = offset / page * page;
  const std::size_t end = whole_pages ? (offset + part.size()) / page * page : offset + part.size();
  if (begin < end) ::madvise(const_cast<std::byte*>(data_.get()) + begin, end - begin, advice);
}

Mapping Mapping::copy(std::span<const std::byte> bytes) {
  Mapping mapping;
  mapping.size_ = bytes.size();
  if (bytes.empty()) return mapping;
  auto* data = static_cast<std::byte*>(::operator new(bytes.size(), kAlignment));
  std::memcpy(data, bytes.data(), bytes.size());
  mapping.data_ = {data, ReleaseBytes{}};
  return mapping;
}

}  // namespace potstill::format
