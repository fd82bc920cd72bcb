"""CTranslate2: its BERT encoder, and mean or first-token pooling and the head in NumPy.

The file is made from the classifier folder, because CTranslate2 reads architectures by their Hugging Face names. One
fp32 copy serves both precisions: int8 is made when it is loaded, as its documentation offers.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from potstill.bench.engine import AnyLength
from potstill.errors import ExportError, missing_package
from potstill.runtime.rows import TokenRows

_ENCODER, _HEAD = "encoder", "head.npz"


class CTranslate2Runner(AnyLength):
    """A converted encoder. A batch is padded to its longest sentence; lengths tell the engine what to leave out."""

    def __init__(self, path: Path, threads: int, compute_type: str) -> None:
        try:
            import ctranslate2
            import numpy as np
        except ImportError as error:
            raise missing_package(error.name or "ctranslate2", "peers", "measuring CTranslate2") from error
        self._engine = ctranslate2
        self._encoder = ctranslate2.Encoder(
            str(path / _ENCODER), device="cpu", inter_threads=1, intra_threads=threads, compute_type=compute_type
        )
        head = np.load(path / _HEAD)
        self._weight, self._bias, self._mean = head["weight"].T.copy(), head["bias"], bool(head["mean"])

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """See `Runner`; the arrays are made before the clock starts."""
        import numpy as np

        rows = TokenRows(batch)
        lengths, ids = np.array(rows.lengths, np.int32), rows.padded(dtype="int32")["input_ids"]
        view = self._engine.StorageView.from_array
        tokens, sizes = view(ids), view(lengths)
        share = ((np.arange(ids.shape[1]) < lengths[:, None]) / lengths[:, None].astype(np.float32)).astype(np.float32)
        encoder, weight, bias, mean = self._encoder, self._weight, self._bias, self._mean

        def call() -> Any:
            hidden = np.asarray(encoder.forward_batch(tokens, sizes).last_hidden_state)
            pooled = np.matmul(share[:, None, :], hidden)[:, 0] if mean else hidden[:, 0]
            return pooled @ weight + bias

        return call


def convert(student: Path, out: Path) -> None:
    """Fill the folder `out`, which exists, from a classifier folder.

    Raises:
        ExportError: another architecture than BERT under our own head.
        SystemFailure: a package is missing.
    """
    try:
        import numpy as np
        from ctranslate2.converters.transformers import BertLoader
        from ctranslate2.specs import common_spec, transformer_spec
    except ImportError as error:
        raise missing_package(error.name or "ctranslate2", "peers", "converting for CTranslate2") from error
    from potstill.export.quiet import quiet
    from potstill.models.classifier import load_classifier

    with quiet():
        model = load_classifier(student)
    config = getattr(model.config, "backbone", None)
    if config is None or config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise ExportError("X023", "CTranslate2 is fed BERT students only", str(student), "measure the other engines")
    bert, loader = model.backbone, BertLoader()
    merge = common_spec.EmbeddingsMerge.ADD
    encoder = transformer_spec.TransformerEncoderSpec(
        config["num_hidden_layers"],
        config["num_attention_heads"],
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=merge,
    )
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    encoder.scale_embeddings = False
    tables, body = bert.embeddings, bert.encoder
    loader.set_embeddings(encoder.embeddings[0], tables.word_embeddings)
    loader.set_embeddings(encoder.embeddings[1], tables.token_type_embeddings)
    loader.set_position_encodings(encoder.position_encodings, tables.position_embeddings)
    loader.set_layer_norm(encoder.layernorm_embedding, tables.LayerNorm)
    for target, layer in zip(encoder.layer, body.layer, strict=True):
        _attention(loader, target.self_attention, layer.attention)
        loader.set_linear(target.ffn.linear_0, layer.intermediate.dense)
        loader.set_linear(target.ffn.linear_1, layer.output.dense)
        loader.set_layer_norm(target.ffn.layer_norm, layer.output.LayerNorm)
    spec.register_vocabulary([f"token{index}" for index in range(config["vocab_size"])])
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    spec.config.unk_token = "token0"
    spec.validate()
    spec.optimize(quantization="float32")
    (out / _ENCODER).mkdir()
    spec.save(str(out / _ENCODER))
    head = {"weight": model.classifier.weight.detach().numpy(), "bias": model.classifier.bias.detach().numpy()}
    np.savez(out / _HEAD, mean=np.bool_(model.config.pooling == "mean"), **head)


def _attention(loader: Any, target: Any, layer: Any) -> None:
    from ctranslate2.converters import utils
    from ctranslate2.specs import common_spec

    parts = [common_spec.LinearSpec() for _ in range(3)]
    for part, source in zip(parts, (layer.self.query, layer.self.key, layer.self.value), strict=True):
        loader.set_linear(part, source)
    utils.fuse_linear(target.linear[0], parts)
    loader.set_linear(target.linear[1], layer.output.dense)
    loader.set_layer_norm(target.layer_norm, layer.output.LayerNorm)


def environment(compute_type: str, machine: str = "", cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Its best settings on x86-64: away from Intel's CPUs it avoids MKL and AVX-512 by itself.

    On a Zen 5, 1 thread, 64 tokens: fp32 9.9 ms by default, 8.3 ms with both; int8 3.2 ms by default, 2.8 ms with
    AVX-512, but 20 ms with MKL. A user's own variables win.
    """
    if (machine or platform.machine()) != "x86_64":
        return {}
    settings = {"CT2_USE_MKL": "1"} if compute_type == "float32" else {}
    try:
        flags = next(line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        flags = ""
    if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= set(flags.split()):
        settings["CT2_FORCE_CPU_ISA"] = "AVX512"
    return {name: os.environ.get(name, value) for name, value in settings.items()}


def open_peer(path: Path, threads: int, compute_type: str = "float32") -> CTranslate2Runner:
    """Load a folder of `convert`. SystemFailure: a package is missing."""
    return CTranslate2Runner(path, threads, compute_type)


def version() -> str:
    """Package and version."""
    from potstill.compare.peers import package_version

    return package_version("ctranslate2")
