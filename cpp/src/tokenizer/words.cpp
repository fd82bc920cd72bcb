#include "tokenizer/words.h"

#include <algorithm>
#include <span>

#include "potstill/error.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

struct Range {
  char32_t first, last;
};

constexpr Range kMarks[] = {
#include "tokenizer/marks.inc"
};

// Blocks of scripts in which no space stands between words: Thai and Lao, Myanmar, Khmer, Tai Le to Khmer symbols, Tai
// Tham, Balinese, ideographic iteration marks and numerals, kana, Myanmar extended, Javanese to Myanmar extended,
// halfwidth kana, rare kana, and the ideographs that BertPreTokenizer does not know.
constexpr Range kWithoutSpaces[] = {
    {0x0e00, 0x0eff}, {0x1000, 0x109f}, {0x1780, 0x17ff}, {0x1950, 0x19ff},   {0x1a20, 0x1aaf},
    {0x1b00, 0x1b7f}, {0x3005, 0x3007}, {0x3021, 0x3029}, {0x3041, 0x30ff},   {0x31f0, 0x31ff},
    {0xa980, 0xa9ff}, {0xaa60, 0xaa7f}, {0xff66, 0xff9f}, {0x1aff0, 0x1b16f}, {0x2ceb0, 0x323af},
};

bool within(std::span<const Range> ranges, char32_t point) {
  const auto found = std::ranges::upper_bound(ranges, point, {}, &Range::first);
  return found != ranges.begin() && point <= std::prev(found)->last;
}

constexpr char32_t kNonJoiner = 0x200c, kJoiner = 0x200d;

// Tones of skin.
bool modifies(char32_t point) { return point >= 0x1f3fb && point <= 0x1f3ff; }

bool extends(char32_t point) {
  if (point < 0x300) return false;
  return within(kMarks, point) || point == kNonJoiner || point == kJoiner || modifies(point) ||
         (point >= 0xe0020 && point <= 0xe007f) ||                                  // tags of flags
         point == 0x0e33 || point == 0x0eb3 || point == 0xff9e || point == 0xff9f;  // Thai and Lao am, kana voicing
}

bool regional(char32_t point) { return point >= 0x1f1e6 && point <= 0x1f1ff; }

// Whether an emoji begins with it that others are joined to: symbols from arrows to U+2BFF, and the emoji planes.
bool joins(char32_t point) {
  return (point >= 0x2190 && point <= 0x2bff) ||
         (point >= 0x1f000 && point <= 0x1faff && !regional(point) && !modifies(point));
}

// The parts that a Korean syllable is written with: leading consonant, vowel, trailing consonant, or several in one.
enum class Jamo { None, Leading, Vowel, Trailing, LeadingVowel, Whole };

Jamo jamo(char32_t point) {
  if ((point >= 0x1100 && point <= 0x115f) || (point >= 0xa960 && point <= 0xa97c)) return Jamo::Leading;
  if ((point >= 0x1160 && point <= 0x11a7) || (point >= 0xd7b0 && point <= 0xd7c6)) return Jamo::Vowel;
  if ((point >= 0x11a8 && point <= 0x11ff) || (point >= 0xd7cb && point <= 0xd7fb)) return Jamo::Trailing;
  if (point < 0xac00 || point > 0xd7a3) return Jamo::None;
  return (point - 0xac00) % 28 == 0 ? Jamo::LeadingVowel : Jamo::Whole;
}

bool same_syllable(Jamo before, Jamo after) {
  switch (before) {
    case Jamo::Leading:
      return after == Jamo::Leading || after == Jamo::Vowel || after == Jamo::LeadingVowel || after == Jamo::Whole;
    case Jamo::Vowel:
    case Jamo::LeadingVowel:
      return after == Jamo::Vowel || after == Jamo::Trailing;
    case Jamo::Trailing:
    case Jamo::Whole:
      return after == Jamo::Trailing;
    default:
      return false;
  }
}

// Reads a text character by character.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  std::size_t at() const { return at_; }                // in bytes
  std::size_t character() const { return character_; }  // in code points

  char32_t peek() const {
    std::size_t at = at_;
    return utf8::next(text_, at);
  }

  char32_t take() {
    ++character_;
    return utf8::next(text_, at_);
  }

  // Takes one character as readers see it.
  void take_whole() {
    const char32_t first = take();
    if (regional(first) && !done() && regional(peek())) take();
    bool open = joins(first), joint = false;  // an emoji may yet be joined; one that follows is
    for (char32_t before = first; !done(); before = take()) {
      const char32_t next = peek();
      const bool joined = joint && joins(next);
      if (!extends(next) && !joined && !same_syllable(jamo(before), jamo(next))) return;
      joint = open && next == kJoiner;
      open = joined || (open && !joint);
    }
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0, character_ = 0;
};

}  // namespace

std::vector<Word> words_of(std::string_view text, Units units) {
  if (units == Units::Given) {
    throw Error("I130", "the model's words are of a script without spaces between words: none are found in a text",
                "a text that is not cut into words", "give lists of words");
  }
  std::vector<Word> words;
  Reader reader(text);
  std::size_t begin = 0, first = 0;  // of the word that is read, in bytes and in characters
  bool inside = false;               // it holds something else than control characters
  const auto end_word = [&](std::size_t end) {
    if (inside) words.push_back({text.substr(begin, end - begin), first, reader.character()});
    inside = false;
  };
  while (!reader.done()) {
    const unicode::Flags flags = unicode::class_of(reader.peek()).flags;
    if ((flags & unicode::kWhitespace) != 0) {
      end_word(reader.at());
      reader.take();
      begin = reader.at(), first = reader.character();
    } else if ((flags & unicode::kControl) != 0) {
      reader.take();
    } else if (units == Units::Characters || (flags & (unicode::kPunctuation | unicode::kChinese)) != 0 ||
               (within(kWithoutSpaces, reader.peek()) && !(inside && extends(reader.peek())))) {
      end_word(reader.at());
      begin = reader.at(), first = reader.character();
      reader.take_whole();
      inside = true;
      end_word(reader.at());
      begin = reader.at(), first = reader.character();
    } else {
      if (!inside) begin = reader.at(), first = reader.character();
      reader.take();
      inside = true;
    }
  }
  end_word(reader.at());
  return words;
}

}  // namespace potstill::tokenizer
