// Expected words and places are those of Hugging Face tokenizers 0.23.
#include "tokenizer/pre_tokenizers/metaspace.h"

#include <gtest/gtest.h>

#include "cut_words.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/pre_tokenizers/whitespace.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;
using enum fb::Prefix;

Metaspace metaspace(fb::Prefix prefix, bool split = true) { return {"▁", prefix, split}; }

TEST(Metaspace, SpacesBeginWords) {
  const Cut cut_up{{"▁Hey", 0, 3}, {"▁", 3, 4}, {"▁you", 4, 8}, {"▁", 8, 11}, {"▁", 11, 12}};
  EXPECT_EQ(cut(metaspace(Always), "Hey  you▁ "), cut_up);
  EXPECT_EQ(cut(metaspace(First), "Hey  you▁ "), cut_up);
  EXPECT_EQ(cut(metaspace(Never), "Hey  you▁ "),
            (Cut{{"Hey", 0, 3}, {"▁", 3, 4}, {"▁you", 4, 8}, {"▁", 8, 11}, {"▁", 11, 12}}));
  for (const fb::Prefix prefix : {Always, First, Never}) {
    EXPECT_EQ(cut(metaspace(prefix), " a"), (Cut{{"▁a", 0, 2}}));
    EXPECT_EQ(cut(metaspace(prefix), ""), Cut{});
  }
}

TEST(Metaspace, WithoutSplit) {
  EXPECT_EQ(cut(metaspace(Always, false), "Hey  you▁ "), (Cut{{"▁Hey▁▁you▁▁", 0, 12}}));
  EXPECT_EQ(cut(metaspace(Never, false), "Hey  you▁ "), (Cut{{"Hey▁▁you▁▁", 0, 12}}));
}

TEST(Metaspace, FirstIsWhatBeginsWhereTheTextDoes) {
  const WhitespaceSplit split;
  const Metaspace always = metaspace(Always), first = metaspace(First);
  EXPECT_EQ(cut(Steps{&split, &always}, "a b\u3000c"), (Cut{{"▁a", 0, 1}, {"▁b", 2, 3}, {"▁c", 6, 7}}));
  EXPECT_EQ(cut(Steps{&split, &first}, "a b"), (Cut{{"▁a", 0, 1}, {"b", 2, 3}}));
  EXPECT_EQ(cut(Steps{&split, &first}, " a b"), (Cut{{"a", 1, 2}, {"b", 3, 4}}));
  const ByteLevel bytes(true, true);
  EXPECT_EQ(cut(Steps{&bytes, &first}, "\na b"), (Cut{{"▁Ġ", 0, 1}, {"▁Ċ", 0, 1}, {"a", 1, 2}, {"Ġb", 2, 4}}));
}

TEST(Metaspace, WhatIsUnsoundIsTold) {
  EXPECT_EQ(Metaspace::problem("▁", Never), nullptr);
  for (const char* replacement : {"", "ab", "▁▁", "\xE2\x96"}) {
    EXPECT_NE(Metaspace::problem(replacement, Never), nullptr) << replacement;
  }
  EXPECT_NE(Metaspace::problem("▁", static_cast<fb::Prefix>(3)), nullptr);
}

}  // namespace
}  // namespace potstill::tokenizer
