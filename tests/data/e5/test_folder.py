"""The transformers folder made of the container: what the libraries make of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import e5_file
from potstill.data.e5.container import read_container
from potstill.data.e5.folder import write_folder
from potstill.errors import DataError
from potstill.models.sentence_folder import describe_sentence_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("e5")
    write_folder(read_container(e5_file.container()), made)
    return made


def test_the_tokenizer(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.model_max_length == 16
    specials = (
        tokenizer.bos_token,
        tokenizer.eos_token,
        tokenizer.pad_token,
        tokenizer.unk_token,
        tokenizer.mask_token,
    )
    assert specials == ("<s>", "</s>", "<pad>", "<unk>", "<mask>")

    def cut(text: str, second: str | None = None) -> list[str]:
        return [str(piece) for piece in tokenizer.convert_ids_to_tokens(tokenizer(text, second)["input_ids"])]

    assert cut("ab  a\t") == ["<s>", "▁ab", "▁a", "</s>"]
    assert cut("好书") == ["<s>", "▁", "好书", "</s>"]
    assert cut("ａ①\x07") == ["<s>", "▁a", "1", "</s>"]
    assert cut("a", "b") == ["<s>", "▁a", "</s>", "</s>", "▁", "b", "</s>"]
    assert cut("axyb") == ["<s>", "▁a", "<unk>", "b", "</s>"]
    assert cut("a <mask>") == ["<s>", "▁a", "<mask>", "</s>"]
    assert "token_type_ids" not in tokenizer("a")


def test_the_model_has_all_weights_and_no_others(folder: Path) -> None:
    model, told = AutoModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    raw = read_container(e5_file.container())
    found = model.state_dict()["encoder.layer.1.intermediate.dense.weight"].numpy()
    np.testing.assert_array_equal(found, raw.tensor("l1.fi.w", 64, 32))
    with torch.no_grad():
        assert model(torch.tensor([[0, 8, 2]])).last_hidden_state.shape == (1, 3, 32)


def test_it_is_a_sentence_encoder(folder: Path) -> None:
    said = describe_sentence_model(folder)
    assert said is not None
    assert (said.pooling, said.normalized, said.max_tokens, said.lowercase) == ("mean", True, 16, False)
    assert said.prompts == {"query": "query: ", "passage": "passage: "}
    assert said.default_prompt == ""
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["BertModel"]


def test_a_tensor_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"l0\.ao\.b"):
        write_folder(read_container(e5_file.container(lacking="l0.ao.b")), tmp_path)
