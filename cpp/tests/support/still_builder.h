// Builds `.still` files in memory, right or wrong in a chosen place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "still_generated.h"

namespace potstill::testing {

using Bytes = std::vector<std::byte>;

class StillBuilder {
 public:
  StillBuilder();

  fb::ModelT model;             // schema version 1, an empty card
  std::vector<Bytes> sections;  // unpadded, one a tensor

  // Each adds a tensor and gives its index.
  int add(std::string name, fb::DType dtype, fb::Layout layout, std::vector<uint32_t> shape, Bytes data);
  int f32(std::string name, std::vector<uint32_t> shape, const std::vector<float>& data);
  int i32(std::string name, std::vector<uint32_t> shape, const std::vector<int32_t>& data);
  int text(std::string name, const std::string& data);
  // A weight [n, k] given row-major.
  int packed_f32(std::string name, uint32_t n, uint32_t k, const std::vector<float>& w);
  int packed_i8(std::string name, uint32_t n, uint32_t k, const std::vector<int8_t>& w);
  int packed_i4(std::string name, uint32_t n, uint32_t k, const std::vector<int8_t>& w);
  int rows_i4(std::string name, uint32_t n, uint32_t k, const std::vector<int8_t>& w);

  uint32_t value(std::string name, fb::Rows rows, uint32_t width);
  template <typename Body>
  void op(std::string name, Body body, std::vector<uint32_t> inputs, uint32_t output) {
    auto made = std::make_unique<fb::OpT>();
    made->name = std::move(name);
    made->body.Set(std::move(body));
    made->inputs = std::move(inputs);
    made->output = output;
    model.ops.push_back(std::move(made));
  }

  // What the model reads, and what its values mean.
  void token_ids(uint32_t max_tokens);
  template <typename Body>
  void head(std::string name, uint32_t value, Body body, std::vector<std::string> labels = {}) {
    auto made = std::make_unique<fb::HeadT>();
    made->name = std::move(name);
    made->value = value;
    made->body.Set(std::move(body));
    made->labels = std::move(labels);
    model.heads.push_back(std::move(made));
  }

  // Lays the file out. `spoil` may change the header after offsets, sizes and checksums of the sections are in.
  Bytes file(const std::function<void(fb::ModelT&)>& spoil = {}) const;

  // The same with a header that no packing of the objects gives: `pack` is called for each round of offsets.
  Bytes file_packed(const std::function<Bytes(const fb::ModelT&)>& pack) const;
};

// The file around a finished header.
Bytes assemble(const Bytes& header, const std::vector<Bytes>& sections);

// Recomputes header and preamble checksums after a change to the bytes before the sections.
void fix_checksums(Bytes& file);

// The `code` of the Error that loading these bytes throws, "" when they load.
std::string load_error(const Bytes& file);

}  // namespace potstill::testing
