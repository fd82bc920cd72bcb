// From bytes to a checked file: preamble, checksums, FlatBuffers verifier, tensors. What the graph means is checked by
// graph/ and ops/. The list of F codes is in README.md beside this file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/budget.h"
#include "format/mapping.h"
#include "still_generated.h"

namespace potstill::format {

inline constexpr uint32_t kContainerVersion = 1;
inline constexpr uint32_t kSchemaVersion = 1;
inline constexpr std::size_t kAlignment = 64;

// Limits on what a header may ask for; far above any model this core is for.
inline constexpr uint64_t kMaxHeader = uint64_t{64} << 20;
inline constexpr uint32_t kMaxTensors = 16384;
inline constexpr uint32_t kMaxOps = 2048;
inline constexpr uint32_t kMaxValues = kMaxOps;  // every value is some op's output
inline constexpr uint32_t kMaxInputs = 8;        // of an op
inline constexpr uint32_t kMaxHeads = 16;
inline constexpr uint32_t kMaxProvenance = 1024;
inline constexpr uint32_t kMaxSteps = 32;          // normalizers, pre-tokenizers, parts of a template
inline constexpr uint32_t kMaxAddedTokens = 1024;  // those of one first byte are looked for at a place
inline constexpr uint32_t kMaxName = 1024;         // bytes; of tensors, values, ops and heads
inline constexpr uint32_t kMaxText = 65536;        // bytes; all other texts
inline constexpr uint32_t kMaxRank = 4;
inline constexpr uint32_t kMaxTokens = 8192;
inline constexpr uint32_t kMaxWidth = 131072;
inline constexpr uint32_t kMaxInner = 32768;  // K of a matrix: 2 * 128 * 127 * K stays inside int32

struct Tensor {
  std::string_view name;  // as the file says
  fb::DType dtype;
  fb::Layout layout;
  std::span<const uint32_t> shape;  // 1 to kMaxRank dimensions
  std::span<const std::byte> data;  // the whole zero-padded section, 64-byte aligned

  template <typename T>
  const T* as() const noexcept {
    return reinterpret_cast<const T*>(data.data());
  }
};

struct File {
  Mapping mapping;
  std::string where;  // for messages: the path, or "memory"
  // Verified. Of a mapped file a private copy: nothing read through it changes when the file does.
  std::span<const std::byte> header;
  const fb::Model* model = nullptr;  // the same
  std::vector<Tensor> tensors;       // same order as model->tensors()
  Budget budget;                     // what loading has cost so far
  std::unique_ptr<std::byte[]> own;  // the copy, or null
};

// Reads and checks. Time and memory are linear in the file, see Budget.
// Throws Error F002..F021, F044, F046, F048, F065, F066; never touches a byte outside `mapping`.
File read(Mapping mapping, std::string where);

}  // namespace potstill::format
