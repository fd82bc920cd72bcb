"""Words without case and marks, and what they have lost."""

from __future__ import annotations

from potstill.data.punctuation import TAGS, spoken, spoken_rows


def test_words_and_what_they_have_lost() -> None:
    words, tags = spoken('"It\'s raining," Bob said. The BBC paid \u00a370,000 - then (co-op); iPod')
    assert words == ["it's", "raining", "bob", "said", "the", "bbc", "paid", "70,000", "then", "co-op", "ipod"]
    assert tags == [
        "title", "lower+comma", "title", "lower+period", "title", "upper", "lower", "lower", "lower", "lower+comma",
        "lower",
    ]  # fmt: skip
    assert set(tags) <= set(TAGS) and len(set(TAGS)) == 9


def test_marks_by_themselves_belong_to_the_word_before() -> None:
    assert spoken("Yes ! And , so")[1] == ["title+period", "title+comma", "lower"]
    assert spoken("... I say")[1] == ["title", "lower"]
    assert spoken("-- ?") == ([], [])


def test_rows_are_of_one_length() -> None:
    rows, labels = spoken_rows(["One two three four five.", "six seven", "Eight nine"], size=2)
    assert rows == [["one", "two"], ["three", "four"], ["six", "seven"], ["eight", "nine"]]
    assert labels[3] == ["title", "lower"]
