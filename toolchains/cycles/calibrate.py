"""Make bench/predict/costs.json: ``nox -s bench -- --calibrate`` (10 minutes on 2 cores).

Random encoders of many shapes are run through Potstill's core on emulated boards, their executed blocks counted and
modelled by llvm-mca for each core, and the cycles of a forward fitted to the terms of `potstill.bench.predict.terms`.
Shapes of `HELD_OUT` are counted but not fitted: the file keeps them, with the fit's error on them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig

from potstill.bench.predict.shape import ModelShape
from potstill.bench.predict.terms import TERMS, terms
from potstill.compile import compile_onnx
from potstill.distil.modeling import EncoderClassifier, EncoderClassifierConfig
from potstill.export.onnx import export_onnx
from potstill.quantize.schemes import SCHEMES
from toolchains import boards, sysroot
from toolchains.cycles import bench, mca, report, windows
from toolchains.emulate import Emulator
from toolchains.failures import PROJECT

OUT = PROJECT / "python" / "potstill" / "bench" / "predict" / "costs.json"
COUNTS = PROJECT / ".cache" / "cycles" / "calibration.json"
VOCABULARY, LONGEST, LABELS = 500, 128, 3
# Layers, hidden, FFN, heads.
FITTED = (
    (1, 128, 512, 2),
    (2, 256, 1024, 4),
    (2, 312, 1200, 12),
    (3, 384, 1536, 12),
    (2, 192, 400, 6),
    (1, 768, 3072, 12),
)
HELD_OUT = ((4, 312, 1024, 12), (2, 224, 900, 7), (1, 512, 2048, 8))
LENGTHS = (1, 4, 8, 13, 16, 30, 48, 64, 100, 128)
# Kernel set: the board that runs it, and the cores whose cycles are modelled from the same instructions.
SETS = {"neon": ("pi4", ("cortex-a72", "cortex-a76")), "neon_dotprod": ("pi5", ("cortex-a76",))}


class _Quiet:
    """What `bench.driver` wants of a nox session."""

    @staticmethod
    def log(text: str) -> None:
        """Print it."""
        print(text, flush=True)


def _write(folder: Path, sizes: tuple[int, int, int, int]) -> None:
    layers, hidden, ffn, heads = sizes
    torch.manual_seed(0)
    encoder = BertConfig(
        vocab_size=VOCABULARY, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=ffn, max_position_embeddings=LONGEST,
    )  # fmt: skip
    names = {i: f"label {i}" for i in range(LABELS)}
    config = EncoderClassifierConfig(encoder, "mean", id2label=names, label2id={n: i for i, n in names.items()})
    folder.mkdir(parents=True, exist_ok=True)
    EncoderClassifier(config).save_pretrained(folder / "classifier")
    onnx = export_onnx(folder / "classifier", folder / "model.onnx")
    for scheme in SCHEMES:
        compile_onnx(onnx, folder / f"{scheme}.still", scheme=scheme, max_tokens=LONGEST)


def shape(sizes: tuple[int, int, int, int], scheme: str) -> ModelShape:
    """The shape of a model made here."""
    layers, hidden, ffn, heads = sizes
    return ModelShape(layers, hidden, ffn, heads, VOCABULARY, LONGEST, LABELS, scheme)


def fit(rows: list[list[float]], cycles: list[float]) -> np.ndarray:
    """Non-negative coefficients that minimise the sum of squared relative errors (Lawson and Hanson, Solving Least
    Squares Problems, 1974, chapter 23)."""
    a = np.array(rows) / np.array(cycles)[:, None]
    scale = np.linalg.norm(a, axis=0)
    scale[scale == 0] = 1.0
    a, goal = a / scale, np.ones(len(a))
    x, used = np.zeros(a.shape[1]), np.zeros(a.shape[1], bool)
    for _ in range(100):
        gain = a.T @ (goal - a @ x)
        gain[used] = 0.0
        if gain.max() < 1e-9:
            break
        used[gain.argmax()] = True
        while True:
            trial = np.zeros_like(x)
            trial[used] = np.linalg.lstsq(a[:, used], goal, rcond=None)[0]
            bad = used & (trial <= 0)
            if not bad.any():
                break
            step = (x[bad] / (x[bad] - trial[bad])).min()
            x += step * (trial - x)
            used &= x > 1e-12
            x[~used] = 0.0
        x = trial
    return np.asarray(x / scale)


def _count(emulator: Emulator, program: Path, still: Path) -> list[windows.Window]:
    command = emulator.command(program, str(still), *map(str, LENGTHS))
    return windows.run(command, emulator.environment())[0]


def count_all() -> None:
    """Make the models, count and model them; kept in a file, since this takes the time."""
    counts: list[tuple[str, str, list[Any]]] = []
    with tempfile.TemporaryDirectory() as temporary:
        models = {sizes: Path(temporary) / "-".join(map(str, sizes)) for sizes in (*FITTED, *HELD_OUT)}
        for sizes, folder in models.items():
            print("model", sizes, flush=True)
            _write(folder, sizes)
        program = bench.driver(_Quiet, boards.board("pi4"))
        for kernels, (name, cores) in SETS.items():
            board = boards.board(name)
            emulator = Emulator(board, sysroot.root_of(board))
            jobs = [(sizes, scheme) for sizes in models for scheme in SCHEMES]
            with ThreadPoolExecutor(2) as pool:
                files = [models[sizes] / f"{scheme}.still" for sizes, scheme in jobs]
                counted = list(pool.map(partial(_count, emulator, program), files))
            for core in cores:
                costs = mca.Costs(core)
                rows = []
                for (sizes, scheme), found in zip(jobs, counted, strict=True):
                    rows += [(sizes, scheme, w.label, report.model(w, costs).cycles) for w in found]
                counts.append((kernels, core, rows))
    COUNTS.parent.mkdir(parents=True, exist_ok=True)
    COUNTS.write_text(json.dumps(counts), encoding="utf-8")


def fit_all() -> None:
    """Fit the kept counts and write costs.json."""
    result: dict[str, Any] = {"terms": list(TERMS), "fits": [], "held_out": []}
    for kernels, core, listed in json.loads(COUNTS.read_text(encoding="utf-8")):
        rows = [(tuple(sizes), scheme, tokens, cycles) for sizes, scheme, tokens, cycles in listed]
        for scheme in SCHEMES:
            _fit_one(result, kernels, core, scheme, [row for row in rows if row[1] == scheme])
    OUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written: {OUT}")


def _fit_one(result: dict[str, Any], kernels: str, core: str, scheme: str, rows: list[Any]) -> None:
    fitted = [row for row in rows if row[0] in FITTED]
    held = [row for row in rows if row[0] in HELD_OUT]
    matrix = [terms(shape(sizes, scheme), tokens) for sizes, _, tokens, _ in fitted]
    x = fit(matrix, [row[3] for row in fitted])
    errors = [float(np.dot(terms(shape(s, scheme), t), x) / c - 1) for s, _, t, c in held]
    inside = [float(np.dot(m, x) / row[3] - 1) for m, row in zip(matrix, fitted, strict=True)]
    print(
        f"{kernels} {core} {scheme}: fitted within {max(map(abs, inside)):.1%}, "
        f"unseen shapes within {max(map(abs, errors)):.1%}, mean {np.mean(np.abs(errors)):.1%}", flush=True,
    )  # fmt: skip
    result["fits"].append(
        {"kernels": kernels, "core": core, "scheme": scheme, "coefficients": [float(f"{v:.6g}") for v in x],
         "worst_error": round(max(map(abs, errors)), 4)}
    )  # fmt: skip
    for sizes, _, tokens, cycles in held:
        result["held_out"].append(
            {"kernels": kernels, "core": core, "shape": list(astuple(shape(sizes, scheme))), "tokens": tokens,
             "cycles": round(cycles)}
        )  # fmt: skip


if __name__ == "__main__":
    if "--fit-only" not in sys.argv or not COUNTS.is_file():
        count_all()
    fit_all()
