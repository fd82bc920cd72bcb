#include "tokenizer/fused_bert.h"

#include <algorithm>
#include <string>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

// Values of ascii_ that are no byte to append.
constexpr std::uint8_t kDrop = 0x80;
constexpr std::uint8_t kEndWord = 0x81;
constexpr std::uint8_t kOwnWord = 0x82;

}  // namespace

// One call's state: the word being collected and where it goes.
class FusedBert::Pass {
 public:
  Pass(const FusedBert& bert, const Model& model, std::vector<Token>& out)
      : ascii_(bert.ascii_), options_(bert.options_), model_(model), out_(out) {}

  void run(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const auto byte = static_cast<std::uint8_t>(text[at]);
      if (byte < 0x80) {
        ++at;
        ascii(byte);
      } else {
        other(utf8::next(text, at));
      }
    }
    flush_waiting();
    end_word();
  }

 private:
  // A non-starter that strip_accents keeps, waiting for canonical order.
  struct Waiting {
    std::uint8_t combining;
    char32_t point;
  };

  void ascii(std::uint8_t byte) {
    const std::uint8_t action = ascii_[byte];
    if (action == kDrop) return;
    if (!waiting_.empty()) flush_waiting();
    if (action < 0x80) {
      word_.push_back(static_cast<char>(action));
    } else {
      end_word();
      if (action == kOwnWord) {
        word_.push_back(static_cast<char>(byte));
        end_word();
      }
    }
  }

  // clean_text and handle_chinese_chars, then on to the accents.
  void other(char32_t point) {
    const unicode::Class properties = unicode::class_of(point);
    if (options_.clean_text && (properties.flags & unicode::kControl) != 0) return;
    const bool alone = options_.handle_chinese_chars && (properties.flags & unicode::kChinese) != 0;
    if (alone) {
      flush_waiting();
      end_word();
    }
    if (options_.strip_accents) {
      decompose(point, properties);
    } else {
      lower(point, properties);
    }
    if (alone) {
      flush_waiting();
      end_word();
    }
  }

  void decompose(char32_t point, unicode::Class properties) {
    if ((properties.flags & unicode::kDecomposes) == 0) {
      reorder(point, properties);
      return;
    }
    unicode::Room room;
    for (const char32_t part : unicode::decomposition(point, room)) reorder(part, unicode::class_of(part));
  }

  // Canonical order is by combining class within a run of non-starters, stable. Marks that are dropped need not wait,
  // for the order of the others does not depend on them; a dropped starter still ends the run.
  void reorder(char32_t point, unicode::Class properties) {
    const bool dropped = (properties.flags & unicode::kMark) != 0;
    if (properties.combining != 0) {
      if (!dropped) waiting_.push_back({properties.combining, point});
      return;
    }
    flush_waiting();
    if (!dropped) lower(point, properties);
  }

  void flush_waiting() {
    if (waiting_.empty()) return;
    if (waiting_.size() > 1) {
      std::stable_sort(waiting_.begin(), waiting_.end(),
                       [](const Waiting& a, const Waiting& b) { return a.combining < b.combining; });
    }
    for (const Waiting& mark : waiting_) lower(mark.point, unicode::class_of(mark.point));
    waiting_.clear();
  }

  void lower(char32_t point, unicode::Class properties) {
    if (options_.lowercase && (properties.flags & unicode::kLowers) != 0) {
      unicode::Room room;
      for (const char32_t part : unicode::lower(point, room)) place(part, unicode::class_of(part));
    } else {
      place(point, properties);
    }
  }

  // BertPreTokenizer: white space separates words, punctuation is a word.
  void place(char32_t point, unicode::Class properties) {
    if ((properties.flags & unicode::kWhitespace) != 0) {
      end_word();
    } else if ((properties.flags & unicode::kPunctuation) != 0) {
      end_word();
      utf8::append(word_, point);
      end_word();
    } else {
      utf8::append(word_, point);
    }
  }

  void end_word() {
    if (word_.empty()) return;
    model_.encode(word_, 0, out_);
    word_.clear();
  }

  const std::array<std::uint8_t, 128>& ascii_;
  const BertOptions options_;
  const Model& model_;
  std::vector<Token>& out_;
  std::string word_;
  std::vector<Waiting> waiting_;
};

FusedBert::FusedBert(const BertOptions& options) : options_(options) {
  for (std::uint8_t byte = 0; byte < 0x80; ++byte) {
    const auto flags = unicode::class_of(byte).flags;
    if (options_.clean_text && (flags & unicode::kControl) != 0) {
      ascii_[byte] = kDrop;
    } else if ((flags & unicode::kWhitespace) != 0) {
      ascii_[byte] = kEndWord;
    } else if ((flags & unicode::kPunctuation) != 0) {
      ascii_[byte] = kOwnWord;
    } else if (options_.lowercase && (flags & unicode::kLowers) != 0) {
      ascii_[byte] = static_cast<std::uint8_t>(byte | 0x20);
    } else {
      ascii_[byte] = byte;
    }
  }
}

void FusedBert::split(std::string_view text, const Model& model, std::vector<Token>& out) const {
  Pass(*this, model, out).run(text);
}

}  // namespace potstill::tokenizer
