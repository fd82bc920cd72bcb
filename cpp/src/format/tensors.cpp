#include "format/tensors.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "format/fail.h"
#include "format/xxh64.h"

namespace potstill::format {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 48;

uint64_t element_bytes(fb::DType dtype) {
  switch (dtype) {
    case fb::DType::F32:
    case fb::DType::I32:
      return 4;
    case fb::DType::I8:
    case fb::DType::U8:
      return 1;
    default:
      return 0;  // I4: two values a byte
  }
}

uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

// The last block of every row holds k % 32 values (all 32 when that is 0); a panel's missing rows hold none.
bool int4_padding_is_zero(const Tensor& tensor) {
  const bool panels = tensor.layout == fb::Layout::PackI4N4K32;
  const std::size_t n = tensor.shape[0];
  const auto blocks = static_cast<std::size_t>((uint64_t{tensor.shape[1]} + 31) / 32);  // 32-bit: k + 31 may wrap
  const std::size_t used = tensor.shape[1] - (blocks - 1) * 32;
  const std::byte low{0x0f}, high{0xf0};
  for (std::size_t row = 0; row < n; ++row) {
    const std::size_t last =
        panels ? ((row / 4 * blocks + blocks - 1) * 4 + row % 4) * 16 : ((row + 1) * blocks - 1) * 16;
    for (std::size_t j = 0; j < 16; ++j) {
      const std::byte padding = (j < used ? std::byte{0} : low) | (16 + j < used ? std::byte{0} : high);
      if ((tensor.data[last + j] & padding) != std::byte{0}) return false;
    }
  }
  if (!panels || n % 4 == 0) return true;
  for (std::size_t block = 0; block < blocks; ++block) {
    if (!all_zero(tensor.data.subspan((n / 4 * blocks + block) * 64 + n % 4 * 16, (4 - n % 4) * 16))) return false;
  }
  return true;
}

// A nibble of -8 is 8 alone in its half of the byte.
bool holds_minus_8(std::span<const std::byte> data) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
  uint32_t found = 0;
  for (std::size_t i = 0; i < data.size(); ++i) found |= (bytes[i] & 0x0fu) == 0x08u || (bytes[i] & 0xf0u) == 0x80u;
  return found != 0;
}

// Padding inside the packed layouts, which the section checks do not see.
bool inner_padding_is_zero(const Tensor& tensor) {
  if (tensor.layout == fb::Layout::RowMajor) return true;
  const std::size_t n = tensor.shape[0], k = tensor.shape[1];
  if (tensor.layout == fb::Layout::PackF32N8) {
    const std::size_t used = n % 8;
    if (used == 0) return true;
    for (std::size_t row = 0; row < k; ++row) {
      const std::size_t at = ((n / 8 * k) + row) * 8;
      if (!all_zero(tensor.data.subspan((at + used) * 4, (8 - used) * 4))) return false;
    }
    return true;
  }
  if (tensor.dtype == fb::DType::I4) return int4_padding_is_zero(tensor);
  const std::size_t blocks = (k + 15) / 16, panels = (n + 3) / 4;
  if (k % 16 != 0) {  // the end of every row
    for (std::size_t panel = 0; panel < panels; ++panel) {
      for (std::size_t row = 0; row < 4; ++row) {
        const std::size_t at = (panel * blocks + blocks - 1) * 64 + row * 16;
        if (!all_zero(tensor.data.subspan(at + k % 16, 16 - k % 16))) return false;
      }
    }
  }
  if (n % 4 != 0) {  // the missing rows of the last panel
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t at = ((panels - 1) * blocks + block) * 64 + n % 4 * 16;
      if (!all_zero(tensor.data.subspan(at, (4 - n % 4) * 16))) return false;
    }
  }
  return true;
}

// An all-ones exponent is NaN or an infinity.
bool all_finite(std::span<const std::byte> data) {
  const auto* bits = reinterpret_cast<const uint32_t*>(data.data());
  uint32_t found = 0;
  for (std::size_t i = 0; i < data.size() / 4; ++i) found |= (bits[i] & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
  return found == 0;
}

// What every byte of a section is read for, slice by slice while a slice is in the cache.
struct Content {
  uint64_t hash = 0;
  bool minus_128 = false;   // in int8 weights
  bool minus_8 = false;     // in int4 values
  bool not_finite = false;  // in f32
};

constexpr std::size_t kSlice = std::size_t{256} << 10;

Content read_content(const Mapping& mapping, const Tensor& tensor) {
  // Of a table of rows (embeddings: two thirds of a small model) a run reads a few rows: its pages leave this process
  // once they are checked, and come back one by one. Nothing in such a table is an index or a size, so that the file
  // being changed in between could alter numbers but not break memory safety.
  const bool rows_only =
      tensor.layout == fb::Layout::RowMajor && tensor.shape.size() == 2 && tensor.dtype != fb::DType::I32;
  Content content;
  Xxh64 hash;
  for (std::span<const std::byte> rest = tensor.data;;) {
    const auto slice = rest.first(std::min(rest.size(), kSlice));
    rest = rest.subspan(slice.size());
    mapping.expect(slice);
    if (rest.empty()) {
      content.hash = hash.finish(slice.data(), slice.size());
    } else {
      hash.update(slice.data(), slice.size());
    }
    if (tensor.layout == fb::Layout::PackI8N4K16) {
      content.minus_128 = content.minus_128 || std::memchr(slice.data(), 0x80, slice.size()) != nullptr;
    }
    if (tensor.dtype == fb::DType::I4) content.minus_8 = content.minus_8 || holds_minus_8(slice);
    if (tensor.dtype == fb::DType::F32) content.not_finite = content.not_finite || !all_finite(slice);
    if (rows_only) mapping.release(slice);
    if (rest.empty()) return content;
  }
}

Tensor read_tensor(File& file, uint64_t& position, const fb::Tensor& entry) {
  const std::span<const std::byte> bytes = file.mapping.bytes();
  const auto fail = [&](const char* code, const std::string& what, const char* next_step = kCompileAgain) {
    format::fail(code, what, file.where + ": tensor '" + printable(entry.name()->string_view()) + "'", next_step);
  };
  if (entry.dtype() > fb::DType::U8 || entry.layout() > fb::Layout::RowMajorI4) {
    fail("F014", "unknown dtype or layout");
  }
  if (entry.shape()->size() == 0 || entry.shape()->size() > kMaxRank) {
    fail("F015", "a shape needs 1 to " + std::to_string(kMaxRank) + " dimensions");
  }
  Tensor tensor{entry.name()->string_view(), entry.dtype(), entry.layout(), {}, {}};
  tensor.shape = {entry.shape()->data(), entry.shape()->size()};
  const uint64_t needed = stored_bytes(tensor.dtype, tensor.layout, tensor.shape);
  if (needed == 0) fail("F016", "shape, dtype and layout do not go together");
  // A vector of 4-byte elements may count its padding to 16 entries as used: the bytes of the file are the same.
  const bool vector = tensor.shape.size() == 1 && element_bytes(tensor.dtype) == 4;
  if (entry.size() != needed && !(vector && entry.size() == round_up_64(needed))) {
    fail("F017", "size is " + std::to_string(entry.size()) + " bytes, its shape needs " + std::to_string(needed));
  }
  if (entry.offset() != position) {
    fail("F018", "it begins at byte " + std::to_string(entry.offset()) + ", not right after the one before it at " +
                     std::to_string(position));
  }
  const uint64_t padded = round_up_64(needed);
  if (padded > bytes.size() - position) fail("F019", "it ends after the end of the file", kCopyAgain);
  tensor.data = bytes.subspan(static_cast<std::size_t>(position), static_cast<std::size_t>(padded));
  position += padded;
  file.budget.step(2 * padded, file.where);
  const Content content = read_content(file.mapping, tensor);
  if (content.hash != entry.xxh64()) fail("F020", "its checksum is wrong, the file is damaged", kCopyAgain);
  if (!all_zero(tensor.data.subspan(static_cast<std::size_t>(needed))) || !inner_padding_is_zero(tensor)) {
    fail("F021", "its padding is not zero");
  }
  // -128 times -128 twice is over int16, which the fast kernels add in; scales are for [-127, 127] anyway.
  if (content.minus_128) fail("F044", "an int8 weight is -128, outside [-127, 127]");
  if (content.minus_8) fail("F044", "an int4 value is -8, outside [-7, 7]");
  if (content.not_finite) fail("F046", "it holds NaN or an infinity");
  return tensor;
}

}  // namespace

bool all_zero(std::span<const std::byte> bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

uint64_t stored_bytes(fb::DType dtype, fb::Layout layout, std::span<const uint32_t> shape) noexcept {
  const bool int4 = dtype == fb::DType::I4;
  uint64_t bytes = int4 ? 1 : element_bytes(dtype);
  if (bytes == 0 || shape.empty()) return 0;
  for (const uint32_t dim : shape) {
    if (dim == 0) return 0;
  }
  uint64_t dims[kMaxRank] = {};
  const std::size_t rank = shape.size();
  if (rank > kMaxRank) return 0;
  std::copy(shape.begin(), shape.end(), dims);
  if (layout == fb::Layout::PackF32N8) {
    if (rank != 2 || dtype != fb::DType::F32) return 0;
    dims[0] = round_up(dims[0], 8);
  } else if (layout == fb::Layout::PackI8N4K16) {
    if (rank != 2 || dtype != fb::DType::I8) return 0;
    dims[0] = round_up(dims[0], 4);
    dims[1] = round_up(dims[1], 16);
  } else if (layout == fb::Layout::PackI4N4K32 || layout == fb::Layout::RowMajorI4) {
    if (rank != 2 || !int4) return 0;
    if (layout == fb::Layout::PackI4N4K32) dims[0] = round_up(dims[0], 4);
    dims[1] = round_up(dims[1], 32) / 2;
  } else if (int4) {
    return 0;
  }
  for (std::size_t i = 0; i < rank; ++i) {
    if (__builtin_mul_overflow(bytes, dims[i], &bytes) || bytes > kMaxBytes) return 0;
  }
  return bytes;
}

void read_tensors(File& file, uint64_t begin) {
  file.tensors.reserve(file.model->tensors()->size());
  uint64_t position = begin;
  for (const fb::Tensor* entry : *file.model->tensors()) file.tensors.push_back(read_tensor(file, position, *entry));
  if (position != file.mapping.bytes().size()) {
    fail("F019", std::to_string(file.mapping.bytes().size() - position) + " bytes follow the last tensor", file.where);
  }
}

}  // namespace potstill::format
