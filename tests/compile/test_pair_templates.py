"""Pairs of texts: a tokenizer's template is done as it says, or it is refused; cut pairs are Hugging Face's."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, processors
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.normalizers import BertNormalizer, StripAccents
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import PreTrainedTokenizerFast

from onnx_graphs import VOCABULARY, encoder
from potstill.compile import compile_onnx
from potstill.compile.tokenizers import tables_from_json
from potstill.errors import CompileError, InputError, TrainError
from potstill.models.words import encode_words
from potstill.runtime.backends.native import NativeBackend
from potstill.runtime.backends.outside import Texts

LETTERS = "abcdefghijkl"
PIECES = ["<pad>", "<unk>", "<s>", "</s>", "</q>", *LETTERS]
SINGLE = "<s> $A </s>"
SPECIAL = [("<s>", 2), ("</s>", 3), ("</q>", 4)]


def tokenizer_with(processor: Any) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    tokenizer.add_special_tokens(PIECES[:5])
    tokenizer.post_processor = processor
    return tokenizer


def template(pair: str | None, single: str = SINGLE) -> Any:
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=SPECIAL)


BERT = processors.BertProcessing(("</s>", 3), ("<s>", 2))
ROBERTA = processors.RobertaProcessing(("</s>", 3), ("<s>", 2))
TAKEN = {
    "template": template("<s> $A </s> $B:1 </s>:1"),
    "BertProcessing": BERT,
    "sequence of one": processors.Sequence([BERT]),
    "two separators": ROBERTA,
    "two separators, by template": template("<s> $A </s> </s> $B:1 </s>:1"),
    "all types 0": template("<s> $A </s> $B </s>"),
    "types 1 and 0": template("<s>:1 $A:1 </s>:1 $B:0 </s>:0"),
    "no specials": template("$A $B:1"),
    "no last separator": template("<s> $A </s> $B:1"),
    "second text first": template("<s> $B </s> $A:1 </s>:1"),
    "another separator": template("<s> $A </q> $B:1 </s>:1"),
}
REFUSED = {
    "a text more": ("A token B token B token: it does not hold each", template("<s> $A </s> $B:1 </s>:1 $B:1 </s>:1")),
    "a type more": (r"token types \[0, 2\]", template("<s> $A </s> $B:2 </s>:2")),
}


def problem(processor: Any) -> str | None:
    return tables_from_json(json.loads(tokenizer_with(processor).to_str()), where="test").template.pairs_problem


def saved(folder: Path, processor: Any) -> Path:
    folder.mkdir()
    tokenizer_with(processor).save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert len(PIECES) <= VOCABULARY
    return encoder(tmp_path_factory.mktemp("typed") / "typed.onnx", types="input")


@pytest.mark.parametrize("processor", TAKEN.values(), ids=TAKEN)
def test_pairs_are_encoded_as_hugging_face_encodes_them(processor: Any, typed: Path, tmp_path: Path) -> None:
    assert problem(processor) is None
    oracle = tokenizer_with(processor)
    compile_onnx(typed, tmp_path / "pairs.still", tokenizer=saved(tmp_path / "tokenizer", processor), pairs=True)
    core = NativeBackend(tmp_path / "pairs.still", 1)
    for first, second in (("a b", "c"), ("l", "a b c d"), ("z", "!")):
        wanted, found = oracle.encode(first, second), core.encode([first], [second], True)
        assert (found.ids, found.types) == ([wanted.ids], [wanted.type_ids])


@pytest.mark.parametrize(("text", "processor"), REFUSED.values(), ids=REFUSED)
def test_what_the_core_lacks_is_told(text: str, processor: Any) -> None:
    assert re.search(text, problem(processor) or "")


def test_no_template_for_pairs() -> None:
    content = json.loads(tokenizer_with(template("<s> $A </s> $B:1 </s>:1")).to_str())
    for absent in (None, []):
        content["post_processor"]["pair"] = absent
        assert "no template for pairs" in (tables_from_json(content, where="test").template.pairs_problem or "")


def test_it_is_refused_for_pairs_and_only_for_pairs(typed: Path, tmp_path: Path) -> None:
    alone = template("<s> $A </s> $B:2 </s>:2")
    folder = saved(tmp_path / "tokenizer", alone)
    with pytest.raises(CompileError, match="token types") as caught:
        compile_onnx(typed, tmp_path / "out.still", tokenizer=folder, pairs=True)
    assert caught.value.code == "C145" and str(folder) in caught.value.where
    assert not (tmp_path / "out.still").exists()
    compile_onnx(typed, tmp_path / "single.still", tokenizer=folder)
    rng, oracle = random.Random(5), tokenizer_with(alone)
    texts = [" ".join(rng.choices(LETTERS + "z!", k=rng.randint(1, 9))) for _ in range(100)]
    wanted = [found.ids for found in oracle.encode_batch(texts)]
    assert NativeBackend(tmp_path / "single.still", 1).encode(texts, None, False).ids == wanted


@pytest.mark.parametrize("limit", range(3, 13))
def test_small_limits_cut_like_hugging_face(typed: Path, tmp_path: Path, limit: int) -> None:
    folder, out = saved(tmp_path / "tokenizer", BERT), tmp_path / "pairs.still"
    if limit < 5:
        with pytest.raises(CompileError, match="too short: a pair takes 5") as caught:
            compile_onnx(typed, out, tokenizer=folder, pairs=True, max_tokens=limit, verify=False)
        assert caught.value.code == "C146"
        return
    compile_onnx(typed, out, tokenizer=folder, pairs=True, max_tokens=limit, verify=False)
    core, oracle = NativeBackend(out, 1), tokenizer_with(BERT)
    oracle.enable_truncation(limit, strategy="longest_first")
    for first in range(1, 14):
        for second in range(1, 14):
            one, two = (" ".join((LETTERS * 2)[:count]) for count in (first, second))
            wanted = oracle.encode(one, two)
            found = core.encode([one], [two], True)
            assert (found.ids, found.types) == ([wanted.ids], [wanted.type_ids]), (first, second)
            if first + second + 3 > limit:
                with pytest.raises(InputError, match="I002"):
                    core.encode([one], [two], False)


@pytest.mark.parametrize("limit", range(3, 13))
def test_other_engines_cut_like_hugging_face(tmp_path: Path, limit: int) -> None:
    saved(tmp_path / "tokenizer", BERT)
    texts, oracle = Texts(tmp_path / "tokenizer" / "tokenizer.json", limit), tokenizer_with(BERT)
    oracle.enable_truncation(limit, strategy="longest_first")
    pairs = [(" ".join(LETTERS[:a]), " ".join(LETTERS[:b])) for a in range(1, 12) for b in range(1, 12)]
    if limit < 5:
        with pytest.raises(InputError, match="I002"):
            texts.encode(["a"], ["b"], True)
        return
    wanted = oracle.encode_batch(pairs)
    rows = texts.encode([a for a, _ in pairs], [b for _, b in pairs], True)
    assert (rows.ids, rows.types) == ([found.ids for found in wanted], [found.type_ids for found in wanted])


@pytest.mark.parametrize("single", ["$A", "<s> $A", "$A </q> </s>", "<s> </q> $A </s>"])
def test_rows_of_words_keep_all_special_tokens(typed: Path, tmp_path: Path, single: str) -> None:
    """Wherever these stand: in training, in the core and in other engines, at any limit."""
    folder = saved(tmp_path / "tokenizer", template(None, single))
    oracle = tokenizer_with(template(None, single))
    trained = PreTrainedTokenizerFast(tokenizer_object=oracle, unk_token="<unk>")
    rows = [list(LETTERS[:count]) for count in (1, 2, 5, 12)]
    for limit in (max(3, single.count(" ") + 1), 5, 8):
        out = tmp_path / f"{limit}.still"
        compile_onnx(typed, out, tokenizer=folder, max_tokens=limit, verify=False)
        oracle.enable_truncation(limit)
        wanted = [found.ids for found in oracle.encode_batch(rows, is_pretokenized=True)]
        first = single.split().index("$A")
        words = [list(range(first, first + min(len(row), limit - single.count(" ")))) for row in rows]
        for reader in (NativeBackend(out, 1), Texts(folder / "tokenizer.json", limit)):
            found = reader.encode_words(rows, True)
            assert (found.ids, found.words) == (wanted, words)
        ids, places = encode_words(trained, rows, limit)
        assert [row.tolist() for row in ids] == wanted
        assert [[place for place in row.tolist() if place >= 0] for row in places] == words


@pytest.mark.parametrize("unknown", ["<unk>", None])
def test_a_word_without_a_token(typed: Path, tmp_path: Path, unknown: str | None) -> None:
    """Is the unknown one, of a Unigram too; refused by all three where there is none."""
    scores = [(piece, -float(at)) for at, piece in enumerate(["<pad>", "<unk>", "a"])]
    made = Tokenizer(
        Unigram(scores, unk_id=1) if unknown else BPE({piece: at for at, (piece, _) in enumerate(scores)}, [])
    )
    made.normalizer = StripAccents()
    fast = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", unk_token=unknown)
    fast.save_pretrained(tmp_path / "tokenizer")
    compile_onnx(typed, tmp_path / "m.still", tokenizer=tmp_path / "tokenizer", max_tokens=8, verify=False)
    readers = (NativeBackend(tmp_path / "m.still", 1), Texts(tmp_path / "tokenizer" / "tokenizer.json", 8))
    for row, ids in ((["a", "\u0301", "a"], [2, 1, 2]), (["\u0301"], [1])):
        if unknown:
            assert [reader.encode_words([row], True).ids for reader in readers] == [[ids]] * 2
            assert [found.tolist() for found in encode_words(fast, [row], 8)[0]] == [ids]
            continue
        for reader in readers:
            with pytest.raises(InputError, match=r"I001.*none for unknown words"):
                reader.encode_words([row], True)
        with pytest.raises(TrainError, match="T132"):
            encode_words(fast, [row], 8)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("processor", [BERT, ROBERTA], ids=["BERT", "RoBERTa"])
def test_places_and_the_side_that_is_cut(typed: Path, tmp_path: Path, processor: Any, side: str) -> None:
    """Ids, token types and places of single texts and pairs, whole and cut, as Hugging Face's; of other engines too."""
    oracle, folder, limit = tokenizer_with(processor), saved(tmp_path / "tokenizer", processor), 8
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "truncation_side": side, "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    compile_onnx(typed, tmp_path / "pairs.still", tokenizer=folder, pairs=True, max_tokens=limit, verify=False)
    core, other = NativeBackend(tmp_path / "pairs.still", 1), Texts(folder / "tokenizer.json", limit)
    oracle.enable_truncation(limit, strategy="longest_first", direction=side)
    rng = random.Random(8)
    texts = [" ".join(rng.choices([*LETTERS, "É", "\u3000z"], k=rng.randint(1, 12))) for _ in range(60)]
    for first, second in zip(texts, reversed(texts), strict=True):
        for given in ((first,), (first, second)):
            wanted = oracle.encode(*given)
            a, b = [given[0]], [given[1]] if len(given) == 2 else None
            assert core.offsets(a, b, True) == other.offsets(a, b, True) == [wanted.offsets]
            assert core.encode(a, b, True).ids == other.encode(a, b, True).ids == [wanted.ids]
