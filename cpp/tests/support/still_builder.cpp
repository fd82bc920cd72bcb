#include "support/still_builder.h"

#include <cstring>
#include <utility>

#include "format/xxh64.h"
#include "potstill/model.hpp"

namespace potstill::testing {
namespace {

std::size_t padded(std::size_t size) { return (size + 63) / 64 * 64; }

Bytes padded(Bytes data) {
  data.resize(padded(data.size()));
  return data;
}

template <typename T>
Bytes raw(const std::vector<T>& data) {
  Bytes out(data.size() * sizeof(T));
  if (!data.empty()) std::memcpy(out.data(), data.data(), out.size());
  return out;
}

template <typename T>
void put(Bytes& file, std::size_t at, T value) {
  std::memcpy(file.data() + at, &value, sizeof value);
}

Bytes pack(const fb::ModelT& model) {
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishModelBuffer(builder, fb::Model::Pack(builder, &model));
  const auto* data = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return Bytes(data, data + builder.GetSize());
}

}  // namespace

StillBuilder::StillBuilder() {
  model.schema_version = 1;
  model.card = std::make_unique<fb::CardT>();
  model.card->scheme = "fp32";
}

int StillBuilder::add(std::string name, fb::DType dtype, fb::Layout layout, std::vector<uint32_t> shape, Bytes data) {
  auto tensor = std::make_unique<fb::TensorT>();
  tensor->name = std::move(name);
  tensor->dtype = dtype;
  tensor->layout = layout;
  tensor->shape = std::move(shape);
  tensor->size = data.size();
  model.tensors.push_back(std::move(tensor));
  sections.push_back(std::move(data));
  return static_cast<int>(sections.size()) - 1;
}

int StillBuilder::f32(std::string name, std::vector<uint32_t> shape, const std::vector<float>& data) {
  return add(std::move(name), fb::DType::F32, fb::Layout::RowMajor, std::move(shape), raw(data));
}

int StillBuilder::i32(std::string name, std::vector<uint32_t> shape, const std::vector<int32_t>& data) {
  return add(std::move(name), fb::DType::I32, fb::Layout::RowMajor, std::move(shape), raw(data));
}

int StillBuilder::text(std::string name, const std::string& data) {
  return add(std::move(name), fb::DType::U8, fb::Layout::RowMajor, {static_cast<uint32_t>(data.size())},
             raw(std::vector<char>(data.begin(), data.end())));
}

int StillBuilder::packed_f32(std::string name, uint32_t n, uint32_t k, const std::vector<float>& w) {
  std::vector<float> out(std::size_t{n + 7} / 8 * 8 * k);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t i = 0; i < k; ++i) out[(row / 8 * k + i) * 8 + row % 8] = w[row * k + i];
  }
  return add(std::move(name), fb::DType::F32, fb::Layout::PackF32N8, {n, k}, raw(out));
}

int StillBuilder::packed_i8(std::string name, uint32_t n, uint32_t k, const std::vector<int8_t>& w) {
  const std::size_t blocks = std::size_t{k + 15} / 16;
  std::vector<int8_t> out(std::size_t{n + 3} / 4 * blocks * 64);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t i = 0; i < k; ++i) out[((row / 4 * blocks + i / 16) * 4 + row % 4) * 16 + i % 16] = w[row * k + i];
  }
  return add(std::move(name), fb::DType::I8, fb::Layout::PackI8N4K16, {n, k}, raw(out));
}

namespace {

// Value `i` of a row whose first block is at `first`, blocks `stride` bytes apart.
void put_i4(std::vector<int8_t>& out, std::size_t first, std::size_t stride, std::size_t i, int value) {
  int8_t& byte = out[first + i / 32 * stride + i % 16];
  byte = static_cast<int8_t>(static_cast<uint8_t>(byte) | (value & 15) << (i % 32 < 16 ? 0 : 4));
}

}  // namespace

int StillBuilder::packed_i4(std::string name, uint32_t n, uint32_t k, const std::vector<int8_t>& w) {
  const std::size_t blocks = std::size_t{k + 31} / 32;
  std::vector<int8_t> out(std::size_t{n + 3} / 4 * blocks * 64);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t i = 0; i < k; ++i) put_i4(out, (row / 4 * blocks * 4 + row % 4) * 16, 64, i, w[row * k + i]);
  }
  return add(std::move(name), fb::DType::I4, fb::Layout::PackI4N4K32, {n, k}, raw(out));
}

int StillBuilder::rows_i4(std::string name, uint32_t n, uint32_t k, const std::vector<int8_t>& w) {
  const std::size_t blocks = std::size_t{k + 31} / 32;
  std::vector<int8_t> out(std::size_t{n} * blocks * 16);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t i = 0; i < k; ++i) put_i4(out, row * blocks * 16, 16, i, w[row * k + i]);
  }
  return add(std::move(name), fb::DType::I4, fb::Layout::RowMajorI4, {n, k}, raw(out));
}

uint32_t StillBuilder::value(std::string name, fb::Rows rows, uint32_t width) {
  auto made = std::make_unique<fb::ValueT>();
  made->name = std::move(name);
  made->rows = rows;
  made->width = width;
  model.values.push_back(std::move(made));
  return static_cast<uint32_t>(model.values.size()) - 1;
}

void StillBuilder::token_ids(uint32_t max_tokens) {
  fb::TokenIdsT ids;
  ids.max_tokens = max_tokens;
  model.input.Set(std::move(ids));
}

namespace {

// A copy by packing and unpacking.
std::unique_ptr<fb::ModelT> copy_of(const fb::ModelT& model) {
  const Bytes packed = pack(model);
  return std::unique_ptr<fb::ModelT>(fb::GetModel(packed.data())->UnPack());
}

// Sets where the sections are behind a header of `size` bytes, and their checksums.
void place(fb::ModelT& model, const std::vector<Bytes>& sections, std::size_t size) {
  uint64_t offset = 64 + padded(size);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const Bytes section = padded(sections[i]);
    model.tensors[i]->offset = offset;
    model.tensors[i]->xxh64 = format::xxh64(section.data(), section.size());
    offset += section.size();
  }
}

}  // namespace

Bytes StillBuilder::file_packed(const std::function<Bytes(const fb::ModelT&)>& packed_by) const {
  const std::unique_ptr<fb::ModelT> copy = copy_of(model);
  Bytes header;
  for (int round = 0; round < 2; ++round) {  // the header's size moves the sections
    place(*copy, sections, header.size());
    header = packed_by(*copy);
  }
  return assemble(header, sections);
}

Bytes StillBuilder::file(const std::function<void(fb::ModelT&)>& spoil) const {
  if (!spoil) return file_packed(pack);
  const std::unique_ptr<fb::ModelT> copy = copy_of(model);
  Bytes header;
  for (int round = 0; round < 2; ++round) {
    place(*copy, sections, header.size());
    header = pack(*copy);
  }
  spoil(*copy);
  const std::size_t before = header.size();
  header = pack(*copy);
  // A change of the header's size moves every section: keep them where the header says.
  const int64_t shift = static_cast<int64_t>(padded(header.size())) - static_cast<int64_t>(padded(before));
  if (shift != 0) {
    for (auto& tensor : copy->tensors) tensor->offset += static_cast<uint64_t>(shift);
    header = pack(*copy);
  }
  return assemble(header, sections);
}

Bytes assemble(const Bytes& header, const std::vector<Bytes>& sections) {
  Bytes file(64);
  const unsigned char magic[8] = {0x89, 'S', 'T', 'I', 'L', 'L', '\r', '\n'};
  std::memcpy(file.data(), magic, sizeof magic);
  put(file, 8, uint32_t{1});
  put(file, 16, uint64_t{header.size()});
  const Bytes stored = padded(header);
  file.insert(file.end(), stored.begin(), stored.end());
  for (const Bytes& section : sections) {
    const Bytes data = padded(section);
    file.insert(file.end(), data.begin(), data.end());
  }
  put(file, 24, uint64_t{file.size()});
  fix_checksums(file);
  return file;
}

void fix_checksums(Bytes& file) {
  uint64_t size = 0;
  std::memcpy(&size, file.data() + 16, sizeof size);
  if (size <= file.size() - 64) {
    const std::size_t rest = padded(static_cast<std::size_t>(size));
    if (rest <= file.size() - 64) put(file, 32, format::xxh64(file.data() + 64, rest));
  }
  put(file, 56, format::xxh64(file.data(), 56));
}

std::string load_error(const Bytes& file) {
  try {
    Model::from_memory(file, 1);
    return "";
  } catch (const Error& error) {
    return error.code;
  }
}

}  // namespace potstill::testing
