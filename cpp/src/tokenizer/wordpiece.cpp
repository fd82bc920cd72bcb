#include "tokenizer/wordpiece.h"

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

// One call's state: the word being collected and where the ids go.
class Encoder {
 public:
  Encoder(const WordPieceTokenizer& tokenizer, std::vector<std::int32_t>& out)
      : tokenizer_(tokenizer), view_(tokenizer.view_), out_(out) {}

  // Text between added tokens: valid UTF-8, normalized and cut into words on its own.
  void segment(std::string_view text) {
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
    const std::uint8_t action = tokenizer_.ascii_[byte];
    if (action == kDrop) return;
    if (!waiting_.empty()) flush_waiting();
    if (action < 0x80) {
      if (++chars_ <= view_.max_chars_per_word) word_.push_back(static_cast<char>(action));
    } else {
      end_word();
      if (action == kOwnWord) {
        append(byte);
        end_word();
      }
    }
  }

  // clean_text and handle_chinese_chars, then on to the accents.
  void other(char32_t point) {
    const unicode::Class properties = unicode::class_of(point);
    if (view_.clean_text && (properties.flags & unicode::kControl) != 0) return;
    const bool alone = view_.handle_chinese_chars && (properties.flags & unicode::kChinese) != 0;
    if (alone) {
      flush_waiting();
      end_word();
    }
    if (view_.strip_accents) {
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
    std::array<std::uint32_t, 3> room;
    for (const std::uint32_t part : unicode::decomposition(point, room)) reorder(part, unicode::class_of(part));
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
    if (view_.lowercase && (properties.flags & unicode::kLowers) != 0) {
      for (const std::uint32_t part : unicode::lower(point)) place(part, unicode::class_of(part));
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
      append(point);
      end_word();
    } else {
      append(point);
    }
  }

  // A word over the limit becomes [UNK] whatever it holds, so its further text is only counted.
  void append(char32_t point) {
    if (++chars_ <= view_.max_chars_per_word) utf8::append(word_, point);
  }

  void end_word() {
    if (chars_ == 0) return;
    if (chars_ > view_.max_chars_per_word) {
      out_.push_back(static_cast<std::int32_t>(view_.unk_id));
    } else {
      pieces();
    }
    chars_ = 0;
    word_.clear();
  }

  // Greedy longest match; one place without a match makes the whole word [UNK].
  void pieces() {
    const std::size_t before = out_.size();
    for (std::size_t begin = 0; begin < word_.size();) {
      const std::size_t size = longest_match(begin);
      if (size == 0) {
        out_.resize(before);
        out_.push_back(static_cast<std::int32_t>(view_.unk_id));
        return;
      }
      begin += size;
    }
  }

  // Pushes the longest piece at word_[begin]; its size in bytes, or 0. The hash of every candidate comes out of one
  // pass, since FNV-1a of a text is a step on from that of its prefix.
  std::size_t longest_match(std::size_t begin) {
    const std::string_view prefix = begin == 0 ? std::string_view{} : view_.continuing_prefix;
    if (tokenizer_.longest_piece_ <= prefix.size()) return 0;
    const std::string_view rest = std::string_view(word_).substr(begin, tokenizer_.longest_piece_ - prefix.size());
    std::uint32_t hash = begin == 0 ? kFnvStart : tokenizer_.prefix_state_;
    std::size_t count = 0;
    for (std::size_t end = 1; end <= rest.size(); ++end) {
      hash = fnv1a(rest.substr(end - 1, 1), hash);
      const std::size_t after = begin + end;
      const bool boundary = after == word_.size() || (static_cast<std::uint8_t>(word_[after]) & 0xC0) != 0x80;
      if (boundary) candidates_[count++] = {hash, static_cast<std::uint32_t>(end)};
    }
    while (count-- > 0) {
      const Candidate& candidate = candidates_[count];
      const std::int32_t id = tokenizer_.lookup(candidate.hash, prefix, rest.substr(0, candidate.size));
      if (id >= 0) {
        out_.push_back(id);
        return candidate.size;
      }
    }
    return 0;
  }

  struct Candidate {
    std::uint32_t hash;
    std::uint32_t size;
  };

  const WordPieceTokenizer& tokenizer_;
  const WordPieceView& view_;
  std::vector<std::int32_t>& out_;
  std::string word_;
  std::size_t chars_ = 0;  // characters of the word, also those not stored
  std::vector<Waiting> waiting_;
  std::array<Candidate, kMaxCharsPerWord> candidates_;  // a stored word has at most that many characters
};

WordPieceTokenizer::WordPieceTokenizer(const WordPieceView& view) : view_(view) {
  slot_mask_ = view_.slots.size() - 1;
  prefix_state_ = fnv1a(view_.continuing_prefix);
  for (std::size_t id = 0; id < vocabulary_size(); ++id) longest_piece_ = std::max(longest_piece_, piece(id).size());
  for (std::uint8_t byte = 0; byte < 0x80; ++byte) {
    const std::uint8_t flags = unicode::class_of(byte).flags;
    if (view_.clean_text && (flags & unicode::kControl) != 0) {
      ascii_[byte] = kDrop;
    } else if ((flags & unicode::kWhitespace) != 0) {
      ascii_[byte] = kEndWord;
    } else if ((flags & unicode::kPunctuation) != 0) {
      ascii_[byte] = kOwnWord;
    } else if (view_.lowercase && (flags & unicode::kLowers) != 0) {
      ascii_[byte] = static_cast<std::uint8_t>(unicode::lower(byte)[0]);
    } else {
      ascii_[byte] = byte;
    }
  }
  for (const std::uint32_t id : view_.added_ids) {
    if (const std::string_view token = piece(id); !token.empty())
      added_first_[static_cast<std::uint8_t>(token[0])] = true;
  }
}

// Offsets and slots are checked again at every use: those of a mapped file may have been overwritten since problem()
// looked at them.
std::string_view WordPieceTokenizer::piece(std::size_t id) const noexcept {
  const auto begin = static_cast<std::size_t>(view_.offsets[id]);
  const auto end = static_cast<std::size_t>(view_.offsets[id + 1]);
  if (begin > end || end > view_.blob.size()) return {};
  return {view_.blob.data() + begin, end - begin};
}

std::int32_t WordPieceTokenizer::lookup(std::uint32_t hash, std::string_view prefix,
                                        std::string_view body) const noexcept {
  std::size_t slot = hash & slot_mask_;
  for (std::size_t probes = 0; probes <= kMaxProbeRun; ++probes, slot = (slot + 1) & slot_mask_) {
    const std::int32_t id = view_.slots[slot];
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary_size()) return -1;
    const std::string_view text = piece(static_cast<std::size_t>(id));
    if (text.size() == prefix.size() + body.size() && text.ends_with(body) && text.starts_with(prefix)) return id;
  }
  return -1;
}

std::int32_t WordPieceTokenizer::find(std::string_view text) const noexcept { return lookup(fnv1a(text), {}, text); }

// The longest added token at the beginning of `text`; size 0 when there is none.
WordPieceTokenizer::Match WordPieceTokenizer::added_at(std::string_view text) const noexcept {
  Match best{-1, 0};
  for (const std::uint32_t id : view_.added_ids) {
    const std::string_view token = piece(id);
    if (token.size() > best.size && text.starts_with(token)) best = {static_cast<std::int32_t>(id), token.size()};
  }
  return best;
}

void WordPieceTokenizer::encode_into(std::string_view text, std::vector<std::int32_t>& out) const {
  std::string storage;
  if (!utf8::valid(text)) {
    storage = utf8::repaired(text);
    text = storage;
  }
  Encoder encoder(*this, out);
  out.push_back(static_cast<std::int32_t>(view_.cls_id));
  std::size_t begin = 0;  // of the text not yet encoded
  if (!view_.added_ids.empty()) {
    for (std::size_t at = 0; at < text.size();) {
      const Match match = added_first_[static_cast<std::uint8_t>(text[at])] ? added_at(text.substr(at)) : Match{-1, 0};
      if (match.size == 0) {
        ++at;
        continue;
      }
      encoder.segment(text.substr(begin, at - begin));
      out.push_back(match.id);
      at += match.size;
      begin = at;
    }
  }
  encoder.segment(text.substr(begin));
  out.push_back(static_cast<std::int32_t>(view_.sep_id));
}

void fit_pair(std::size_t& first, std::size_t& second, std::size_t room) noexcept {
  std::size_t& shorter = first > second ? second : first;
  std::size_t& longer = first > second ? first : second;
  const std::size_t half = room / 2;
  if (shorter <= half) {
    longer = std::min(longer, room - shorter);
  } else {
    shorter = half;
    longer = half + room % 2;
  }
}

std::vector<std::int32_t> WordPieceTokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> out;
  out.reserve(text.size() / 4 + 2);  // about one id every four bytes of English
  encode_into(text, out);
  return out;
}

}  // namespace potstill::tokenizer
