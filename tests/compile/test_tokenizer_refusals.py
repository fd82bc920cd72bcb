"""Reading tokenizer folders: what is accepted, and a numbered error for everything the core would do differently."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from potstill.compile.tokenizers import Tables, read_tokenizer, tables_from_json
from potstill.compile.tokenizers.base import Added, Part
from potstill.errors import CompileError
from wordpiece import FLAGS, wordpiece

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "turn", "light", "##s", "Turn", "!", "caf", "##e", "##é"]
CUT = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
CONTENT = {**wordpiece(PIECES), "truncation": CUT}
CONFIG = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "model_max_length": 64}


def read(change: Callable[[dict[str, Any]], object] | None = None) -> Tables:
    content = copy.deepcopy(CONTENT)
    if change is not None:
        change(content)
    return tables_from_json(content, where="folder", pad_token="[PAD]", max_tokens=64)


def template(*single: dict[str, Any], ids: list[int] | None = None) -> dict[str, Any]:
    special = {t: {"id": t, "ids": ids or [i], "tokens": [t]} for t, i in (("[CLS]", 2), ("[SEP]", 3))}
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}, token("[SEP]", 1)]
    return {"type": "TemplateProcessing", "single": list(single), "pair": pair, "special_tokens": special}


def token(text: str, type_id: int = 0) -> dict[str, Any]:
    return {"SpecialToken": {"id": text, "type_id": type_id}}


A = {"Sequence": {"id": "A", "type_id": 0}}
A_OF_TYPE_2 = {"Sequence": {"id": "A", "type_id": 2}}


def test_what_is_read() -> None:
    tables = read()
    text = [tables.blob[a:b].decode() for a, b in zip(tables.offsets, tables.offsets[1:], strict=False)]
    assert text == PIECES
    assert (tables.pad_id, tables.model.unk_id) == (0, 1)
    assert tables.template.single == (Part("Id", 2), Part("First"), Part("Id", 3))
    assert tables.added == tuple(map(Added, range(5)))
    assert set((tables.bert_flags or {}).values()) == {True}
    assert tables.model.step.fields == {"unkId": 1, "continuingPrefix": "##", "maxCharsPerWord": 100}
    assert tables.max_tokens == 64
    assert len(tables.slots) == 32


def test_strip_accents_follows_lowercase_unless_it_is_set() -> None:
    def stripped(**flags: bool) -> bool:
        return (read(lambda c: c["normalizer"].update(flags)).bert_flags or {})["stripAccents"]

    assert stripped(lowercase=False) is False
    assert stripped(lowercase=False, strip_accents=True) is True
    assert stripped(strip_accents=False) is False


def test_equivalent_descriptions_give_the_same_tables() -> None:
    def wrap(content: dict[str, Any]) -> None:
        content["normalizer"] = {"type": "Sequence", "normalizers": [content["normalizer"]]}
        content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [content["pre_tokenizer"]]}
        content["post_processor"] = {"type": "Sequence", "processors": [template(token("[CLS]"), A, token("[SEP]"))]}

    assert read(wrap) == read()


def test_no_normalizer_is_everything_off() -> None:
    tables = read(lambda c: c.update(normalizer=None))
    assert tables.normalizers == () and set((tables.bert_flags or {}).values()) == {False}


def test_unused_ids_and_added_ids_outside_the_vocabulary() -> None:
    def change(content: dict[str, Any]) -> None:
        del content["model"]["vocab"]["light"]
        content["added_tokens"].append({"id": 15, "content": "<x>", **FLAGS})

    tables = read(change)
    text = [tables.blob[a:b].decode() for a, b in zip(tables.offsets, tables.offsets[1:], strict=False)]
    assert text[6] == "" and text[13:] == ["", "", "<x>"]
    assert tables.added == tuple(map(Added, (0, 1, 2, 3, 4, 15))) and 15 not in tables.slots


def normalized_token(text: str) -> dict[str, Any]:
    return {"id": 20 + ord(text[0]), "content": text, **FLAGS, "normalized": True}


ODD = {"type": "Odd"}
REFUSED: list[tuple[str, str, Callable[[dict[str, Any]], object]]] = [
    ("C052", "Cuts", lambda c: c["model"].update(type="Cuts")),
    ("C053", "the core has no Odd", lambda c: c.update(normalizer={"type": "Sequence", "normalizers": [ODD]})),
    ("C054", "the core has no UnicodeScripts", lambda c: c.update(pre_tokenizer={"type": "UnicodeScripts"})),
    ("C055", "Odd", lambda c: c.update(post_processor=ODD)),
    ("C055", "token types", lambda c: c.update(post_processor=template(token("[CLS]"), A_OF_TYPE_2))),
    ("C055", "each text once", lambda c: c.update(post_processor=template(A, A, token("[SEP]")))),
    ("C055", "each text once", lambda c: c.update(post_processor=template(token("[SEP]")))),
    ("C055", "id 99", lambda c: c["post_processor"].update(cls=["[CLS]", 99])),
    ("C056", "has id 7", lambda c: c["added_tokens"][4].update(id=7)),
    ("C056", "white space", lambda c: c["added_tokens"].append({"id": 13, "content": "a b", **FLAGS, "lstrip": True})),
    ("C056", "'Aa' and 'aA' the same", lambda c: c["added_tokens"].extend(map(normalized_token, ("Aa", "aA")))),
    ("C057", "unknown token", lambda c: c["model"].update(unk_token="<unk>")),
    ("C057", "padding token", lambda c: (c["added_tokens"].pop(0), c["model"]["vocab"].pop("[PAD]"))),
    ("C057", "id 5 is given", lambda c: c["model"]["vocab"].update(two=5)),
    ("C058", "more|takes", lambda c: c["model"].update(max_input_chars_per_word=1001)),
    ("C058", "64 bytes", lambda c: c["model"].update(continuing_subword_prefix="#" * 65)),
    ("C058", "highest id", lambda c: c["model"]["vocab"].update(far=1 << 24)),
    (
        "C058",
        "1029 added tokens",
        lambda c: c["added_tokens"].extend({"id": 20 + i, "content": f"<{i}>", **FLAGS} for i in range(1024)),
    ),
]


@pytest.mark.parametrize(("code", "text", "change"), REFUSED, ids=[f"{c}-{t}" for c, t, _ in REFUSED])
def test_refused(code: str, text: str, change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(CompileError, match=text) as caught:
        read(change)
    assert caught.value.code == code
    assert caught.value.where == "folder" and caught.value.next_step


def save(folder: Path, config: dict[str, Any] | None = CONFIG, content: dict[str, Any] | None = CONTENT) -> Path:
    if content is not None:
        (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return folder


@pytest.fixture
def transformers() -> Any:
    return pytest.importorskip("transformers", reason="the build extra is not installed")


def test_folder_with_tokenizer_json(tmp_path: Path, transformers: Any) -> None:
    assert read_tokenizer(save(tmp_path)) == read()


def test_folder_with_tokenizer_json_alone(tmp_path: Path, transformers: Any) -> None:
    tables = read_tokenizer(save(tmp_path, config=None))
    assert (tables.max_tokens, tables.pad_id) == (None, -1)
    assert tables.blob == read().blob and tables.added == tuple(map(Added, range(5)))


@pytest.mark.parametrize("config", [None, {"do_lower_case": False, "model_max_length": 48}], ids=["bare", "cased"])
def test_folder_with_vocab_txt(tmp_path: Path, transformers: Any, config: dict[str, Any] | None) -> None:
    """The bare one has to be told: `Turn` and `é` speak against the default."""
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n", "utf-8")
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), "utf-8")
    tables = read_tokenizer(save(tmp_path, config, content=None), lowercase=True if config is None else None)
    assert tables.blob == read().blob and tables.slots == read().slots
    flags = tables.bert_flags or {}
    assert flags["lowercase"] is (config is None) and flags["stripAccents"] is (config is None)
    assert tables.max_tokens == (None if config is None else 48)
    assert (tables.pad_id, tables.model.unk_id, tables.special_ids) == (0, 1, {2, 3})


def test_folder_is_read_as_training_reads_it(tmp_path: Path, transformers: Any) -> None:
    """The flags are those of AutoTokenizer, also where tokenizer_config.json contradicts tokenizer.json."""
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 64}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), "utf-8")
    save(tmp_path, config)
    backend = transformers.AutoTokenizer.from_pretrained(str(tmp_path)).backend_tokenizer
    tables = read_tokenizer(tmp_path)
    assert (tables.bert_flags or {})["lowercase"] is json.loads(backend.to_str())["normalizer"]["lowercase"]


def refusal(folder: Path) -> str:
    with pytest.raises(CompileError) as caught:
        read_tokenizer(folder)
    assert str(folder) in caught.value.where and caught.value.next_step
    return caught.value.code


def test_no_tokenizer(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "C050"
    assert refusal(tmp_path / "absent") == "C050"


def test_unreadable_tokenizer(tmp_path: Path, transformers: Any) -> None:
    save(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{", "utf-8")
    assert refusal(tmp_path) == "C051"


def test_left_truncation(tmp_path: Path, transformers: Any) -> None:
    assert read_tokenizer(save(tmp_path, {**CONFIG, "truncation_side": "left"})).truncate_left


def test_split_special_tokens(tmp_path: Path, transformers: Any) -> None:
    assert refusal(save(tmp_path, {**CONFIG, "split_special_tokens": True})) == "C056"


def test_a_model_that_draws_lots(tmp_path: Path, transformers: Any) -> None:
    content = copy.deepcopy(CONTENT)
    vocabulary = {piece: i for i, piece in enumerate(PIECES)}
    content["model"] = {"type": "BPE", "unk_token": "[UNK]", "dropout": 0.1, "vocab": vocabulary, "merges": []}
    assert refusal(save(tmp_path, content=content)) == "C052"
