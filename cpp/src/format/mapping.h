// The bytes of a `.still` file: mapped read-only, or copied from memory. Either way they start at a 64-byte boundary.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace potstill::format {

struct ReleaseBytes {
  std::size_t mapped = 0;  // bytes to unmap, 0: from aligned new
  void operator()(const std::byte* data) const noexcept;
};

class Mapping {
 public:
  // Maps the file. Pages are read when first touched (the checksums touch all of them). The file may be replaced or
  // deleted meanwhile, but cutting it short in place would end the process with SIGBUS, as with every mapping.
  // Throws Error F001 when it cannot be opened, is not a regular file or cannot be mapped.
  static Mapping open(const std::string& path);

  // Copies `bytes`. Throws std::bad_alloc.
  static Mapping copy(std::span<const std::byte> bytes);

  std::span<const std::byte> bytes() const noexcept { return {data_.get(), size_}; }

  // Hints about a part of bytes(); the contents stay what they are. `expect` brings in a mapped file's pages at once,
  // which costs 60 us a MiB where page faults cost 90. `release` takes whole pages out of this process's memory again;
  // the next read of one brings it back from the page cache.
  void expect(std::span<const std::byte> part) const noexcept;
  void release(std::span<const std::byte> part) const noexcept;

 private:
  void advise(std::span<const std::byte> part, int advice, bool whole_pages) const noexcept;

  std::unique_ptr<const std::byte, ReleaseBytes> data_;
  std::size_t size_ = 0;
};

}  // namespace potstill::format
