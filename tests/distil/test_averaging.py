"""The average of the weights: its formula, its place in evaluation, its way through a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from potstill.distil.train.averaging import WeightAverage


def line(value: float) -> nn.Linear:
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(value)
        model.bias.fill_(-value)
    return model


def set_to(model: nn.Linear, value: float) -> None:
    model.load_state_dict(line(value).state_dict())


def test_the_average_follows_its_formula() -> None:
    model, average = line(1.0), WeightAverage(limit=0.3)
    average.start(model)
    expected = 1.0
    for step, value in enumerate([2.0, 4.0, 8.0, 16.0, 32.0, 64.0], start=1):
        set_to(model, value)
        average.update(model, step)
        decay = min(0.3, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    with average.in_place(model):
        assert model.weight.item() == pytest.approx(expected)
        assert model.bias.item() == pytest.approx(-expected)


def test_the_models_own_weights_come_back() -> None:
    model, average = line(1.0), WeightAverage()
    average.start(model)
    set_to(model, 3.0)
    with pytest.raises(KeyboardInterrupt), average.in_place(model):
        assert model.weight.item() == 1.0
        raise KeyboardInterrupt
    assert model.weight.item() == 3.0


def test_a_checkpoint_keeps_it_bit_for_bit(tmp_path: Path) -> None:
    model, average = line(1.0), WeightAverage()
    average.start(model)
    set_to(model, 0.1)
    average.update(model, 1)
    average.save(tmp_path)
    again = WeightAverage()
    again.load(tmp_path, model)
    for _ in range(2):
        values = []
        for one in (average, again):
            one.update(model, 2)
            with one.in_place(model):
                values.append(model.weight.item())
        assert values[0] == values[1]


def test_frozen_weights_are_left_out() -> None:
    model, average = line(1.0), WeightAverage()
    model.bias.requires_grad_(False)
    average.start(model)
    set_to(model, 5.0)
    with average.in_place(model):
        assert (model.weight.item(), model.bias.item()) == (1.0, -5.0)
