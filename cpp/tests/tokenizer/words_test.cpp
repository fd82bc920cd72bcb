// Where words are, in characters.
#include "tokenizer/words.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "potstill/error.h"

namespace potstill::tokenizer {
namespace {

using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

Ranges ranges(std::string_view text, Units units = Units::Words) {
  Ranges found;
  for (const Word& word : words_of(text, units)) found.emplace_back(word.begin, word.end);
  return found;
}

// The words with a bar between them.
std::string cut(std::string_view text, Units units) {
  std::string found;
  for (const Word& word : words_of(text, units)) found += (found.empty() ? "" : "|") + std::string(word.text);
  return found;
}

TEST(WordRanges, PartAtWhiteSpaceAndPunctuation) {
  EXPECT_EQ(ranges("Bob lives, there."), (Ranges{{0, 3}, {4, 9}, {9, 10}, {11, 16}, {16, 17}}));
  EXPECT_EQ(ranges("  don't\t\n"), (Ranges{{2, 5}, {5, 6}, {6, 7}}));
  EXPECT_TRUE(ranges("").empty());
  EXPECT_TRUE(ranges(" \n").empty());
  EXPECT_EQ(ranges("a"), (Ranges{{0, 1}}));
}

TEST(WordRanges, CountCharactersNotBytes) {
  // Two-, three- and four-byte characters; an ideograph is a word of its own.
  EXPECT_EQ(ranges("caf\u00e9 na\u00efve"), (Ranges{{0, 4}, {5, 10}}));
  EXPECT_EQ(ranges("x\u4e2d\u6587y"), (Ranges{{0, 1}, {1, 2}, {2, 3}, {3, 4}}));
  EXPECT_EQ(ranges("\U0001f600 ok"), (Ranges{{0, 1}, {2, 4}}));
  // A combining mark stays with its letter.
  EXPECT_EQ(ranges("e\u0301t\u00e9!"), (Ranges{{0, 4}, {4, 5}}));
  // No-break space and ideographic space are white space, a typographic quote is punctuation.
  EXPECT_EQ(ranges("a\u00a0b\u3000c\u201d"), (Ranges{{0, 1}, {2, 3}, {4, 5}, {5, 6}}));
}

TEST(WordRanges, LeaveControlCharactersInTheirWord) {
  EXPECT_EQ(ranges("a\u200bb \u200b c"), (Ranges{{0, 3}, {6, 7}}));
  EXPECT_EQ(ranges("\x01"
                   "a"),
            (Ranges{{1, 2}}));
}

TEST(WordRanges, OfScriptsWithoutSpacesAreCharacters) {
  // Japanese with a Latin word in it; the mark of a long vowel is a character.
  EXPECT_EQ(cut("東京でiPhoneのケースを", Units::Words), "東|京|で|iPhone|の|ケ|ー|ス|を");
  // Halfwidth ga, written with a voicing mark.
  EXPECT_EQ(cut("ｶﾞｽ", Units::Words), "ｶﾞ|ｽ");
  // Thai: vowels and tones above and below stay with their consonant, those before it are characters.
  EXPECT_EQ(cut("ที่นี่ เก้า", Units::Words), "ที่|นี่|เ|ก้|า");
  EXPECT_EQ(cut("น้ำ", Units::Words), "น้ำ");
  // Korean is written with spaces.
  EXPECT_EQ(cut("서울에 산다.", Units::Words), "서울에|산다|.");
}

TEST(Characters, StandByThemselves) {
  EXPECT_EQ(cut("서울 IBM 2024年", Units::Characters), "서|울|I|B|M|2|0|2|4|年");
  EXPECT_EQ(cut("１２Ａ　Ｂ", Units::Characters), "１|２|Ａ|Ｂ");
  EXPECT_EQ(ranges("a\u4e2d b", Units::Characters), (Ranges{{0, 1}, {1, 2}, {3, 4}}));
}

TEST(Characters, KeepWhatBelongsToThem) {
  EXPECT_EQ(ranges("e\u0301\u0323t", Units::Characters), (Ranges{{0, 3}, {3, 4}}));
  EXPECT_EQ(ranges("\u845b\U000e0100\u98fe", Units::Characters), (Ranges{{0, 2}, {2, 3}}));  // a variant of a glyph
  // A family, a flag, a waving hand with a tone, a keycap.
  EXPECT_EQ(
      ranges("\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1ef\U0001f1f5\U0001f1e9\U0001f1ea", Units::Characters),
      (Ranges{{0, 5}, {5, 7}, {7, 9}}));
  EXPECT_EQ(ranges("\U0001f44b\U0001f3fd#\ufe0f\u20e3", Units::Characters), (Ranges{{0, 2}, {2, 5}}));
  // U+200D joins emoji alone; a letter behind one begins anew.
  EXPECT_EQ(ranges("a\u200d\U0001f44b", Units::Characters), (Ranges{{0, 2}, {2, 3}}));
  // A syllable of three parts, and one whose last part is written apart.
  EXPECT_EQ(ranges("\u1112\u1161\u11ab\uae00\uac00\u11a8\u1112", Units::Characters),
            (Ranges{{0, 3}, {3, 4}, {4, 6}, {6, 7}}));
  // A mark without a letter is a character, a control character is none.
  EXPECT_EQ(ranges("\u0301 \u200b\u00ad", Units::Characters), (Ranges{{0, 1}}));
}

TEST(GivenWords, AreNotSearchedFor) {
  try {
    (void)words_of("a", Units::Given);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, "I130");
  }
}

}  // namespace
}  // namespace potstill::tokenizer
