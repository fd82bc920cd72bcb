"""Training the rows of a token table that texts ask for: the same model comes out, the other rows stay."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, RobertaConfig

from potstill.distil.train import token_table
from potstill.distil.train.token_table import only_seen
from potstill.models.classifier import EncoderClassifier, EncoderClassifierConfig, label_tables

IDS = [[5, 6, 7], [7, 40, 2]]


@pytest.fixture(autouse=True)
def _small_tables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_table, "_ROWS", 1)


def model_of(kind: type) -> EncoderClassifier:
    torch.manual_seed(3)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    backbone = kind(vocab_size=64, max_position_embeddings=20, pad_token_id=1, hidden_dropout_prob=0.0, **sizes)
    config = EncoderClassifierConfig(backbone=backbone, **label_tables(["no", "yes"]), attn_implementation="eager")
    return EncoderClassifier(config).train()


def trained(model: EncoderClassifier) -> None:
    torch.manual_seed(4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    ids = torch.tensor([*IDS, [5, 6, 1]])
    for _ in range(3):
        model(ids, (ids != 1).long(), labels=torch.tensor([0, 1, 1])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("kind", [BertConfig, RobertaConfig])
def test_the_same_model_comes_out(kind: type) -> None:
    """RoBERTa finds positions by its padding's id: ids must stay as they are."""
    whole, part = model_of(kind), model_of(kind)
    before = part.get_input_embeddings().weight.detach().clone()
    trained(whole)
    with only_seen(part, IDS, [[1]]):
        assert sum(each.numel() for each in part.parameters()) < sum(each.numel() for each in whole.parameters())
        trained(part)
    assert part.state_dict().keys() == whole.state_dict().keys()
    for name, values in whole.state_dict().items():
        torch.testing.assert_close(part.state_dict()[name], values, atol=1e-6, rtol=1e-5, msg=name)
    after = part.get_input_embeddings().weight
    assert torch.equal(after[8:40], before[8:40])
    assert not torch.equal(after[7], before[7])


def test_an_id_that_was_not_named_is_no_other_row() -> None:
    model = model_of(BertConfig)
    with only_seen(model, IDS), pytest.raises(IndexError):
        model(torch.tensor([[9]]))


def test_small_tables_and_those_wanted_whole_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(BertConfig)
    table = model.get_input_embeddings()
    with only_seen(model, [list(range(40))]):
        assert model.get_input_embeddings() is table
    scaled = type("Scaled", (torch.nn.Embedding,), {})(*table.weight.shape)
    model.set_input_embeddings(scaled)
    with only_seen(model, IDS):
        assert model.get_input_embeddings() is scaled
    model.set_input_embeddings(table)
    monkeypatch.setattr(token_table, "_ROWS", 65)
    with only_seen(model, IDS):
        assert model.get_input_embeddings() is table


def test_what_was_learnt_is_kept_when_training_fails() -> None:
    model = model_of(BertConfig)
    before = model.get_input_embeddings().weight.detach().clone()
    with pytest.raises(RuntimeError, match="stopped"), only_seen(model, IDS, [[1]]):
        trained(model)
        raise RuntimeError("stopped")
    after = model.get_input_embeddings().weight
    assert not torch.equal(after[7], before[7])
    assert torch.equal(after[8:40], before[8:40])
