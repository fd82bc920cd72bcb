// The C++ API: load a `.still` file, turn texts into ids, run batches.
//
//   const potstill::Model model = potstill::Model::load("model.still");
//   const auto ids = model.tokenize({"turn the light on"});
//   const potstill::Output out = model.run(ids);          // out.logits.data[0 .. labels)
//
// Failures throw potstill::Error (error.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "potstill/error.h"
#include "potstill/export.h"
#include "potstill/profile.hpp"

namespace potstill {

// Row-major float32.
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;  // 0: the model does not give this result
  std::vector<float> data;  // rows * columns
};

// One sequence with the token types of its ids: 0 in the first text of a pair and its specials, 1 in the second.
struct Tokens {
  std::vector<int32_t> ids, types;
};

// Where an id stands in its text: characters (Unicode code points) [begin, end), {0, 0} of special tokens.
struct Offset {
  uint32_t begin, end;
};

// One sequence made of words: `firsts` has the place in `ids` of the first piece of each word. Words that truncation
// cut off have none.
struct Words {
  std::vector<int32_t> ids, firsts;
};

// A word that was found in a text, and its label.
struct TaggedWord {
  std::size_t begin, end;                      // in bytes of the text
  std::size_t begin_character, end_character;  // in characters (code points; one for what is no UTF-8)
  std::string word;                            // as it is read: UTF-8, with U+FFFD for what in the text is none
  std::size_t label;                           // with the largest logit
  double score;                                // its probability
};

struct Output {
  Matrix logits;     // [sequences, labels]; Info::per_token: [ids, labels], the sequences one after another
  Matrix embedding;  // [sequences, hidden], the pooled vectors
};

// What the one output of a model that scores is given as; a model of classes has None.
enum class Score { None, Raw, Sigmoid };

// What a file says about itself, and how it runs here. Texts are valid UTF-8.
struct Info {
  std::string name, task, scheme, producer, license;
  std::string head;                      // "classes", "multi-label", "tags", "score", "vector"
  float temperature = 1, threshold = 0;  // of the head: its calibration, and when a label counts
  std::vector<std::string> labels;
  std::vector<std::pair<std::string, std::string>> provenance;  // hashes of recipe, data, teacher, student, onnx
  bool multi_label = false;                                     // labels do not exclude each other
  bool pairs = false;                                           // it tells the second text of a pair from the first
  bool per_token = false;                                       // it labels tokens: `logits` has one row a token
  std::string units;                                            // of a tagger: "words", "characters" or "given"
  bool normalized = false;                                      // vectors of `embedding` have the length 1
  Score score = Score::None;                                    // regression, reranker: Model::scores gives the number
  std::vector<uint32_t> forbidden_ids;                          // never in a sequence: they stand for no text
  uint32_t max_tokens = 0;                                      // longest sequence, specials included
  uint32_t vocabulary = 0;                                      // ids are in [0, vocabulary)
  uint32_t logits = 0;                                          // columns of `logits`, 0: no classification head
  uint32_t hidden = 0;                                          // columns of `embedding`, 0: none
  uint32_t layers = 0, heads = 0;                               // of attention; 0: the model has none
  uint32_t intermediate = 0;                                    // widest input of a matrix product
  uint64_t parameters = 0;                                      // learned numbers
  uint64_t bytes = 0;                                           // of the file
  uint64_t arena_bytes = 0;                                     // working memory one call uses at most
  bool has_tokenizer = false;
  std::string isa;  // kernel set in use, as potstill-run --system names it: "reference", "neon"
  int threads = 1;
};

// A tensor of a file.
struct Weight {
  std::string_view name;        // as long as a copy of its model lives
  const char* dtype;            // "f32", "i8", "i4", "i32" or "u8"
  std::vector<uint32_t> shape;  // as the model sees it, without padding
  uint64_t bytes = 0;           // in the file
};

// An op of a model, by what its time depends on.
struct OpInfo {
  std::string name;         // as the file says
  std::string kind;         // the table of cpp/schema/still.fbs: "Linear"
  bool per_token = true;    // one row a token; else one a text
  uint32_t width = 0;       // columns of a row it makes
  uint64_t inputs = 0;      // columns of a row that enters a product, rows of a table
  uint64_t heads = 0;       // of attention
  std::string dtype;        // of its weights: "f32", "i8" or "i4"
  bool activation = false;  // follows the product
  bool head = false;        // it makes the logits
  uint64_t parameters = 0;  // learned numbers
};

// Immutable, cheap to copy (copies share the weights), safe to use from many threads at once.
class POTSTILL_API Model {
 public:
  // Reads the file into private memory and validates it: what happens to the file afterwards changes nothing. `mapped`
  // uses the file where it is instead, which takes less memory (processes share it, and rows of embeddings come in as
  // texts need them); such a file must never be changed in place, only replaced by renaming. `threads` 0:
  // POTSTILL_NUM_THREADS, else the CPUs this process may use. POTSTILL_ISA forces a kernel set. Throws F..., I004,
  // K001, K002.
  static Model load(const std::string& path, int threads = 0, bool mapped = false);

  // The same from a copy of `bytes`; `name` stands in error messages.
  static Model from_memory(std::span<const std::byte> bytes, int threads = 0, const std::string& name = "memory");

  const Info& info() const noexcept;

  // The whole file, as long as a copy of this model lives.
  std::span<const std::byte> content() const noexcept;

  // The file's header, a FlatBuffer of cpp/schema/still.fbs that has been verified, for as long.
  std::span<const std::byte> header() const noexcept;

  // What the header lists of its tensors, in the file's order.
  std::vector<Weight> weights() const;

  // The ops in the order they run.
  std::vector<OpInfo> ops() const;

  // Ids of each text, with the special tokens. A text over max_tokens is cut (keeping these) when `truncate`.
  // Throws I001 (no token in a text), I002 (too long), I005 (the file has no tokenizer).
  std::vector<std::vector<int32_t>> tokenize(std::span<const std::string_view> texts, bool truncate = false) const;
  std::vector<std::vector<int32_t>> tokenize(std::initializer_list<std::string_view> texts,
                                             bool truncate = false) const {
    return tokenize(std::span(texts.begin(), texts.size()), truncate);
  }

  // Ids of texts that are cut into words already, with special tokens; a word without any piece is read as the unknown
  // token. A tagger's answer to a word is the row of its first piece. Throws I001 (no word in a text), I002, I005.
  std::vector<Words> tokenize_words(std::span<const std::vector<std::string_view>> texts, bool truncate = false) const;

  // Labels of the words of a text, which are found as Info::units says: "words" are what stands between white space,
  // punctuation and characters of scripts without spaces by themselves; "characters" are all by themselves, marks with
  // their letter; "given" are of a script without spaces, and no rule finds them (I130). Throws I018 (the model labels
  // whole texts), I001 (no word in the text), I002, I005.
  std::vector<TaggedWord> tag(std::string_view text, bool truncate = false) const;

  // Ids of each pair as the tokenizer joins them, of BERT [CLS] first [SEP] second [SEP]. Over max_tokens, with
  // `truncate`, the longer text is cut until both
  // fit. Throws I001 (no token in one of the texts), I002, I005 as tokenize(), I014 (Info::pairs is false).
  std::vector<Tokens> tokenize_pairs(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                                     bool truncate = false) const;

  // For each id of tokenize() and tokenize_pairs() its place, in a pair that in its own text. Throws as they do.
  std::vector<std::vector<Offset>> offsets(std::span<const std::string_view> texts, bool truncate = false) const;
  std::vector<std::vector<Offset>> offsets(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                                           bool truncate = false) const;

  // Runs a ragged batch: sequence s is ids[offsets[s] .. offsets[s + 1]). The bits of a sequence's result depend on
  // nothing but the file and its ids. Throws I001 (empty sequence), I002 (too long), I003 (id out of range), I103 (the
  // tokenizer's padding at an end of a sequence: it would be read as text), I104 (one of Info::forbidden_ids), F062 (a
  // result is NaN or infinite).
  Output run(std::span<const int32_t> ids, std::span<const std::size_t> offsets) const;
  Output run(std::span<const std::vector<int32_t>> sequences) const;

  // The same with a token type for each id; throws I014 for a type the model has not, I010 unless there is one an id.
  Output run(std::span<const int32_t> ids, std::span<const std::size_t> offsets, std::span<const int32_t> types) const;
  Output run(std::span<const Tokens> sequences) const;

  // The same for texts given as words: of a model that labels tokens, `logits` has one row for each place in `firsts`.
  // Throws I020 for a place outside of its ids.
  Output run(std::span<const Words> texts) const;

  // Scores in binary64, as many as logits and in their order, as the head says: the softmax of each row, the sigmoid of
  // each logit, or the number of a model that scores, as it is or as its sigmoid. Throws I008 for logits of another
  // model.
  std::vector<double> scores(const Matrix& logits) const;

  // Runs the batch `runs` times and tells what each op of it took. The batch must fit one chunk: at most 256 tokens or
  // one sequence. Costs a few percent of time more than run(). Throws as run(), and I021 for a larger batch or no run.
  Profile profile(std::span<const std::vector<int32_t>> sequences, int runs) const;

 private:
  struct Impl;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace potstill
