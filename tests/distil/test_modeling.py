"""The classifier: pooling, saving, loading of our own and of hub-style folders, and what cannot be loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from potstill.errors import TrainError
from potstill.models.classifier import EncoderClassifier, load_classifier, load_encoder, pool
from potstill.models.evaluation import outputs
from potstill.runtime.rows import TokenRows

IDS = torch.tensor([[2, 5, 14, 3], [2, 18, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def test_pool() -> None:
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]])
    mask = torch.tensor([[1, 1, 0]])
    assert pool(hidden, mask, "mean").tolist() == [[2.0, 3.0]]
    assert pool(hidden, mask, "cls").tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_round_trip_keeps_outputs_and_labels(tiny_encoder: Path, tmp_path: Path, pooling: str) -> None:
    model = load_encoder(tiny_encoder, labels=["a", "b", "c"], pooling=pooling).eval()
    before = model(IDS, MASK)
    model.save_pretrained(tmp_path)
    for attention in ("sdpa", "eager"):
        again = load_classifier(tmp_path, attention=attention)
        after = again(IDS, MASK)
        assert again.config.id2label == {0: "a", 1: "b", 2: "c"}
        assert after.logits.shape == (2, 3) and after.pooled.shape == (2, 24)
        torch.testing.assert_close(after.logits, before.logits, rtol=1e-5, atol=1e-5)
        assert again.backbone.config._attn_implementation == attention
    assert not again.training


def test_padding_and_token_types_do_not_change_a_row(tiny_teacher: Path) -> None:
    model = load_classifier(tiny_teacher)
    alone = model(IDS[1:, :3], MASK[1:, :3])
    torch.testing.assert_close(model(IDS, MASK).logits[1:], alone.logits, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model(IDS, MASK, torch.zeros_like(IDS)).logits, model(IDS, MASK).logits)
    assert model(IDS[1:, :3]).logits.equal(alone.logits)


def test_weights_come_from_the_encoder_and_no_pooler_is_saved(tiny_encoder: Path) -> None:
    from transformers import BertModel

    source = BertModel.from_pretrained(tiny_encoder, add_pooling_layer=False)
    model = load_encoder(tiny_encoder, labels=["a", "b"])
    for name, tensor in source.state_dict().items():
        assert model.backbone.state_dict()[name].equal(tensor), name
    assert not [name for name in model.state_dict() if "pooler" in name]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_hub_style_classifiers_expose_what_their_head_reads(tmp_path: Path, kind: str) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    sizes = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    if kind == "distilbert":
        sizes = {"dim": 24, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}
    config = AutoConfig.for_model(kind, vocab_size=30, num_labels=3, pad_token_id=0, **sizes)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    model.save_pretrained(tmp_path)
    loaded = load_classifier(tmp_path)
    result = loaded(IDS, MASK)
    torch.testing.assert_close(result.logits, model(input_ids=IDS, attention_mask=MASK).logits)
    torch.testing.assert_close(loaded.head(result.pooled), result.logits)
    assert result.pooled.shape == (2, 24)


def test_outputs_keep_the_order_of_rows(tiny_teacher: Path) -> None:
    model = load_classifier(tiny_teacher)
    rows = [np.array([2, *[5 + i % 9] * (i % 7), 3]) for i in range(40)]
    found = outputs(model, TokenRows(rows))
    for index in (0, 13, 39):
        expected = model(torch.tensor(rows[index])[None])
        np.testing.assert_allclose(found.logits[index], expected.logits[0].detach().numpy(), atol=1e-5)
        np.testing.assert_allclose(found.pooled[index], expected.pooled[0].detach().numpy(), atol=1e-5)


def test_loss_ignores_rows_without_label(tiny_teacher: Path) -> None:
    model = load_classifier(tiny_teacher)
    assert isinstance(model, EncoderClassifier)
    one = model(IDS[:1], MASK[:1], labels=torch.tensor([1])).loss
    torch.testing.assert_close(model(IDS, MASK, labels=torch.tensor([1, -100])).loss, one, rtol=1e-5, atol=1e-6)


def test_weights_that_are_no_numbers(tmp_path: Path, tiny_teacher: Path, tiny_encoder: Path) -> None:
    """Of a download, or of a training that diverged: told when they are read, not by the algebra of a later stage."""
    loads: dict[Path, Callable[[Path], object]] = {
        tiny_teacher: load_classifier,
        tiny_encoder: lambda folder: load_encoder(folder, labels=["a", "b"]),
    }
    for source, load in loads.items():
        folder = tmp_path / source.name
        shutil.copytree(source, folder)
        path = folder / "model.safetensors"
        tensors = load_file(path)
        name = next(name for name in tensors if name.endswith("output.dense.weight"))
        tensors[name][0, 0] = float("inf")
        save_file(tensors, path, metadata={"format": "pt"})
        with pytest.raises(TrainError, match=r"T014.*NaN or infinite: .*output\.dense\.weight.*smaller learning rate"):
            load(folder)


def test_missing_and_broken_models(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{", encoding="utf-8")
    cases = {
        str(tmp_path / "nowhere"): "T001",
        str(tmp_path / "empty"): "T002",
        str(broken): "T002",
        # Tests run offline: an id of the hub that is not in the cache.
        "potstill-tests/no-such-model": "T003",
        str(tiny_encoder): "T004",
    }
    for model, code in cases.items():
        with pytest.raises(TrainError) as error:
            load_classifier(model)
        assert error.value.code == code, str(error.value)
        assert str(error.value).startswith(f"error[{code}]: ")
    with pytest.raises(TrainError) as error:
        load_encoder(tiny_encoder, labels=["a", "b"], pooling="median")
    assert error.value.code == "T010"
