// Operands for the sweeps: an array flush with a page without access at its front or at its end, read-only once filled.
// Every operand of a call, scratch included, takes its turn at both ends, so a kernel that reads or writes one element
// too many on either side dies, and so does one that writes to an input.
#pragma once

#include "kernels/support.h"

namespace potstill::kernels::testing {

enum class Flush { Front, End };

constexpr Flush kBothEnds[] = {Flush::Front, Flush::End};

template <class T>
class Operand {
 public:
  Operand(Flush flush, std::size_t count, T value = T{}) : count_(count) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    inner_ = round_up(count * sizeof(T), page);
    bytes_ = inner_ + 2 * page;
    void* block = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<unsigned char*>(block);
    pages_ = base_ + page;
    protect(PROT_READ | PROT_WRITE);
    data_ = reinterpret_cast<T*>(flush == Flush::Front ? pages_ : pages_ + inner_ - count * sizeof(T));
    std::memset(pages_, kFill, inner_);
    for (std::size_t i = 0; i < count; ++i) data_[i] = value;
  }
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;
  ~Operand() {
    for (const unsigned char* p = pages_; p < pages_ + inner_; ++p) {
      const auto* inside = reinterpret_cast<const unsigned char*>(data_);
      if ((p < inside || p >= inside + count_ * sizeof(T)) && *p != kFill) {
        ADD_FAILURE() << "a kernel wrote beside an array";
        break;
      }
    }
    munmap(base_, bytes_);
  }

  void seal() { protect(PROT_READ); }

  T* data() const { return data_; }
  T& operator[](std::size_t i) const { return data_[i]; }
  std::size_t size() const { return count_; }
  T* begin() const { return data_; }
  T* end() const { return data_ + count_; }

 private:
  static constexpr unsigned char kFill = 0xa5;
  void protect(int access) {
    if (mprotect(pages_, inner_, access) != 0) throw std::bad_alloc();
  }
  std::size_t count_, inner_, bytes_;
  unsigned char* base_;
  unsigned char* pages_;
  T* data_;
};

template <class T>
void expect_same(const Operand<T>& expected, const Operand<T>& got, const std::string& what) {
  ASSERT_EQ(expected.size(), got.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if constexpr (std::is_same_v<T, float>) {
      ASSERT_EQ(bits(expected[i]), bits(got[i]))
          << what << ": element " << i << " is " << got[i] << ", not " << expected[i];
    } else {
      ASSERT_EQ(expected[i], got[i]) << what << ": element " << i;
    }
  }
}

}  // namespace potstill::kernels::testing
