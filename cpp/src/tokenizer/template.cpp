#include "tokenizer/template.h"

#include <algorithm>

namespace potstill::tokenizer {
namespace {

bool is_special(const fb::TemplatePart& part) noexcept { return part.part() == fb::Part::Id; }

std::int32_t id_of(const fb::TemplatePart& part) noexcept {
  return is_special(part) ? static_cast<std::int32_t>(part.id()) : -1;
}

}  // namespace

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

const char* Template::problem(std::size_t pieces) const noexcept {
  const auto count = [](const Parts& parts, fb::Part kind) {
    return std::count_if(parts.begin(), parts.end(), [&](const auto& part) { return part.part() == kind; });
  };
  for (const Parts* parts : {&single, &pair}) {
    for (const fb::TemplatePart& part : *parts) {
      if (part.part() == fb::Part::Id && part.id() >= pieces)
        return "the id of a special token is outside the vocabulary";
      if (part.part() > fb::Part::Second) return "a template has a part of an unknown kind";
      if (part.type() > 1) return "a template has a token type other than 0 and 1";
    }
  }
  if (count(single, fb::Part::First) != 1 || count(single, fb::Part::Second) != 0) {
    return "the template of one text does not hold it once";
  }
  if (!pair.empty() && (count(pair, fb::Part::First) != 1 || count(pair, fb::Part::Second) != 1)) {
    return "the template of a pair does not hold each text once";
  }
  return nullptr;
}

std::size_t Template::specials(const Parts& parts) noexcept {
  return static_cast<std::size_t>(std::count_if(parts.begin(), parts.end(), is_special));
}

std::size_t Template::leading() const noexcept {
  const auto text = std::find_if_not(single.begin(), single.end(), is_special);
  return static_cast<std::size_t>(text - single.begin());
}

std::int32_t Template::first() const noexcept { return id_of(single.front()); }

std::int32_t Template::last() const noexcept { return id_of(single.back()); }

std::vector<std::int32_t> Template::types(const Parts& parts, std::size_t first, std::size_t second) {
  std::vector<std::int32_t> types;
  for (const fb::TemplatePart& part : parts) {
    const std::size_t count = is_special(part) ? 1 : part.part() == fb::Part::First ? first : second;
    types.insert(types.end(), count, part.type());
  }
  return types;
}

}  // namespace potstill::tokenizer
