"""What a sentence-transformers folder says, in the spellings of its versions; what is not known is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.errors import CompileError
from potstill.models.sentence_folder import Dense, describe_sentence_model

OLD, NEW = "sentence_transformers.models.", "sentence_transformers.sentence_transformer.modules."


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def folder(root: Path, *modules: tuple[str, Any], prefix: str = OLD, encoder: str = "", **general: Any) -> Path:
    """Modules by class name with their settings; the encoder is written by itself."""
    listed = [{"idx": 0, "name": "0", "path": encoder, "type": f"{prefix}Transformer"}]
    for index, (name, settings) in enumerate(modules, 1):
        listed.append({"idx": index, "name": str(index), "path": f"{index}_{name}", "type": f"{prefix}{name}"})
        if settings is not None:
            write(root / f"{index}_{name}" / "config.json", settings)
    write(root / "modules.json", listed)
    if general:
        write(root / "config_sentence_transformers.json", general)
    return root


def mean(**more: Any) -> tuple[str, dict[str, Any]]:
    return "Pooling", {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True, **more}


def test_a_plain_folder_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / "config.json", {"model_type": "bert"})
    assert describe_sentence_model(tmp_path) is None


@pytest.mark.parametrize(
    ("settings", "poolings"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ("cls",)),
        ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False}, ("max",)),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_mean_sqrt_len_tokens": True}, ("mean_sqrt_len",)),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_weightedmean_tokens": True}, ("weightedmean",)),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True}, ("lasttoken",)),
        # Where nothing is said of the mean, it is on.
        ({}, ("mean",)),
        ({"pooling_mode_cls_token": True}, ("cls", "mean")),
        ({"pooling_mode": "cls"}, ("cls",)),
        ({"pooling_mode": "mean_sqrt_len_tokens"}, ("mean_sqrt_len",)),
        ({"pooling_mode": ["cls", "mean"], "embedding_dimension": 8, "include_prompt": True}, ("cls", "mean")),
    ],
)
@pytest.mark.parametrize("prefix", [OLD, NEW, ""])
def test_poolings(tmp_path: Path, settings: dict[str, Any], poolings: tuple[str, ...], prefix: str) -> None:
    found = describe_sentence_model(folder(tmp_path, ("Pooling", settings), prefix=prefix))
    assert found is not None
    assert found.poolings == poolings and found.pooling == "+".join(poolings)
    assert not found.normalized and found.dense == () and found.include_prompt


def test_everything_at_once(tmp_path: Path) -> None:
    dense = {
        "in_features": 8,
        "out_features": 4,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    prompts = {"query": "query: ", "document": ""}
    root = folder(
        tmp_path, mean(include_prompt=False), ("Dropout", {"dropout": 0.1}), ("Dense", dense), ("Normalize", None),
        encoder="0_Transformer", prompts=prompts, default_prompt_name="query", similarity_fn_name="cosine",
    )  # fmt: skip
    write(root / "0_Transformer" / "sentence_roberta_config.json", {"max_seq_length": 40, "do_lower_case": True})
    found = describe_sentence_model(root)
    assert found is not None
    assert found.encoder_folder == root / "0_Transformer"
    assert found.dense == (Dense("3_Dense", 8, 4, False, "Identity"),) and found.normalized
    assert (found.max_tokens, found.lowercase, found.include_prompt) == (40, True, False)
    assert found.prompts == {"query": "query: "} and found.default_prompt == "query: "


def test_an_empty_default_prompt_is_none(tmp_path: Path) -> None:
    general = {"prompts": {"query": "", "document": ""}, "default_prompt_name": "query"}
    found = describe_sentence_model(folder(tmp_path, mean(), **general))
    assert found is not None and found.default_prompt == "" and found.prompts == {}


def test_a_cross_encoder_is_no_sentence_model(tmp_path: Path) -> None:
    assert describe_sentence_model(folder(tmp_path, mean(), model_type="CrossEncoder")) is None


DENSE = {"in_features": 8, "out_features": 4, "bias": True}


@pytest.mark.parametrize(
    ("modules", "named"),
    [
        ((), "Transformer"),
        ((("LSTM", {}), mean()), "LSTM"),
        ((mean(), ("WeightedLayerPooling", {})), "WeightedLayerPooling"),
        ((mean(), ("Normalize", None), ("Dense", DENSE)), "Dense behind Normalize"),
        ((mean(), ("Dense", {**DENSE, "activation_function": "my.package.Swirl"})), "Swirl"),
        ((mean(), ("Dense", {**DENSE, "use_residual": True})), "use_residual"),
        ((mean(), ("Dense", {**DENSE, "module_input_name": "token_embeddings"})), "module_input_name"),
        ((mean(pooling_mode_mean_tokens=False),), "nothing"),
        ((mean(pooling_mode="median"),), "median"),
        ((mean(pooling_mode=["mean", "cls"]),), "order"),
        ((mean(pooling_mode_attention=True),), "pooling_mode_attention"),
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, modules: tuple[tuple[str, Any], ...], named: str) -> None:
    with pytest.raises(CompileError) as error:
        describe_sentence_model(folder(tmp_path, *modules))
    assert error.value.code == "C161" and named in str(error.value)


def test_a_sparse_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as error:
        describe_sentence_model(folder(tmp_path, mean(), model_type="SparseEncoder"))
    assert error.value.code == "C161" and "SparseEncoder" in str(error.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("modules.json", "{"),
        ("modules.json", "{}"),
        ("modules.json", "[1]"),
        ("1_Pooling/config.json", "[]"),
        ("1_Pooling/config.json", None),
        ("1_Pooling/config.json", '{"pooling_mode": 3}'),
        ("sentence_bert_config.json", '{"max_seq_length": "many"}'),
        ("2_Dense/config.json", '{"in_features": 8}'),
        ("config_sentence_transformers.json", '{"prompts": [1]}'),
        ("config_sentence_transformers.json", '{"prompts": {}, "default_prompt_name": "query"}'),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, text: str | None) -> None:
    root = folder(tmp_path, mean(), ("Dense", DENSE))
    if text is None:
        (root / name).unlink()
    else:
        (root / name).write_text(text, encoding="utf-8")
    with pytest.raises(CompileError) as error:
        describe_sentence_model(root)
    assert error.value.code == "C160" and Path(name).name in error.value.where
