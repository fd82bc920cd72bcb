// Random inputs, page-guarded arrays and bit comparison for the kernel tests.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "kernels/select.h"

namespace potstill::kernels::testing {

// An array that ends where a page without access begins and starts behind one: a kernel that reads or writes past
// the end dies; bytes between the front page and the first element are checked on destruction.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t count, T value = T{}) : count_(count) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = round_up(count * sizeof(T) + 1, page);
    bytes_ = inner + 2 * page;
    void* block = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<unsigned char*>(block);
    front_ = base_ + page;
    data_ = reinterpret_cast<T*>(front_ + inner - count * sizeof(T));
    std::memset(front_, kFill, inner);
    for (std::size_t i = 0; i < count; ++i) data_[i] = value;
    if (mprotect(base_, page, PROT_NONE) != 0 || mprotect(front_ + inner, page, PROT_NONE) != 0) throw std::bad_alloc();
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    for (const unsigned char* p = front_; p < reinterpret_cast<unsigned char*>(data_); ++p) {
      if (*p != kFill) {
        ADD_FAILURE() << "a kernel wrote in front of an array";
        break;
      }
    }
    munmap(base_, bytes_);
  }

  T* data() { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  std::size_t size() const { return count_; }
  T* begin() { return data_; }
  T* end() { return data_ + count_; }

 private:
  static constexpr unsigned char kFill = 0xa5;
  std::size_t count_, bytes_;
  unsigned char* base_;
  unsigned char* front_;
  T* data_;
};

// splitmix64.  Floats are made by exact operations only, so every machine draws the same ones.
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  std::size_t from(std::size_t low, std::size_t high) { return low + below(high - low + 1); }  // both ends included
  bool one_in(std::size_t n) { return below(n) == 0; }

  // Uniform in [-2^exponent, 2^exponent).
  float uniform(int exponent = 0) {
    return std::ldexp(static_cast<float>(static_cast<int32_t>(next() >> 40) - (1 << 23)), exponent - 23);
  }
  int8_t weight() {
    return one_in(8) ? (one_in(2) ? int8_t{127} : int8_t{-127}) : static_cast<int8_t>(from(0, 254) - 127);
  }
  int8_t activation() {
    return one_in(8) ? (one_in(2) ? int8_t{127} : int8_t{-128})
                     : static_cast<int8_t>(static_cast<int>(below(256)) - 128);
  }
  // Zeros of both signs, denormals, huge values.
  float odd() {
    static const float values[] = {0.0f,   -0.0f,  1e-40f, -1e-42f, 1.2e-38f, 3e38f,
                                   -3e38f, 1e-20f, -1.0f,  88.0f,   -104.0f};
    return values[below(sizeof values / sizeof values[0])];
  }
  float wild() {
    static const float values[] = {INFINITY, -INFINITY, NAN};
    return one_in(3) ? odd() : values[below(3)];
  }

 private:
  uint64_t state_;
};

// Bits of a float; every NaN counts as the same one (its sign and payload are the machine's own).
inline uint32_t bits(float x) { return std::isnan(x) ? 0x7fc00000u : std::bit_cast<uint32_t>(x); }

template <class T>
void expect_same(Guarded<T>& expected, Guarded<T>& got, const std::string& what) {
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

constexpr Activation kActivations[] = {Activation::None, Activation::Gelu, Activation::GeluPoly,
                                       Activation::Relu, Activation::Tanh, Activation::GeluTanh};

// One test instance for each set this machine runs.
class EachSet : public ::testing::TestWithParam<std::string> {
 protected:
  const KernelTable& set() const { return select(GetParam()); }
  const KernelTable& reference() const { return select("reference"); }
};

// The sets that are not the reference.
inline std::vector<std::string> other_sets() {
  std::vector<std::string> sets;
  for (const auto& name : available()) {
    if (name != "reference") sets.emplace_back(name);
  }
  return sets;
}

inline std::string set_name(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

}  // namespace potstill::kernels::testing

// Long sweeps that compare with the reference would only compare it with itself.
#define POTSTILL_FOR_EACH_OTHER_SET(suite)                                                           \
  INSTANTIATE_TEST_SUITE_P(, suite, ::testing::ValuesIn(::potstill::kernels::testing::other_sets()), \
                           ::potstill::kernels::testing::set_name);                                  \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(suite)

#define POTSTILL_FOR_EACH_SET(suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(, suite, ::testing::ValuesIn(::potstill::kernels::available()), \
                           ::potstill::kernels::testing::set_name)
