// From bytes to a checked file: preamble, checksums, FlatBuffers verifier, tensors. What the graph means is checked by
// graph/ and ops/. The list of F codes is in README.md beside this file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/mapping.h"
#include "still_generated.h"

namespace potstill::format {

inline constexpr uint32_t kContainerVersion = 1;
inline constexpr uint32_t kSchemaVersion = 1;
inline constexpr std::size_t kAlignment = 64;

// Limits on what a header may ask for; far above any model this core is for.
inline constexpr uint64_t kMaxHeader = uint64_t{64} << 20;
inline constexpr uint32_t kMaxTensors = 16384;
inline constexpr uint32_t kMaxValues = 4096;
inline constexpr uint32_t kMaxOps = 2048;
inline constexpr uint32_t kMaxRank = 4;
inline constexpr uint32_t kMaxTokens = 8192;
inline constexpr uint32_t kMaxWidth = 131072;
inline constexpr uint32_t kMaxInner = 32768;  // K of a matrix: 2 * 128 * 127 * K stays inside int32

struct Tensor {
  std::string name;  // printable
  fb::DType dtype;
  fb::Layout layout;
  std::vector<uint32_t> shape;
  std::span<const std::byte> data;  // the whole zero-padded section, 64-byte aligned

  template <typename T>
  const T* as() const noexcept {
    return reinterpret_cast<const T*>(data.data());
  }
};

struct File {
  Mapping mapping;
  std::string where;                  // for messages: the path, or "memory"
  std::span<const std::byte> header;  // inside mapping, verified
  const fb::Model* model = nullptr;   // the same
  std::vector<Tensor> tensors;        // same order as model->tensors()
};

// Reads and checks. Time is linear in the file (one pass of checksums, one of content checks).
// Throws Error F002..F021, F044, F046, F048; never touches a byte outside `mapping`.
File read(Mapping mapping, std::string where);

}  // namespace potstill::format
