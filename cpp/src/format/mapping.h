// The bytes of a `.still` file: a private copy, or the file itself mapped read-only. Either way they start at a 64-byte
// boundary.
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
  // Reads the file once into private memory: what happens to the file afterwards changes nothing here.
  // Throws Error F001 when it cannot be opened, is not a regular file or cannot be read, F060 when it became shorter or
  // longer while it was read, F061 when there is no memory for it.
  static Mapping read(const std::string& path);

  // Maps the file. Pages are read when first touched (the checksums touch all of them), and shared by all processes
  // that map it. For files that nobody changes in place: cutting one short ends the process with SIGBUS, overwriting it
  // changes what was checked. Throws Error F001 when it cannot be opened, is not a regular file or cannot be mapped.
  static Mapping map(const std::string& path);

  // Copies `bytes`. Throws Error F061.
  static Mapping copy(std::span<const std::byte> bytes);

  std::span<const std::byte> bytes() const noexcept { return {data_.get(), size_}; }

  // Whether bytes() are pages of a file, which change when it does.
  bool of_file() const noexcept { return of_file_; }

  // Hints about a part of bytes(); the contents stay what they are, and a copy stays where it is. `expect` brings in a
  // mapped file's pages at once, which costs 60 us a MiB where page faults cost 90. `release` takes whole pages out of
  // this process's memory again; the next read of one brings it back from the page cache.
  void expect(std::span<const std::byte> part) const noexcept;
  void release(std::span<const std::byte> part) const noexcept;

 private:
  void advise(std::span<const std::byte> part, int advice, bool whole_pages) const noexcept;

  std::unique_ptr<const std::byte, ReleaseBytes> data_;
  std::size_t size_ = 0;
  bool of_file_ = false;  // pages of the file itself
};

}  // namespace potstill::format
