// Expected ids are those of Hugging Face tokenizers 0.23 over the same small vocabulary.
#include "tokenizer/wordpiece.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "small_vocabulary.h"

namespace potstill::tokenizer {
namespace {

using testing::SmallVocabulary;
using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kUnk = 1, kCls = 2, kSep = 3, kMask = 4;

SmallVocabulary words() {
  //                                  5      6        7       8       9      10     11   12   13   14     15
  return SmallVocabulary::bert({"turn", "light", "##ing", "##s", "cafe", "##é", "!", "[", "]", "中", "##中",
                                //  16  17    18      19      20      21    22        23   24      25     26
                                "a", "b", "##a", "##b", "ab", "i", "##̇", "i̇", "Turn", "café", "mask"});
}

Ids encode(const WordPieceView& view, std::string_view text) {
  EXPECT_EQ(problem(view), nullptr);
  Ids ids = WordPieceTokenizer(view).encode(text);
  EXPECT_GE(ids.size(), 2u);
  EXPECT_EQ(ids.front(), kCls);
  EXPECT_EQ(ids.back(), kSep);
  return Ids(ids.begin() + 1, ids.end() - 1);
}

TEST(FitPair, CutsTheLongerTextFirst) {
  const auto fit = [](std::size_t first, std::size_t second, std::size_t room) {
    fit_pair(first, second, room);
    return std::pair(first, second);
  };
  EXPECT_EQ(fit(3, 40, 10), (std::pair<std::size_t, std::size_t>(3, 7)));
  EXPECT_EQ(fit(40, 3, 10), (std::pair<std::size_t, std::size_t>(7, 3)));
  EXPECT_EQ(fit(20, 30, 11), (std::pair<std::size_t, std::size_t>(5, 6)));
  EXPECT_EQ(fit(30, 20, 11), (std::pair<std::size_t, std::size_t>(6, 5)));
  EXPECT_EQ(fit(20, 20, 11), (std::pair<std::size_t, std::size_t>(5, 6)));
  EXPECT_EQ(fit(5, 6, 11), (std::pair<std::size_t, std::size_t>(5, 6)));
  EXPECT_EQ(fit(2, 3, 11), (std::pair<std::size_t, std::size_t>(2, 3)));
}

TEST(WordPiece, EmptyAndBlankTextHaveOnlySpecials) {
  const SmallVocabulary v = words();
  EXPECT_EQ(encode(v.view(), ""), Ids{});
  EXPECT_EQ(encode(v.view(), " \t\r\n\u00a0\u2003\u3000"), Ids{});
}

TEST(WordPiece, LongestMatchFirst) {
  const SmallVocabulary v = words();
  EXPECT_EQ(encode(v.view(), "turning lights!"), (Ids{5, 7, 6, 8, 11}));
  EXPECT_EQ(encode(v.view(), "ab aba abab"), (Ids{20, 20, 18, 20, 18, 19}));
}

TEST(WordPiece, OneUnmatchedPlaceMakesTheWholeWordUnknown) {
  const SmallVocabulary v = words();
  EXPECT_EQ(encode(v.view(), "turnx turn"), (Ids{kUnk, 5}));
  EXPECT_EQ(encode(v.view(), "##ing"), (Ids{kUnk, kUnk, kUnk}));
}

TEST(WordPiece, LowercaseAndAccents) {
  const SmallVocabulary v = words();
  EXPECT_EQ(encode(v.view(), "TURN Café CAFE\u0301"), (Ids{5, 9, 9}));
  EXPECT_EQ(encode(v.view(false, false), "Turn turn café"), (Ids{24, 5, 25}));
  EXPECT_EQ(encode(v.view(false, true), "Turn café"), (Ids{24, 9}));
  EXPECT_EQ(encode(v.view(true, false), "CAFÉ"), (Ids{25}));
}

TEST(WordPiece, DottedCapitalIBecomesTwoCharacters) {
  const SmallVocabulary v = words();
  EXPECT_EQ(encode(v.view(true, false), "\u0130"), (Ids{23}));
  EXPECT_EQ(encode(v.view(true, true), "\u0130"), (Ids{21}));
}

TEST(WordPiece, CleanTextRemovesWithoutSplitting) {
  const SmallVocabulary v = words();
  using namespace std::string_view_literals;
  EXPECT_EQ(encode(v.view(),
                   "tu\0rn l\u200di\u00adght\u0085s a\x0b"
                   "b"sv),
            (Ids{5, 6, 8, 20}));
  WordPieceView raw = v.view();
  raw.clean_text = false;
  EXPECT_EQ(encode(raw,
                   "tu\0rn a\x0b"
                   "b"sv),
            (Ids{kUnk, 16, 17}));
}

TEST(WordPiece, ChineseCharactersStandAlone) {
  const SmallVocabulary v = words();
  EXPECT_EQ(encode(v.view(), "a中中b"), (Ids{16, 14, 14, 17}));
  WordPieceView whole = v.view();
  whole.handle_chinese_chars = false;
  EXPECT_EQ(encode(whole, "a中中b"), (Ids{16, 15, 15, 19}));
}

TEST(WordPiece, AddedTokensAreCutOutOfTheRawText) {
  const SmallVocabulary v = words();
  EXPECT_EQ(encode(v.view(), "a[MASK]b [CLS]"), (Ids{16, kMask, 17, kCls}));
  EXPECT_EQ(encode(v.view(), "[mask] [[MASK]]"), (Ids{12, 26, 13, 12, kMask, 13}));
  EXPECT_EQ(encode(v.view(), "[MAS"), (Ids{12, kUnk}));
  WordPieceView none = v.view();
  none.added_ids = {};
  EXPECT_EQ(encode(none, "[MASK]"), (Ids{12, 26, 13}));
}

TEST(WordPiece, LongestAddedTokenWinsAndMayBeOutsideTheVocabulary) {
  SmallVocabulary v({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "<e>", "<e>x", "x", "e"}, 6);
  const WordPieceView view = v.view();
  EXPECT_EQ(encode(view, "<e>x<e>e<E>"), (Ids{5, 4, 7, kUnk, 7, kUnk}));
  for (std::int32_t& slot : v.slots) slot = slot == 5 ? 4 : slot;  // id 5 now lives in the text of the pieces alone
  EXPECT_EQ(WordPieceTokenizer(view).find("<e>x"), -1);
  EXPECT_EQ(encode(view, "<e>x"), (Ids{5}));
}

TEST(WordPiece, HangulDecomposesByFormula) {
  // U+AC01 = U+1100 U+1161 U+11A8, U+AC00 = U+1100 U+1161
  const SmallVocabulary v = SmallVocabulary::bert({"\u1100", "##\u1161", "##\u11a8", "\uac01"});
  EXPECT_EQ(encode(v.view(), "\uac01 \uac00"), (Ids{5, 6, 7, 5, 6}));
  EXPECT_EQ(encode(v.view(true, false), "\uac01"), (Ids{8}));
}

TEST(WordPiece, KeptMarksComeInCanonicalOrder) {
  // U+1D165 (class 216) and U+302E (class 224) are spacing marks, which strip_accents keeps; U+0301 (230) goes.
  const SmallVocabulary v = SmallVocabulary::bert({"a", "##\U0001D165", "##\u302e"});
  EXPECT_EQ(encode(v.view(), "a\u302e\u0301\U0001D165"), (Ids{5, 6, 7}));
  EXPECT_EQ(encode(v.view(), "a\u302e\U0001D165\u302e"), (Ids{5, 6, 7, 7}));
  EXPECT_EQ(encode(v.view(true, false), "a\u302e\U0001D165"), (Ids{5, 7, 6}));
}

TEST(WordPiece, WordsOverTheLimitAreUnknown) {
  const SmallVocabulary v = words();
  EXPECT_EQ(encode(v.view(), std::string(100, 'a')).size(), 100u);
  EXPECT_EQ(encode(v.view(), std::string(101, 'a') + " b"), (Ids{kUnk, 17}));
  WordPieceView four = v.view();
  four.max_chars_per_word = 4;
  EXPECT_EQ(encode(four, "turn a\u00e9\u00e9\u00e9 light"), (Ids{5, kUnk, kUnk}));
  // The limit counts characters, not bytes, and counts them after normalization.
  EXPECT_EQ(encode(four, "中中中中中"), (Ids{14, 14, 14, 14, 14}));
  EXPECT_EQ(encode(four, "t\u0301u\u0301r\u0301n\u0301"), (Ids{5}));
}

TEST(WordPiece, InvalidUtf8ReadsAsReplacementCharacter) {
  const SmallVocabulary v = SmallVocabulary::bert({"a", "##\ufffd", "\ufffd", "##a"});
  WordPieceView view = v.view();
  EXPECT_EQ(encode(view, "a\xff\xfe"), (Ids{5}));  // clean_text removes U+FFFD
  view.clean_text = false;
  EXPECT_EQ(encode(view, "a\xff\xfe"), (Ids{5, 6, 6}));
  EXPECT_EQ(encode(view, "\xe4\xb8"), (Ids{7}));
  EXPECT_EQ(encode(view,
                   "\xe4\xb8"
                   "a"),
            (Ids{7, 8}));
}

TEST(WordPiece, AppendsToABatch) {
  const SmallVocabulary v = words();
  const WordPieceTokenizer tokenizer(v.view());
  Ids ids;
  tokenizer.encode_into("a", ids);
  tokenizer.encode_into("b", ids);
  EXPECT_EQ(ids, (Ids{kCls, 16, kSep, kCls, 17, kSep}));
}

// Every shape of text that could make the work grow faster than the text. Sixteen times the text takes sixteen times
// the processor time when the work is linear, 256 times when it is quadratic; the bound lies between, 64.
TEST(WordPiece, TimeIsLinearInHostileText) {
  const SmallVocabulary v = words();
  const WordPieceTokenizer tokenizer(v.view());
  const auto seconds = [&](std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    double best = 1e9;
    for (int i = 0; i < 5; ++i) {
      const std::clock_t start = std::clock();
      EXPECT_GE(tokenizer.encode(text).size(), 2u);
      best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    return best;
  };
  const std::string full = std::string(99, 'a') + "x ";  // all of a word is tried, then all of it is given up
  for (const std::string& part : {std::string("a"), full, std::string("[MASK"), std::string("\u302e\U0001D165"),
                                  std::string("\u0301"), std::string("\xf0"), std::string("!")}) {
    const std::size_t times = 20000 / part.size();
    EXPECT_LT(seconds(part, 16 * times), 64 * seconds(part, times) + 0.005) << part;
  }
}

}  // namespace
}  // namespace potstill::tokenizer
