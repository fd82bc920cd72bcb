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
constexpr std::size_t kHugePage = std::size_t{2} << 20;
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

Descriptor open_file(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not block us
}

// Bytes of an open regular file.
std::size_t size_of(const Descriptor& file, const std::string& path) {
  if (file.value < 0) cannot_open(path, std::generic_category().message(errno));
  struct stat status{};
  if (::fstat(file.value, &status) != 0) cannot_open(path, std::generic_category().message(errno));
  if (!S_ISREG(status.st_mode)) cannot_open(path, "it is not a regular file");
  if (status.st_size < 0 || static_cast<uintmax_t>(status.st_size) > SIZE_MAX / 2) {
    cannot_open(path, "it is too large for this machine's address space");
  }
  return static_cast<std::size_t>(status.st_size);
}

// How many bytes could be read, fewer than `size` only at the end of the file.
std::size_t read_up_to(const Descriptor& file, std::byte* to, std::size_t size, const std::string& path) {
  std::size_t got = 0;
  while (got < size) {
    const ssize_t count = ::read(file.value, to + got, size - got);
    if (count == 0) break;
    if (count < 0 && errno != EINTR) cannot_open(path, std::generic_category().message(errno));
    if (count > 0) got += static_cast<std::size_t>(count);
  }
  return got;
}

[[noreturn]] void no_memory(std::size_t size, const std::string& where) {
  throw Error("F061", "there is no memory for the " + std::to_string(size) + " bytes of the model", where,
              "free some memory, or load the file mapped");
}

// Fresh pages, huge ones as far as whole ones fit: a virtual machine took 0.2 ms to fill a MB of them, 0.6 ms of small
// ones.
std::byte* fresh_pages(std::size_t size, const std::string& where) {
  const std::size_t spare = size < kHugePage ? 0 : kHugePage;
  void* got = ::mmap(nullptr, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) no_memory(size, where);
  auto* begin = static_cast<std::byte*>(got);
  if (spare == 0) return begin;
  const std::size_t before = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) ::munmap(begin, before);
  begin += before;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ::munmap(begin + (size + page - 1) / page * page, spare - before);
  ::madvise(begin, size / kHugePage * kHugePage, MADV_HUGEPAGE);  // only a hint: its failure changes nothing
  return begin;
}

}  // namespace

void ReleaseBytes::operator()(const std::byte* data) const noexcept {
  if (mapped > 0) {
    ::munmap(const_cast<std::byte*>(data), mapped);
  } else {
    ::operator delete(const_cast<std::byte*>(data), kAlignment);
  }
}

Mapping Mapping::read(const std::string& path) {
  const Descriptor file = open_file(path);
  Mapping mapping;
  mapping.size_ = size_of(file, path);
  if (mapping.size_ == 0) return mapping;                    // the reader refuses it: too short
  ::posix_fadvise(file.value, 0, 0, POSIX_FADV_SEQUENTIAL);  // only a hint: its failure changes nothing
  std::byte* data = fresh_pages(mapping.size_, path);
  mapping.data_ = {data, ReleaseBytes{mapping.size_}};
  std::byte more{};
  const std::size_t got = read_up_to(file, data, mapping.size_, path);
  if (got < mapping.size_ || read_up_to(file, &more, 1, path) == 1) {
    throw Error("F060",
                "the file became " + std::string(got < mapping.size_ ? "shorter" : "longer") + " while it was read",
                path, "wait until it is written, and load it again");
  }
  ::mprotect(data, mapping.size_, PROT_READ);  // only a precaution: nothing writes there any more
  return mapping;
}

Mapping Mapping::map(const std::string& path) {
  const Descriptor file = open_file(path);
  Mapping mapping;
  mapping.size_ = size_of(file, path);
  if (mapping.size_ == 0) return mapping;  // the reader refuses it: too short
  void* data = ::mmap(nullptr, mapping.size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (data == MAP_FAILED) cannot_open(path, std::generic_category().message(errno));
  mapping.data_ = {static_cast<const std::byte*>(data), ReleaseBytes{mapping.size_}};
  mapping.of_file_ = true;
  ::madvise(data, mapping.size_, MADV_WILLNEED);  // only a hint: its failure changes nothing
  return mapping;
}

void Mapping::expect(std::span<const std::byte> part) const noexcept { advise(part, kPopulateRead, false); }

void Mapping::release(std::span<const std::byte> part) const noexcept { advise(part, MADV_DONTNEED, true); }

void Mapping::advise(std::span<const std::byte> part, int advice, bool whole_pages) const noexcept {
  if (!of_file_ || part.empty()) return;                                // a copy: DONTNEED would zero it
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
  auto* data = static_cast<std::byte*>(::operator new(bytes.size(), kAlignment, std::nothrow));
  if (data == nullptr) no_memory(bytes.size(), "memory");
  std::memcpy(data, bytes.data(), bytes.size());
  mapping.data_ = {data, ReleaseBytes{}};
  return mapping;
}

}  // namespace potstill::format
