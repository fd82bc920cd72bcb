"""What each kind of model needs to keep, and tokenizers that cannot be pruned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models

import bert
import lettered
import trained
from potstill.distil.vocabulary.choice import kept_pieces
from potstill.distil.vocabulary.prune.bpe import Bpe
from potstill.distil.vocabulary.prune.tokenizer import Prunable
from potstill.distil.vocabulary.prune.unigram import Unigram
from potstill.errors import TrainError
from potstill.models.token_counts import KnownPieces


def bpe(letters: str, merges: list[str], **more: Any) -> Bpe:
    """A BPE of these letters and merges ("ab c")."""
    pairs = [merge.split() for merge in merges]
    pieces = dict.fromkeys([*letters, *("".join(pair) for pair in pairs)])
    return Bpe({"vocab": {piece: at for at, piece in enumerate(pieces)}, "merges": pairs, "unk_token": None, **more})


def names(pieces: Bpe, found: Any) -> set[str]:
    return {piece for piece, index in pieces.ids.items() if index in found}


def test_a_piece_needs_the_steps_that_are_taken_and_no_others() -> None:
    """ "abc" comes from "ab" and "c" where that merge is first; the other way is never gone."""
    pieces = bpe("abc", ["a b", "b c", "ab c", "a bc"])
    assert names(pieces, pieces.ancestors(pieces.ids["abc"])) == {"a", "b", "c", "ab", "abc"}
    pieces = bpe("abc", ["b c", "a b", "ab c", "a bc"])
    assert names(pieces, pieces.ancestors(pieces.ids["abc"])) == {"a", "b", "c", "bc", "abc"}


def test_equal_ranks_go_from_the_left() -> None:
    pieces = bpe("a", ["a a", "aa a"])
    assert names(pieces, pieces.ancestors(pieces.ids["aaa"])) == {"a", "aa", "aaa"}


def test_a_piece_that_its_letters_do_not_come_to_keeps_all_that_could_make_it() -> None:
    """As "abc" here: "bc" is joined first, and nothing takes "a" and "bc"."""
    pieces = bpe("abc", ["b c", "a b", "ab c"])
    assert names(pieces, pieces.ancestors(pieces.ids["abc"])) == {"a", "b", "c", "ab"}
    assert pieces.ancestors(pieces.ids["a"]) == {pieces.ids["a"]}


def test_merges_among_kept_pieces_stay_in_order() -> None:
    pieces = bpe("abcd", ["a b", "c d", "b c", "ab c", "a bc"])
    kept = [pieces.ids[name] for name in ("a", "b", "c", "ab", "bc", "abc")]
    model = pieces.pruned({index: at for at, index in enumerate(kept)})
    assert model["merges"] == [["a", "b"], ["b", "c"], ["ab", "c"], ["a", "bc"]]
    assert model["vocab"] == {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "abc": 5}


def test_a_size_leaves_out_what_has_no_room_for_its_ancestors() -> None:
    pieces = bpe("abcdef", ["a b", "ab c", "d e"])
    ids = pieces.ids
    counts = np.zeros(len(ids))
    counts[[ids["abc"], ids["de"]]] = 5, 3

    def close(wanted: Any) -> set[int]:
        return {index for each in wanted for index in {each, *pieces.ancestors(each)}}

    letters = np.array([ids[letter] for letter in "abcdef"])
    assert names(pieces, kept_pieces(counts, letters, size=7, with_ancestors=close)) == {*"abcdef", "de"}
    assert names(pieces, kept_pieces(counts, letters, size=8, with_ancestors=close)) == {*"abcdef", "ab", "abc"}
    assert names(pieces, kept_pieces(counts, letters, size=9, with_ancestors=close)) == set(ids)


@pytest.mark.parametrize("marks", [{"continuing_subword_prefix": "##"}, {"end_of_word_suffix": "</w>"}], ids=str)
def test_marked_letters_are_single_characters(marks: dict[str, str]) -> None:
    texts = trained.Texts(4).make(200)
    source = Prunable(trained.fast(trained.marked(texts, 300, **marks)))
    kept = names(source.pieces, source.fallback_ids())  # type: ignore[arg-type]
    letters = {piece for piece in source.pieces.ids if len(source.pieces.bare(piece)) == 1}
    assert letters <= kept and any(len(piece) > 1 for piece in letters)
    assert kept - letters == {*trained.SPECIAL}


def test_unigram_keeps_the_score_of_the_unknown() -> None:
    """Unknown "ß" and "abc" would win over "ßa" and "bc" if the lowest score, that of "zz", went."""
    scores = {"<unk>": 0.0, "<pad>": 0.0, "abc": -1.0, "ßa": -50.0, "bc": -50.0, "zz": -90.0, "zzz": -90.0}
    teacher = trained.fast(Tokenizer(models.Unigram(list(scores.items()), unk_id=0)))
    source = Prunable(teacher)
    assert source.fallback_ids().tolist() == [0, 1, 5, *range(7, len(teacher))], "the first of the lowest score"
    kept = [0, 1, 2, 3, 4, 5, *range(7, len(teacher))]
    assert teacher.tokenize("ßabc") == source.pruned(kept).tokenize("ßabc") == ["ßa", "bc"]
    assert source.pruned([index for index in kept if index != 5]).tokenize("ßabc") != ["ßa", "bc"]


def test_unigram_renumbers_its_unknown_piece() -> None:
    pieces = [["a", -1.0], ["<unk>", 0.0], ["b", -3.0]]
    pruned = Unigram({"vocab": pieces, "unk_id": 1}).pruned({1: 0, 2: 1})
    assert pruned["vocab"] == pieces[1:] and pruned["unk_id"] == 0


def test_bytes_stay_and_count_as_unspelt() -> None:
    texts = trained.Texts(5).make(200)
    source = Prunable(trained.fast(trained.byte_fallback(texts, 500)))
    of_bytes = {source.pieces.ids[f"<0x{value:02X}>"] for value in range(256)}
    assert of_bytes <= set(source.fallback_ids(np.zeros(source.size)).tolist())
    tokenizer = trained.fast(trained.byte_fallback(texts, 500))
    assert set(KnownPieces(tokenizer).unspelt_ids().tolist()) == of_bytes | {tokenizer.unk_token_id}


def test_all_letters_of_a_byte_level_tokenizer_stay_and_high_ones_are_unspelt() -> None:
    tokenizer = trained.fast(trained.byte_level(["word"], 300))
    kept = Prunable(tokenizer).fallback_ids(np.zeros(len(tokenizer)))
    assert len(kept) == 256 + len(trained.SPECIAL)
    unspelt = set(KnownPieces(tokenizer).unspelt_ids().tolist())
    for character in [*map(chr, range(0x250)), "的", "😀"]:
        low = ord(character) < 128
        spelt = tokenizer(character, add_special_tokens=False)["input_ids"]
        assert all((index in unspelt) != low for index in spelt), ascii(character)


def test_tokenizers_that_cannot_be_pruned() -> None:
    without_unknown = Tokenizer(models.BPE({"a": 0, "<pad>": 1}, []))
    for given, named in ((trained.fast(without_unknown), "no unknown token"), (SimpleNamespace(), "SimpleNamespace")):
        with pytest.raises(TrainError) as error:
            Prunable(given)
        assert error.value.code == "T060" and named in str(error.value) and "full" in str(error.value)


def test_fallback_reads_every_kind_of_post_processor() -> None:
    wanted = Prunable(lettered.tokenizer()).fallback_ids().tolist()
    ids = {token: lettered.VOCABULARY.index(token) for token in bert.SPECIAL}
    usual = {"type": "BertProcessing", "cls": ["[CLS]", ids["[CLS]"]], "sep": ["[SEP]", ids["[SEP]"]]}
    for processor in (usual, {"type": "Sequence", "processors": [usual]}, None):
        source = Prunable(lettered.tokenizer())
        source._content["post_processor"] = processor
        assert source.fallback_ids().tolist() == wanted
        source._content["added_tokens"] = []
        assert (ids["[CLS]"] in source.fallback_ids().tolist()) == (processor is not None)
