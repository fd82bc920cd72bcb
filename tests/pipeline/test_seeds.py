"""Several seeds: figures of each build, their mean and spread, shared stages, and going on after a stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.errors import InputError
from potstill.pipeline import seeds
from potstill.pipeline.report.seeds import render
from potstill.work.progress import QuietProgress


def _report(teacher: float, packed: float) -> dict[str, Any]:
    return {
        "teacher": {"test_accuracy": teacher},
        "student": {"test_accuracy": packed + 0.01},
        "accuracy": {"still": packed, "onnx_int8": packed - 0.02},
        "label_agreement": {"still": 0.99, "onnx_int8": 0.95},
        "bytes": {"still": 2_000_000, "teacher": 90_000_000, "onnx_int8": 3_000_000},
    }


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, Path, Path]]:
    """Every build asked for: recipe, seed, folder and folder of stages."""
    found: list[tuple[str, int, Path, Path]] = []

    def build(recipe: Any, out: Path, *, progress: Any, stages: Path, timed: bool) -> dict[str, Any]:
        assert not timed
        found.append((recipe.name, recipe.seed, out, stages))
        return _report(0.88, 0.84 + 0.01 * recipe.seed)

    monkeypatch.setattr(seeds, "run_build", build)
    return found


def test_mean_and_spread(built: list[Any], tmp_path: Path) -> None:
    result = seeds.run_seeds(["sentiment", "sentiment-quick"], [1, 2, 3], tmp_path, progress=QuietProgress())
    row = result["recipes"]["sentiment"]
    assert row["mean"]["packed"] == pytest.approx(0.86) and row["spread"]["packed"] == pytest.approx(0.01)
    assert row["mean"]["retained"] == pytest.approx(0.86 / 0.88)
    assert row["mean"]["packed_cost_points"] == pytest.approx(1.0) and row["spread"]["teacher"] == 0.0
    assert list(row["builds"]) == ["1", "2", "3"]
    assert json.loads((tmp_path / seeds.RESULT).read_text()) == result


def test_recipes_of_a_seed_share_their_stages(built: list[Any], tmp_path: Path) -> None:
    seeds.run_seeds(["sentiment", "sentiment-quick"], [4, 5], tmp_path, progress=QuietProgress())
    assert [(name, seed) for name, seed, _, _ in built] == [
        ("sentiment", 4), ("sentiment-quick", 4), ("sentiment", 5), ("sentiment-quick", 5),
    ]  # fmt: skip
    assert len({stages for _, _, _, stages in built}) == 2 and len({out for _, _, out, _ in built}) == 4


def test_one_seed_has_no_spread(built: list[Any], tmp_path: Path) -> None:
    result = seeds.run_seeds(["sentiment"], [4], tmp_path, progress=QuietProgress(), overrides=["distil.epochs=1"])
    assert set(result["recipes"]["sentiment"]["spread"].values()) == {0.0}


@pytest.mark.parametrize(("recipes", "numbers"), [(["sentiment"], [1, 1]), (["sentiment", "sentiment"], [1])])
def test_twice_the_same(built: list[Any], tmp_path: Path, recipes: list[str], numbers: list[int]) -> None:
    with pytest.raises(InputError, match=r"I081.*twice"):
        seeds.run_seeds(recipes, numbers, tmp_path, progress=QuietProgress())
    assert not built


def test_table(built: list[Any], tmp_path: Path) -> None:
    text = render(seeds.run_seeds(["sentiment"], [1, 2, 3], tmp_path, progress=QuietProgress()))
    line = next(line for line in text.splitlines() if line.strip().startswith("sentiment"))
    for cell in (
        "88.0 ± 0.0 %",
        "86.0 ± 1.0 %",
        "97.7 ± 1.1 %",
        "2.00 MB",
        "1/45.0",
        "+1.00 ± 0.00",
        "99.0",
        "84.0",
        "95.0",
    ):
        assert cell in line, cell
    assert "seeds 1, 2, 3" in text


def test_a_recipe_with_overrides_of_its_own_is_a_row(built: list[Any], tmp_path: Path) -> None:
    wanted = ["sentiment", "sentiment compile.scheme=int4 'data.source=a b.csv'"]
    result = seeds.run_seeds(wanted, [1], tmp_path, overrides=["distil.epochs=1"], progress=QuietProgress())
    assert list(result["recipes"]) == ["sentiment", "sentiment compile.scheme=int4 data.source=a b.csv"]
    assert [out.name for _, _, out, _ in built] == ["sentiment", "sentiment-compile.scheme=int4-data.source=a-b.csv"]


def test_a_recipe_file_may_have_spaces_in_its_name(built: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "my recipe.toml"
    path.write_text('name = "mine"\n[teacher]\nmodel = "x"\n[data]\nsource = "y.csv"\n', encoding="utf-8")
    assert list(seeds.run_seeds([str(path)], [1], tmp_path, progress=QuietProgress())["recipes"]) == ["mine"]


@pytest.mark.parametrize("text", ["", "sentiment 'compile"])
def test_not_a_recipe(built: list[Any], tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="I082"):
        seeds.run_seeds([text], [1], tmp_path, progress=QuietProgress())


def test_labels_are_compared_with_the_student_before_it_was_trained_for_a_scheme() -> None:
    report = _report(0.9, 0.8) | {"before_agreement": {"still": 0.93, "onnx_int8": 0.92}}
    assert seeds.figures(report)["packed_agreement"] == 0.93
    assert seeds.figures(report | {"before_agreement": {}})["packed_agreement"] == 0.99


def test_the_table_says_on_how_many_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(seeds, "run_build", lambda *_, **__: _report(0.88, 0.85) | {"rows": {"test": 1056}})
    text = render(seeds.run_seeds(["sentiment"], [1, 2], tmp_path, progress=QuietProgress()))
    assert "over the seeds 1, 2, each on 1,056 test rows" in text
