#include "tokenizer/template.h"

#include <gtest/gtest.h>

#include <utility>

#include "small_vocabulary.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

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

TEST(Template, WrapsATextAndAPair) {
  const Template around = bert_template();
  EXPECT_EQ(Template::specials(around.single), 2u);
  EXPECT_EQ(Template::specials(around.pair), 3u);
  EXPECT_EQ(around.leading(), 1u);
  EXPECT_EQ(around.first(), kCls);
  EXPECT_EQ(around.last(), kSep);
  Ids ids;
  around.wrap(Ids{7, 8}, ids);
  EXPECT_EQ(ids, (Ids{kCls, 7, 8, kSep}));
  ids.clear();
  const Ids first{7, 8}, second{9};
  Template::wrap<std::int32_t>(around.pair, first, second, ids);
  EXPECT_EQ(ids, (Ids{kCls, 7, 8, kSep, 9, kSep}));
  EXPECT_EQ(Template::types(around.pair, 2, 1), (Ids{0, 0, 0, 0, 1, 1}));
}

TEST(Template, FollowsItsParts) {
  using enum fb::Part;
  const Template around{{{0, First, 0}, {1, Id, 0}}, {{0, First, 0}, {1, Id, 0}, {1, Id, 0}, {0, Second, 0}}};
  EXPECT_EQ(around.leading(), 0u);
  EXPECT_EQ(around.first(), -1);
  EXPECT_EQ(around.last(), 1);
  Ids ids;
  const Ids first{7}, second{9};
  Template::wrap<std::int32_t>(around.pair, first, second, ids);
  EXPECT_EQ(ids, (Ids{7, 1, 1, 9}));
  EXPECT_EQ(Template::types(around.pair, 1, 1), (Ids{0, 0, 0, 0}));
}

}  // namespace
}  // namespace potstill::tokenizer
