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

// The header, verified; the sections begin behind its padding.
std::span<const std::byte> read_header(std::span<const std::byte> bytes, const Preamble& head,
                                       const std::string& where) {
  const auto size = static_cast<std::size_t>(head.header_size);
  const auto padded = static_cast<std::size_t>(round_up_64(head.header_size));
  const std::byte* data = bytes.data() + sizeof(Preamble);
  if (xxh64(data, padded) != head.header_xxh64) {
    fail("F009", "the checksum of the header is wrong, the file is damaged", where, kCopyAgain);
  }
  if (!all_zero(bytes.subspan(sizeof(Preamble) + size, padded - size))) {
    fail("F010", "the padding after the header is not zero", where);
  }
  const auto* raw = reinterpret_cast<const uint8_t*>(data);
  flatbuffers::Verifier verifier(raw, size);
  if (size < 8 || !fb::VerifyModelBuffer(verifier)) {
    fail("F011", "the header is not a valid FlatBuffers table of this schema", where);
  }
  return bytes.subspan(sizeof(Preamble), size);
}

void check_text(const flatbuffers::String* text, const char* field, const std::string& where) {
  if (text != nullptr && !valid_utf8({text->c_str(), text->size()})) {
    fail("F048", std::string(field) + " is not UTF-8", where);
  }
}

// Texts that are handed on as they are; names of tensors, values and ops are made printable instead.
void check_texts(const fb::Model& model, const std::string& where) {
  const fb::Card& card = *model.card();
  check_text(card.name(), "the model's name", where);
  check_text(card.task(), "its task", where);
  check_text(card.scheme(), "its scheme", where);
  check_text(card.producer(), "its producer", where);
  check_text(card.license(), "its license", where);
  if (card.provenance() != nullptr) {
    for (const auto* entry : *card.provenance()) {
      check_text(entry->key(), "a key of its provenance", where);
      check_text(entry->value(), "a value of its provenance", where);
    }
  }
  for (const fb::Head* head : *model.heads()) {
    check_text(head->name(), "a head's name", where);
    if (head->labels() == nullptr) continue;
    for (const auto* label : *head->labels()) check_text(label, "a label", where);
  }
}

}  // namespace

File read(Mapping mapping, std::string where) {
  File file{std::move(mapping), std::move(where), {}, nullptr, {}};
  const auto bytes = file.mapping.bytes();
  const Preamble head = read_preamble(bytes, file.where);
  file.header = read_header(bytes, head, file.where);
  file.model = fb::GetModel(file.header.data());
  if (file.model->schema_version() != kSchemaVersion) {
    fail("F012",
         "the header has schema version " + std::to_string(file.model->schema_version()) + ", this potstill reads " +
             std::to_string(kSchemaVersion),
         file.where, kUpdate);
  }
  if (file.model->tensors()->size() > kMaxTensors || file.model->values()->size() > kMaxValues ||
      file.model->ops()->size() > kMaxOps || file.model->ops()->size() == 0) {
    fail("F013", "the number of tensors, values or ops is out of range", file.where);
  }
  check_texts(*file.model, file.where);
  file.tensors = read_tensors(file.mapping, kAlignment + round_up_64(head.header_size), *file.model, file.where);
  return file;
}

}  // namespace potstill::format
