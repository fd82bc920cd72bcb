#include "format/reader.h"

#include <bit>
#include <cstring>
#include <utility>

#include "format/fail.h"
#include "format/tensors.h"
#include "format/utf8.h"
#include "format/xxh64.h"

static_assert(std::endian::native == std::endian::little, "a .still file is mapped in place and little-endian");

namespace potstill::format {
namespace {

struct Preamble {
  unsigned char magic[8];
  uint32_t version;
  uint32_t flags;
  uint64_t header_size;
  uint64_t file_size;
  uint64_t header_xxh64;
  uint64_t reserved[2];
  uint64_t preamble_xxh64;
};
static_assert(sizeof(Preamble) == kAlignment);

constexpr unsigned char kMagic[8] = {0x89, 'S', 'T', 'I', 'L', 'L', '\r', '\n'};

Preamble read_preamble(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() < sizeof(Preamble)) {
    fail("F002", "the file has " + std::to_string(bytes.size()) + " bytes, too few for a .still file", where,
         kCopyAgain);
  }
  Preamble head;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0) {
    fail("F003", "this is not a .still file (its first bytes differ)", where,
         "give a file that potstill compile wrote");
  }
  // Before the version: a newer file keeps this checksum, so a damaged version number is told from a new one.
  if (head.preamble_xxh64 != xxh64(bytes.data(), offsetof(Preamble, preamble_xxh64))) {
    fail("F005", "the checksum of the preamble is wrong, the file is damaged", where, kCopyAgain);
  }
  if (head.version > kContainerVersion) {
    fail("F004",
         "the file has format version " + std::to_string(head.version) + ", this potstill reads up to " +
             std::to_string(kContainerVersion),
         where, kUpdate);
  }
  if (head.version != kContainerVersion || head.flags != 0 || head.reserved[0] != 0 || head.reserved[1] != 0) {
    fail("F006", "version 0, unknown flags or non-zero reserved bytes", where + ": preamble");
  }
  if (head.file_size != bytes.size()) {
    fail("F007",
         "the file should have " + std::to_string(head.file_size) + " bytes but has " + std::to_string(bytes.size()),
         where, kCopyAgain);
  }
  const uint64_t room = bytes.size() - sizeof(Preamble);
  if (head.header_size == 0 || head.header_size > kMaxHeader || head.header_size > room ||
      round_up_64(head.header_size) > room) {
    fail("F008", "a header of " + std::to_string(head.header_size) + " bytes does not fit", where + ": preamble");
  }
  return head;
}

// The verifier looks into every element of a vector of tables, and FlatBuffers does not keep references from naming one
// table many times: how many there are is checked before. Deeper down there are labels alone, of kMaxHeads heads.
bool counts_fit(const uint8_t* raw, std::size_t size) {
  flatbuffers::Verifier verifier(raw, size);
  const flatbuffers::uoffset_t offset = verifier.VerifyOffset(0);
  if (offset == 0) return true;  // no FlatBuffer: the verifier says so
  const auto* root = reinterpret_cast<const flatbuffers::Table*>(raw + offset);
  if (!root->VerifyTableStart(verifier)) return true;
  const auto count = [&](flatbuffers::voffset_t field) -> uint32_t {
    using Any = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::Table>>;
    if (!root->VerifyOffset(verifier, field)) return 0;
    const auto* vector = root->GetPointer<const Any*>(field);
    return vector != nullptr && verifier.VerifyVector(vector) ? vector->size() : 0;
  };
  return count(fb::Model::VT_TENSORS) <= kMaxTensors && count(fb::Model::VT_VALUES) <= kMaxValues &&
         count(fb::Model::VT_OPS) <= kMaxOps && count(fb::Model::VT_HEADS) <= kMaxHeads;
}

// Copies the header of a mapped file. The sections begin behind its padding.
void read_header(File& file, const Preamble& head) {
  const auto size = static_cast<std::size_t>(head.header_size);
  const auto padded = static_cast<std::size_t>(round_up_64(head.header_size));
  std::span<const std::byte> bytes = file.mapping.bytes().subspan(sizeof(Preamble), padded);
  file.budget.step(padded, file.where);
  if (file.mapping.of_file()) {
    file.budget.keep(padded, file.where);
    file.own = std::make_unique_for_overwrite<std::byte[]>(padded);
    std::memcpy(file.own.get(), bytes.data(), padded);
    bytes = {file.own.get(), padded};
  }
  if (xxh64(bytes.data(), padded) != head.header_xxh64) {
    fail("F009", "the checksum of the header is wrong, the file is damaged", file.where, kCopyAgain);
  }
  if (!all_zero(bytes.subspan(size))) fail("F010", "the padding after the header is not zero", file.where);
  const auto* raw = reinterpret_cast<const uint8_t*>(bytes.data());
  if (size >= 8 && !counts_fit(raw, size)) {
    fail("F013", "the number of tensors, values, ops or heads is out of range", file.where);
  }
  constexpr flatbuffers::uoffset_t kDepth = 8, kTables = kMaxTensors + kMaxValues + 2 * kMaxOps + 4 * kMaxProvenance;
  flatbuffers::Verifier verifier(raw, size, kDepth, kTables);
  if (size < 8 || !fb::VerifyModelBuffer(verifier)) {
    fail("F011", "the header is not a valid FlatBuffers table of this schema", file.where);
  }
  file.header = bytes.first(size);
  file.model = fb::GetModel(raw);
}

// Looks at every text and list of the header once, and counts what is made of them: by the same figures on every
// machine.
class Contents {
 public:
  Contents(Budget& budget, const std::string& where) : budget_(budget), where_(where) {}

  void check(const fb::Model& model) {
    for (const fb::Tensor* tensor : *model.tensors()) element(kTensorBytes), read(*tensor->name(), kMaxName, "name");
    for (const fb::Value* value : *model.values()) element(kValueBytes), read(*value->name(), kMaxName, "name");
    for (const fb::Op* op : *model.ops()) {
      element(kOpBytes), keep(*op->name(), kMaxName, "name");
      most(op->inputs(), kMaxInputs, "inputs of an op");
    }
    for (const fb::Head* head : *model.heads()) {
      element(kHeadBytes), keep(*head->name(), kMaxName, "name"), utf8(*head->name());
      most(head->labels(), kMaxWidth, "labels of a head");
      if (head->labels() == nullptr) continue;
      for (const auto* label : *head->labels()) text(label);
    }
    const fb::Card& card = *model.card();
    for (const auto* text_of : {card.name(), card.task(), card.scheme(), card.producer(), card.license()})
      text(text_of);
    most(card.provenance(), kMaxProvenance, "entries of its provenance");
    if (card.provenance() != nullptr) {
      for (const auto* entry : *card.provenance()) text(entry->key()), text(entry->value());
    }
    if (const auto* ids = model.input_as_TokenIds(); ids != nullptr && ids->forbidden_ids() != nullptr) {
      budget_.step(ids->forbidden_ids()->size(), where_);
      budget_.keep(uint64_t{4} * ids->forbidden_ids()->size(), where_);
    }
    if (model.tokenizer() != nullptr) check(*model.tokenizer());
  }

 private:
  // Of the structures that are made for each, on a 64-bit machine.
  static constexpr uint64_t kTensorBytes = 64, kValueBytes = 96, kOpBytes = 288, kHeadBytes = 64, kTextBytes = 32,
                            kAddedBytes = 32;

  void check(const fb::Tokenizer& tokenizer) {
    most(tokenizer.normalizers(), kMaxSteps, "normalizers");
    most(tokenizer.pre_tokenizers(), kMaxSteps, "pre-tokenizers");
    most(tokenizer.single(), kMaxSteps, "parts of a template");
    most(tokenizer.pair(), kMaxSteps, "parts of a template");
    most(tokenizer.added(), kMaxAddedTokens, "added tokens");
    if (tokenizer.added() == nullptr) return;
    for (const fb::AddedToken* token : *tokenizer.added()) {
      element(kAddedBytes);
      if (token->normalized() != nullptr) read(*token->normalized(), kMaxName, "added token");
    }
  }

  void element(uint64_t bytes) {
    budget_.step(1, where_);
    budget_.keep(bytes, where_);
  }

  template <typename Vector>
  void most(const Vector* vector, std::size_t limit, const char* what) const {
    if (vector != nullptr && vector->size() > limit) {
      fail("F065", std::to_string(vector->size()) + " " + what + ", at most " + std::to_string(limit) + " are read",
           where_);
    }
  }

  void read(const flatbuffers::String& text, uint32_t limit, const char* what) {
    if (text.size() > limit) {
      fail("F065",
           std::string("a ") + what + " has " + std::to_string(text.size()) + " bytes, at most " +
               std::to_string(limit) + " are read",
           where_);
    }
    budget_.step(text.size(), where_);
  }

  void keep(const flatbuffers::String& text, uint32_t limit, const char* what) {
    read(text, limit, what);
    budget_.keep(kTextBytes + text.size(), where_);
  }

  // Texts that are handed on as they are; names of tensors, values and ops are made printable instead.
  void text(const flatbuffers::String* text) {
    if (text == nullptr) return;
    keep(*text, kMaxText, "text");
    utf8(*text);
  }

  void utf8(const flatbuffers::String& text) const {
    if (!valid_utf8(text.string_view())) fail("F048", "'" + printable(text.string_view()) + "' is not UTF-8", where_);
  }

  Budget& budget_;
  const std::string& where_;
};

}  // namespace

File read(Mapping mapping, std::string where) {
  const uint64_t size = mapping.bytes().size();
  File file{std::move(mapping), std::move(where), {}, nullptr, {}, Budget(size), nullptr};
  const Preamble head = read_preamble(file.mapping.bytes(), file.where);
  read_header(file, head);
  if (file.model->schema_version() != kSchemaVersion) {
    fail("F012",
         "the header has schema version " + std::to_string(file.model->schema_version()) + ", this potstill reads " +
             std::to_string(kSchemaVersion),
         file.where, kUpdate);
  }
  if (file.model->ops()->size() == 0) fail("F013", "the model has no op", file.where);
  Contents(file.budget, file.where).check(*file.model);
  read_tensors(file, kAlignment + round_up_64(head.header_size));
  return file;
}

}  // namespace potstill::format
