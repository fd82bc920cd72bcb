// Expected words and places are those of Hugging Face tokenizers 0.23, with Split(Regex(...), "isolated").
#include "tokenizer/patterns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "cut_words.h"
#include "tokenizer/characters.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;
using enum fb::PatternKind;

TEST(Patterns, Gpt2) {
  const Split gpt2 = isolated(Gpt2);
  EXPECT_EQ(cut(gpt2, "It's  we'll 'S!'s"), (Cut{{"It", 0, 2},
                                                 {"'s", 2, 4},
                                                 {" ", 4, 5},
                                                 {" we", 5, 8},
                                                 {"'ll", 8, 11},
                                                 {" '", 11, 13},
                                                 {"S", 13, 14},
                                                 {"!'", 14, 16},
                                                 {"s", 16, 17}}));
  EXPECT_EQ(
      cut(gpt2, "a1²中\u0301  \n b\t"),
      (Cut{
          {"a", 0, 1}, {"1²", 1, 4}, {"中", 4, 7}, {"\u0301", 7, 9}, {"  \n", 9, 12}, {" b", 12, 14}, {"\t", 14, 15}}));
  EXPECT_EQ(cut(gpt2, " '"), (Cut{{" '", 0, 2}}));
  EXPECT_EQ(cut(gpt2, "12 ½x"), (Cut{{"12", 0, 2}, {" ½", 2, 5}, {"x", 5, 6}}));
}

TEST(Patterns, Llama3) {
  const Split llama3 = isolated(Llama3);
  EXPECT_EQ(cut(llama3, "It'S we'ſ 'tis"),
            (Cut{{"It", 0, 2}, {"'S", 2, 4}, {" we", 4, 7}, {"'ſ", 7, 10}, {" '", 10, 12}, {"tis", 12, 15}}));
  EXPECT_EQ(cut(llama3, "x12345 ²½\n"),
            (Cut{{"x", 0, 1}, {"123", 1, 4}, {"45", 4, 6}, {" ", 6, 7}, {"²½", 7, 11}, {"\n", 11, 12}}));
  EXPECT_EQ(cut(llama3, "a!?\r\n\n b \n \n  c\td"), (Cut{{"a", 0, 1},
                                                         {"!?\r\n\n", 1, 6},
                                                         {" b", 6, 8},
                                                         {" \n \n", 8, 12},
                                                         {" ", 12, 13},
                                                         {" c", 13, 15},
                                                         {"\td", 15, 17}}));
  EXPECT_EQ(cut(llama3, "  'LL é\u0301"),
            (Cut{{" ", 0, 1}, {" '", 1, 3}, {"LL", 3, 5}, {" é", 5, 8}, {"\u0301", 8, 10}}));
}

TEST(Patterns, Qwen) {
  EXPECT_EQ(cut(isolated(Qwen2), "12 a1"), (Cut{{"1", 0, 1}, {"2", 1, 2}, {" a", 2, 4}, {"1", 4, 5}}));
  EXPECT_EQ(cut(isolated(Qwen35), "e\u0301a \u0301 !\u0301b 12"), (Cut{{"e\u0301a", 0, 4},
                                                                       {" \u0301", 4, 7},
                                                                       {" !", 7, 9},
                                                                       {"\u0301b", 9, 12},
                                                                       {" ", 12, 13},
                                                                       {"1", 13, 14},
                                                                       {"2", 14, 15}}));
}

TEST(Patterns, Gpt4o) {
  const Split gpt4o = isolated(Gpt4o);
  EXPECT_EQ(cut(gpt4o, "HelloWORLDaB'Re ABC'x"),
            (Cut{{"Hello", 0, 5}, {"WORLDa", 5, 11}, {"B'Re", 11, 15}, {" ABC", 15, 19}, {"'x", 19, 21}}));
  EXPECT_EQ(cut(gpt4o, "\u0301ABC !ǅa 1234//\n/ \n x"), (Cut{{"\u0301", 0, 2},
                                                             {"ABC", 2, 5},
                                                             {" !", 5, 7},
                                                             {"ǅa", 7, 10},
                                                             {" ", 10, 11},
                                                             {"123", 11, 14},
                                                             {"4", 14, 15},
                                                             {"//\n/", 15, 19},
                                                             {" \n", 19, 21},
                                                             {" x", 21, 23}}));
  EXPECT_EQ(cut(gpt4o, "中ABC aʰBC'll"), (Cut{{"中", 0, 3}, {"ABC", 3, 6}, {" aʰ", 6, 10}, {"BC'll", 10, 15}}));
  EXPECT_EQ(cut(isolated(Tekken), "We'll12"), (Cut{{"We", 0, 2}, {"'ll", 2, 5}, {"1", 5, 6}, {"2", 6, 7}}));
}

TEST(Patterns, Runs) {
  EXPECT_EQ(cut(isolated(Spaces), "a  b c   "), (Cut{{"a", 0, 1}, {"  ", 1, 3}, {"b c", 3, 6}, {"   ", 6, 9}}));
  EXPECT_EQ(cut(isolated(WhiteSpace), "a \t\u3000b\u0085"),
            (Cut{{"a", 0, 1}, {" \t\u3000", 1, 6}, {"b", 6, 7}, {"\u0085", 7, 9}}));
  EXPECT_EQ(cut(isolated(OddSpaces), "a b\tc  d\u2028e\n"),
            (Cut{{"a b", 0, 3}, {"\t", 3, 4}, {"c", 4, 5}, {"  ", 5, 7}, {"d\u2028e", 7, 12}, {"\n", 12, 13}}));
  EXPECT_EQ(cut(isolated(LineBreaks), "a\n\tb c"), (Cut{{"a", 0, 1}, {"\n", 1, 2}, {"\t", 2, 3}, {"b c", 3, 6}}));
  EXPECT_EQ(cut(isolated(Number), "12a½"), (Cut{{"1", 0, 1}, {"2", 1, 2}, {"a", 2, 3}, {"½", 3, 5}}));
  EXPECT_EQ(cut(isolated(ThreeNumbers), "1234a½"), (Cut{{"123", 0, 3}, {"4", 3, 4}, {"a", 4, 5}, {"½", 5, 7}}));
  EXPECT_EQ(cut(isolated(ThreeDigits), "12345678 12"), (Cut{{"123", 0, 3}, {"456", 3, 6}, {"78 12", 6, 11}}));
}

TEST(Patterns, EndsAndTexts) {
  EXPECT_EQ(cut(isolated(EndSpaces), "  a  b  "), (Cut{{"  ", 0, 2}, {"a  b", 2, 6}, {"  ", 6, 8}}));
  EXPECT_EQ(cut(isolated(EndSpaces), "   "), (Cut{{"   ", 0, 3}}));
  EXPECT_EQ(cut(isolated(TextAtStart, "ab"), "abab"), (Cut{{"ab", 0, 2}, {"ab", 2, 4}}));
  EXPECT_EQ(cut(isolated(TextAtStart, "ab"), " ab"), (Cut{{" ab", 0, 3}}));
  EXPECT_EQ(cut(isolated(Text, "aa"), "aaabaa"), (Cut{{"aa", 0, 2}, {"ab", 2, 4}, {"aa", 4, 6}}));
}

TEST(Patterns, AsciiIsAsTheTablesHaveIt) {
  using namespace unicode;
  constexpr Flags kAsked = kLetter | kUpperLetter | kLowerLetter | kAnyMark | kNumber | kNumeric | kSpace |
                           kWhitespace | kWordChar | kPunctuation;
  for (unsigned char byte = 0; byte < 128; ++byte) {
    EXPECT_EQ(ascii::kFlags[byte], class_of(byte).flags & kAsked) << static_cast<int>(byte);
  }
}

const char* problem_of(fb::PatternKind kind, const char* text) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreatePatternDirect(builder, kind, text));
  return Pattern::problem(flatbuffers::GetRoot<fb::Pattern>(builder.GetBufferPointer()));
}

TEST(Patterns, WhatIsUnsoundIsTold) {
  EXPECT_EQ(problem_of(Gpt2, nullptr), nullptr);
  EXPECT_EQ(problem_of(Text, std::string(64, 'a').c_str()), nullptr);
  EXPECT_NE(problem_of(Text, std::string(65, 'a').c_str()), nullptr);
  EXPECT_NE(problem_of(Text, ""), nullptr);
  EXPECT_NE(problem_of(TextAtStart, nullptr), nullptr);
  EXPECT_NE(problem_of(Text, "\xC3"), nullptr);
  EXPECT_NE(problem_of(static_cast<fb::PatternKind>(static_cast<int>(fb::PatternKind::MAX) + 1), "a"), nullptr);
  EXPECT_NE(Pattern::problem(nullptr), nullptr);
}

// Sixteen times the text takes sixteen times the processor time when the work is linear, 256 times when it is
// quadratic; the bound lies between, 64.
TEST(Patterns, TimeIsLinearInHostileText) {
  const auto seconds = [](const Split& step, const std::string& part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
      Words words = whole(text, false);
      const std::clock_t start = std::clock();
      step.split(words);
      best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    return best;
  };
  for (const fb::PatternKind kind : fb::EnumValuesPatternKind()) {
    const Split step = isolated(kind, "aaaaaaaab");
    for (const std::string& part : {std::string("a"), std::string(" "), std::string(" \n"), std::string("\u0301"),
                                    std::string("'"), std::string("aA"), std::string("\u02B0AA"), std::string("A!")}) {
      const std::size_t times = 20000 / part.size();
      EXPECT_LT(seconds(step, part, 16 * times), 64 * seconds(step, part, times) + 0.005)
          << fb::EnumNamePatternKind(kind) << " " << part;
    }
  }
}

}  // namespace
}  // namespace potstill::tokenizer
