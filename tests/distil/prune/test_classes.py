"""Pruned tokenizers of transformers' classes, which rebuild parts of a tokenizer when they load it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

import trained
from potstill.distil.vocabulary.choice import choose_vocabulary
from potstill.distil.vocabulary.prune import loading
from potstill.distil.vocabulary.prune.tokenizer import Prunable
from potstill.errors import TrainError
from potstill.recipe.schema import Student

SETTINGS: dict[str, Any] = {
    "vocabulary": "seen", "vocabulary_min_count": 1, "vocabulary_size": None, "vocabulary_unlabelled_weight": 1.0,
    "vocabulary_characters": "seen",
}  # fmt: skip
CLASSES = {
    "unigram": ["XLMRoberta", "T5", "Camembert", "Albert", "DebertaV2", "MBart", "XLNet", "SeamlessM4T"],
    "byte-level": ["Roberta", "GPT2", "Deberta", "Qwen2", "GPTNeoX", "CLIP"],
    "byte-fallback": ["Llama", "Gemma"],
    "wordpiece": ["Bert", "DistilBert", "MPNet", "Splinter"],
}
SPECIAL = [f"{name}_token_id" for name in ("pad", "unk", "cls", "sep", "bos", "eos", "mask")]


def loaded(kind: str, name: str, folder: Path) -> Any:
    """A trained tokenizer as the class loads it."""
    source = trained.Texts(1)
    trained.fast(trained.KINDS[kind](source.make(500), 500)).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "tokenizer_class": f"{name}Tokenizer"}), "utf-8")
    return AutoTokenizer.from_pretrained(str(folder))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in CLASSES.items() for name in names])
def test_a_class_keeps_to_the_smaller_table(kind: str, name: str, tmp_path: Path) -> None:
    """Or is replaced by the plain one: same cut as the teacher's, same special tokens, the same after a reload."""
    teacher = loaded(kind, name, tmp_path / "teacher")
    source = trained.Texts(1)
    texts, others = source.make(60), source.make(120)
    rows = [np.array(row) for row in teacher(texts + others)["input_ids"]]
    found = choose_vocabulary(Student.model_construct(**SETTINGS), teacher, rows[: len(texts)])
    assert found.kept is not None and found.size < found.teacher_size
    found.tokenizer.save_pretrained(tmp_path / "student")
    again = AutoTokenizer.from_pretrained(str(tmp_path / "student"))
    own = found.tokenizer(texts + others)["input_ids"]
    assert again(texts + others)["input_ids"] == own
    assert again(texts, others[:60])["input_ids"] == found.tokenizer(texts, others[:60])["input_ids"]
    held, compared = set(found.kept.tolist()), 0
    for ours, theirs in zip(own, rows, strict=True):
        if held.issuperset(theirs.tolist()) and (kind != "wordpiece" or teacher.unk_token_id not in theirs):
            compared += 1
            assert found.kept[ours].tolist() == theirs.tolist()
    assert compared >= len(texts) * 0.9
    for special in SPECIAL:
        theirs, ours = getattr(teacher, special), getattr(found.tokenizer, special)
        assert theirs == (None if ours is None else found.kept[ours]), special


def test_a_class_that_goes_its_own_way_is_replaced_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = loaded("unigram", "XLMRoberta", tmp_path)
    source = Prunable(teacher)
    kept = source.fallback_ids()
    assert type(source.pruned(kept)).__name__ == "XLMRobertaTokenizer"
    monkeypatch.setattr(type(teacher), "__init__", None)
    assert type(source.pruned(kept)).__name__ == "TokenizersBackend"
    monkeypatch.setattr(loading, "_is", lambda *_: False)
    with pytest.raises(TrainError) as error:
        source.pruned(kept)
    assert error.value.code == "T062" and "XLMRobertaTokenizer" in str(error.value)
