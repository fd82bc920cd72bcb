#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "potstill/error.h"
#include "tools/json.h"

namespace potstill::tools {
namespace {

TEST(Json, StringsAreAlwaysValid) {
  EXPECT_EQ(quoted("plain"), "\"plain\"");
  EXPECT_EQ(quoted("a \"b\" \\ \n\x1f"), "\"a \\\"b\\\" \\\\ \\u000a\\u001f\"");
  EXPECT_EQ(quoted("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
  EXPECT_EQ(quoted("x\xff"), "\"x\\ufffd\"");
}

TEST(Json, NumbersAreAlwaysValid) {
  EXPECT_EQ(number(0.5), "0.5");
  EXPECT_EQ(number(std::nan("")), "null");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "null");
}

TEST(Error, NamesOfOthersCannotCommandATerminal) {
  const Error error("F001", "a\x1b[2J\x7f", "caf\xc3\xa9\n\r\xc2\x9b\xe2\x80\xae.still \xe2\x82\xac",
                    "first\n  second\t");
  EXPECT_STREQ(error.what(),
               "error[F001]: a\\x1b[2J\\x7f; caf\xc3\xa9\\n\\r\\x9b\\u202e.still \xe2\x82\xac; first\n  second\\t");
  EXPECT_EQ(error.what_happened, "a\x1b[2J\x7f");  // the parts are as they were given
  EXPECT_EQ(printable("cut \xe2\x80"), "cut \xe2\x80");
  EXPECT_EQ(printable("\xc2\xa0 \xe2\x80\x94 \xe2\x81\xa0"), "\xc2\xa0 \xe2\x80\x94 \\u2060");
}

}  // namespace
}  // namespace potstill::tools
