// Expected ids are those of Hugging Face tokenizers 0.23 over the same small vocabulary.
#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <string_view>

#include "small_vocabulary.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(Tokenizer, EmptyAndBlankTextHaveOnlySpecials) {
  const SmallVocabulary v = words();
  EXPECT_EQ(v.encode(""), Ids{});
  EXPECT_EQ(v.tokenizer().encode(""), (Ids{kCls, kSep}));
  EXPECT_EQ(v.encode(" \t\r\n\u00a0\u2003\u3000"), Ids{});
}

TEST(Tokenizer, InvalidUtf8ReadsAsReplacementCharacter) {
  const SmallVocabulary v = SmallVocabulary::bert({"a", "##\ufffd", "\ufffd", "##a"});
  Settings kept;
  EXPECT_EQ(v.encode("a\xff\xfe"), (Ids{5}));  // clean_text removes U+FFFD
  kept.bert.clean_text = false;
  EXPECT_EQ(v.encode("a\xff\xfe", kept), (Ids{5, 6, 6}));
  EXPECT_EQ(v.encode("\xe4\xb8", kept), (Ids{7}));
  EXPECT_EQ(v.encode("\xe4\xb8"
                     "a",
                     kept),
            (Ids{7, 8}));
}

TEST(Tokenizer, AppendsToABatch) {
  const SmallVocabulary v = words();
  const Tokenizer tokenizer = v.tokenizer();
  Ids ids;
  tokenizer.encode("a", ids);
  tokenizer.encode("b", ids);
  EXPECT_EQ(ids, (Ids{16, 17}));
}

// Every shape of text that could make the work grow faster than the text. Sixteen times the text takes sixteen times
// the processor time when the work is linear, 256 times when it is quadratic; the bound lies between, 64.
TEST(Tokenizer, TimeIsLinearInHostileText) {
  const SmallVocabulary v = words();
  const Tokenizer tokenizer = v.tokenizer();
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

TEST(Tokenizer, IdsOfSpecialTokensAreChecked) {
  const SmallVocabulary v = sound();
  const auto with = [](std::size_t place, std::uint32_t id) {
    Settings settings;
    if (place < 2) {
      fb::TemplatePart& part = settings.around.single[2 * place];
      part = {id, fb::Part::Id, 0};
    } else if (place == 2) {
      settings.around.pair[4] = {id, fb::Part::Id, 1};
    } else {
      settings.pad_id = static_cast<std::int32_t>(id);
    }
    return settings;
  };
  for (std::size_t place = 0; place < 4; ++place) {
    EXPECT_EQ(v.problem(with(place, 8)), nullptr);
    v.expect_problem("special token", with(place, 9));
    if (place < 3) v.expect_problem("special token", with(place, UINT32_MAX));
  }
}

TEST(Tokenizer, PaddingIsToldFromTextWhereItCanBe) {
  const SmallVocabulary v = words();
  const Tokenizer tokenizer = v.tokenizer();
  EXPECT_EQ(tokenizer.padding(), 0);
  for (const Ids& filled : {Ids{2, 5, 3, 0}, Ids{0, 2, 5, 3}, Ids{0}}) EXPECT_TRUE(tokenizer.padded(filled));
  for (const Ids& text : {Ids{2, 5, 3}, Ids{2, 0, 3}, Ids{0, 5, 3}}) EXPECT_FALSE(tokenizer.padded(text));
  for (const std::int32_t special : {-1, 2, 3}) {
    const Tokenizer same = v.tokenizer({.pad_id = special});
    EXPECT_EQ(same.padding(), -1);
    EXPECT_FALSE(same.padded(Ids{2, 5, 3, 3}));
  }
}

// Tables that pass the checks may be nonsense, but encoding with them stays inside them and ends.
TEST(Tokenizer, DamagedTablesNeverGiveIdsOutsideTheVocabulary) {
  std::uint32_t state = 7;
  const auto random = [&](std::uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  int passed = 0;
  for (int round = 0; round < 4000; ++round) {
    SmallVocabulary v = sound();
    const std::uint32_t damages = 1 + random(3);
    for (std::uint32_t i = 0; i < damages; ++i) {
      const auto small = static_cast<std::int32_t>(random(40)) - 4;
      switch (random(4)) {
        case 0:
          v.offsets[random(static_cast<std::uint32_t>(v.offsets.size()))] = small;
          break;
        case 1:
          v.slots[random(static_cast<std::uint32_t>(v.slots.size()))] = small;
          break;
        case 2:
          v.blob[random(static_cast<std::uint32_t>(v.blob.size()))] = static_cast<char>(random(256));
          break;
        default:
          v.added_ids[random(5)] = random(12);
          break;
      }
    }
    if (v.problem() != nullptr) continue;
    ++passed;
    for (const std::int32_t id : v.tokenizer().encode("aab[MASK]ba 中中 \xe4\xb8 [CLS")) {
      ASSERT_GE(id, 0);
      ASSERT_LT(id, 9);
    }
  }
  EXPECT_GT(passed, 400);
}

}  // namespace
}  // namespace potstill::tokenizer
