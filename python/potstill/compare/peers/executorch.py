"""ExecuTorch with its XNNPACK backend, on a program exported from the classifier folder with a dynamic length.

Batch is 1 in the program: a batch is a loop. Its Python runtime needs PyTorch itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from potstill.bench.engine import AnyLength
from potstill.errors import missing_package


class ExecuTorchRunner(AnyLength):
    """A loaded program; the thread pool belongs to the process."""

    def __init__(self, path: Path, threads: int) -> None:
        try:
            import torch
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime
        except ImportError as error:
            raise missing_package(error.name or "executorch", "peers", "measuring ExecuTorch") from error
        portable_lib._unsafe_reset_threadpool(threads)
        # Torch is only the carrier of tensors here.
        torch.set_num_threads(1)
        self._torch = torch
        self._program = Runtime.get().load_program(path)
        self._method = self._program.load_method("forward")

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """See `Runner`."""
        torch, execute = self._torch, self._method.execute
        feeds = [[torch.tensor([list(ids)], dtype=torch.int64)] for ids in batch]

        def call() -> Any:
            return torch.cat([execute(feed)[0].clone() for feed in feeds]).numpy()

        return call


def convert(student: Path, out: Path, *, int8: bool) -> None:
    """Write the program `out` (.pte) from a classifier folder.

    Args:
        student: the folder.
        out: the file.
        int8: dynamic int8 linear layers, weights per channel; else fp32.

    Raises:
        SystemFailure: a package is missing.
    """
    try:
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower
    except ImportError as error:
        raise missing_package(error.name or "executorch", "peers", "converting for ExecuTorch") from error
    from potstill.export.plain import load_plain

    plain, card = load_plain(student)

    class Alone(torch.nn.Module):
        """One sentence without padding: no mask is needed, only the logits leave."""

        def __init__(self) -> None:
            super().__init__()
            self.plain = plain

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return self.plain(input_ids, torch.ones_like(input_ids))[0]

    sample = (torch.zeros(1, min(7, card.max_tokens), dtype=torch.int64),)
    shapes = ({1: torch.export.Dim("length", min=1, max=card.max_tokens)},)
    model = Alone().eval()
    with plain.plain_masks(), torch.no_grad():
        exported = torch.export.export(model, sample, dynamic_shapes=shapes)
        if int8:
            exported = torch.export.export(_quantized(exported, sample), sample, dynamic_shapes=shapes)
        lowered = to_edge_transform_and_lower(exported, partitioner=_partitioners(int8, XnnpackPartitioner))
    out.write_bytes(lowered.to_executorch().buffer)


def _quantized(exported: Any, sample: Any) -> Any:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True))
    prepared = prepare_pt2e(exported.module(), quantizer)
    prepared(*sample)
    return convert_pt2e(prepared)


def _partitioners(int8: bool, partitioner: Any) -> list[Any]:
    """Dynamic int8 layers need a partition of their own, before the rest of the graph: as ExecuTorch's guide says."""
    if not int8:
        return [partitioner()]
    from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType

    dynamic = partitioner(config_precisions=ConfigPrecisionType.DYNAMIC_QUANT, per_op_mode=True)
    return [dynamic, partitioner()]


def open_peer(path: Path, threads: int) -> ExecuTorchRunner:
    """Load a program of `convert`. SystemFailure: a package is missing."""
    return ExecuTorchRunner(path, threads)


def version() -> str:
    """Package and version."""
    from potstill.compare.peers import package_version

    return package_version("executorch")
