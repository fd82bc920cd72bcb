"""Losses of tokens and layers: numbers by hand, padding, unlike heads and widths, views of real models, plans."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, DistilBertConfig, DistilBertModel

from potstill.distil.losses import LOSSES, LossInputs, TokenPairs, total
from potstill.distil.train.loss_settings import LossSettings
from potstill.distil.train.token_losses import TokenLosses, check_batch, check_lengths, token_plan
from potstill.errors import TrainError
from potstill.models.token_states import last_of_groups, tap, token_view

MASK = torch.tensor([[True, True], [True, False]])


def bert(hidden: int = 16, layers: int = 2, heads: int = 4, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=21,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.3,
        attn_implementation="eager",
    )
    return BertForSequenceClassification(config).eval()


def settings(**changes: Any) -> LossSettings:
    return LossSettings.of_keywords(2.0, 0.5, changes)


def outputs(**pairs: Any) -> LossInputs:
    return LossInputs(torch.zeros(2, 2), tokens=TokenPairs(MASK, **pairs))


@pytest.mark.parametrize("name", ["embedding", "hidden"])
def test_mean_squared_difference_of_real_tokens(name: str) -> None:
    student = torch.tensor([[[1.0, 1.0], [0.0, 2.0]], [[3.0, 1.0], [99.0, 99.0]]])
    pair = (student, torch.zeros(2, 2, 2))
    # Row 0: tokens (1 + 1) / 2 and (0 + 4) / 2; row 1: (9 + 1) / 2, its second token is padding.
    given = pair if name == "embedding" else (pair, (torch.zeros(2, 2, 2), torch.zeros(2, 2, 2)))
    expected = torch.tensor([1.5, 5.0]) / (1 if name == "embedding" else 2)
    assert LOSSES[name](outputs(**{name: given})).tolist() == pytest.approx(expected.tolist())


def test_attention_scores_of_real_pairs() -> None:
    student = torch.zeros(2, 2, 2, 2)
    student[0, 0] = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    student[1, :, 1, :] = 50.0
    student[1, :, :, 1] = 50.0
    pair = (student, torch.zeros(2, 2, 2, 2))
    assert LOSSES["attention"](outputs(attention=(pair,))).tolist() == pytest.approx([4.0 / 8, 0.0])


def test_unlike_numbers_of_heads_compare_their_means() -> None:
    student = torch.stack([torch.full((2, 2), 3.0), torch.full((2, 2), -1.0)]).expand(2, 2, 2, 2)
    teacher = torch.full((2, 3, 2, 2), 2.0)
    assert LOSSES["attention"](outputs(attention=((student, teacher),))).tolist() == pytest.approx([1.0, 1.0])


def test_relations_by_hand() -> None:
    # Row 0, one head, width 1: student tokens 0, 0 -> uniform; teacher tokens 1, 0 -> [e, 1] and [1, 1], normalised.
    student = torch.zeros(2, 2, 1)
    teacher = torch.tensor([[[1.0], [0.0]], [[4.0], [7.0]]])
    p = math.e / (math.e + 1)
    kl = p * math.log(2 * p) + (1 - p) * math.log(2 * (1 - p))
    found = LOSSES["relations"](outputs(relations=((student, teacher),)))
    # Row 1 has one real token: its relation is [1] whatever the padding holds.
    assert found.tolist() == pytest.approx([kl / 2, 0.0], abs=1e-6)


def test_relations_of_unlike_widths_are_zero_for_the_same_geometry_and_padding_does_not_matter() -> None:
    torch.manual_seed(0)
    states = torch.randn(2, 2, 8)
    wide = torch.cat([states, states], -1)  # A A^T doubles, sqrt(d) grows by sqrt 2
    scaled = states * 2**0.25
    pairs = TokenPairs(MASK, relations=((scaled, wide),) * 3)
    assert LOSSES["relations"](LossInputs(torch.zeros(2, 2), tokens=pairs)).abs().max() < 1e-5
    other = scaled.clone()
    other[1, 1] = 1e3
    found = LOSSES["relations"](LossInputs(torch.zeros(2, 2), tokens=TokenPairs(MASK, relations=((other, wide),) * 3)))
    assert found.abs().max() < 1e-5
    heads = TokenPairs(MASK, relations=((torch.randn(2, 2, 8), wide),), relation_heads=4)
    assert LOSSES["relations"](LossInputs(torch.zeros(2, 2), tokens=heads)).min() >= 0


@pytest.mark.parametrize("name", ["embedding", "hidden", "attention", "relations"])
def test_states_that_are_lacking_are_named(name: str) -> None:
    for given in (LossInputs(torch.zeros(1, 2)), outputs()):
        with pytest.raises(TrainError) as error:
            total(given, {name: 1.0})
        assert error.value.code == "T021"


def batch() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[2, 5, 6, 7, 3], [2, 9, 3, 0, 0]])
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


def test_tapped_states_and_scores_are_the_models_own() -> None:
    model = bert(layers=3)
    view = token_view(model, "student")
    with tap(view, range(4)) as states:
        result = model(**batch(), output_hidden_states=True, output_attentions=True)
    assert sorted(states) == [0, 1, 2, 3]
    for place, expected in enumerate(result.hidden_states):
        assert states[place].equal(expected)
    mask = batch()["attention_mask"].bool()
    for layer, expected in enumerate(result.attentions):
        scores = view.scores(layer, states[layer]).masked_fill(~mask[:, None, None], float("-inf"))
        torch.testing.assert_close(scores.softmax(-1), expected)
    model(**batch())
    assert not model.bert.encoder.layer[0]._forward_pre_hooks, "the taps are gone"


def test_a_model_of_another_shape_is_refused() -> None:
    other = DistilBertModel(DistilBertConfig(vocab_size=21, dim=16, n_layers=1, n_heads=2, hidden_dim=16))
    with pytest.raises(TrainError) as error:
        token_view(other, "student")
    assert error.value.code == "T090" and "DistilBertModel" in str(error.value)


def test_layers_are_the_last_of_groups() -> None:
    assert last_of_groups(4, 12) == [2, 5, 8, 11]
    assert last_of_groups(4, 6) == [1, 2, 4, 5]
    assert last_of_groups(2, 6) == [2, 5]
    assert last_of_groups(6, 6) == [0, 1, 2, 3, 4, 5]
    assert last_of_groups(3, 2) == [0, 1, 1]


def test_plan_names_the_places_that_are_read() -> None:
    student, teacher = token_view(bert(12, 2, 3), "student"), token_view(bert(16, 6), "teacher")
    plan = token_plan(settings(hidden=1.0), student, teacher)
    assert (plan.layers, plan.places(0), plan.places(1)) == ([2, 5], [1, 2], [3, 6])
    assert token_plan(settings(attention=1.0, teacher_layers=[0, 3]), student, teacher).places(1) == [0, 3]
    assert token_plan(settings(embedding=1.0), student, teacher).places(1) == [0]
    plan = token_plan(settings(relations=1.0), student, teacher)
    assert (plan.places(0), plan.places(1), plan.relation_heads) == ([1], [5], 4)
    assert token_plan(settings(relations=1.0, relation_layer=2), student, teacher).places(1) == [2]
    narrow = token_view(bert(6, 2, 3), "student")
    assert token_plan(settings(relations=1.0), narrow, teacher).relation_heads == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"teacher_layers": [0]}, "T092"),
        ({"teacher_layers": [0, 6]}, "T092"),
        ({"relation_layer": 6}, "T092"),
        ({"relation_heads": 3}, "T093"),
    ],
)
def test_plans_that_do_not_fit(changes: dict[str, Any], code: str) -> None:
    student, teacher = token_view(bert(12, 2, 3), "student"), token_view(bert(16, 6), "teacher")
    with pytest.raises(TrainError) as error:
        token_plan(settings(relations=1.0, **changes), student, teacher)
    assert error.value.code == code


def test_a_student_that_is_its_teacher_loses_nothing() -> None:
    model = bert(layers=3)
    names = ("embedding", "hidden", "attention", "relations")
    tokens = TokenLosses(settings(**dict.fromkeys(names, 1.0)), model, model)
    with tap(tokens.student, tokens.plan.places(0)) as states:
        model(**batch())
    pairs = tokens(states, {place: state.detach() for place, state in states.items()}, batch()["attention_mask"])
    value, parts = total(LossInputs(torch.zeros(2, 2), tokens=pairs), dict.fromkeys(names, 1.0))
    assert set(parts) == set(names) and abs(value.item()) < 1e-5


def test_gradients_reach_the_student_and_the_maps_not_the_teacher() -> None:
    student, teacher = bert(12, 2, 3), bert(16, 4, 4, seed=1).requires_grad_(False)
    tokens = TokenLosses(settings(hidden=1.0, attention=1.0, relations=1.0, embedding=1.0), student, teacher)
    assert {name: tuple(weight.shape) for name, weight in tokens.named_parameters()} == {
        "maps.hidden.weight": (16, 12),
        "maps.embedding.weight": (16, 12),
    }
    with tap(tokens.student, tokens.plan.places(0)) as ours, tap(tokens.teacher, tokens.plan.places(1)) as theirs:
        student(**batch())
        teacher(**batch())
    value, _ = total(
        LossInputs(torch.zeros(2, 2), tokens=tokens(ours, theirs, batch()["attention_mask"])),
        {"hidden": 1.0, "attention": 1.0, "relations": 1.0, "embedding": 1.0},
    )
    value.backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in tokens.parameters())
    first = student.bert.encoder.layer[0].attention.self.query.weight
    assert first.grad is not None and first.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in teacher.parameters())


def test_maps_start_at_the_axes_of_the_initialisation() -> None:
    axes = torch.randn(16, 12)
    given = TokenLosses(settings(hidden=1.0), bert(12, 2, 3), bert(16), axes)
    assert given.maps["hidden"].weight.equal(axes)
    same = TokenLosses(settings(hidden=1.0), bert(16), bert(16))
    assert same.maps["hidden"].weight.equal(torch.eye(16))
    one, two = (TokenLosses(settings(hidden=1.0), bert(12, 2, 3), bert(16), seed=3) for _ in range(2))
    assert one.maps["hidden"].weight.equal(two.maps["hidden"].weight)


def test_rows_of_unlike_length_are_refused() -> None:
    check_lengths([[1, 2]], [[3, 4]])
    with pytest.raises(TrainError) as error:
        check_lengths([[1, 2], [1, 2, 3]], [[1, 2], [1, 2]])
    assert error.value.code == "T091" and "row 1" in str(error.value)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    check_batch(mask, mask)
    for other in (torch.tensor([[1, 1, 1], [1, 1, 1]]), torch.tensor([[1, 1], [1, 1]])):
        with pytest.raises(TrainError) as error:
            check_batch(mask, other)
        assert error.value.code == "T091"
