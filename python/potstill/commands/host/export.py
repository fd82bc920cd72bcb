"""`potstill export`: a model folder to ONNX and TFLite."""

from __future__ import annotations

import argparse
from pathlib import Path

from potstill.commands import Command, between
from potstill.paths import existing


def _export(args: argparse.Namespace) -> int:
    from potstill.export.files import export_files
    from potstill.work.progress import make_progress

    model = Path(existing(args.model, "name the folder of a model, such as build/sentiment/student", folder=True))
    files = export_files(
        model, Path(args.out), opset=args.opset, int8=args.int8, tflite_length=args.length if args.tflite else None,
        progress=make_progress(quiet=args.quiet),
    )  # fmt: skip
    for path in files:
        print(f"{path}  {path.stat().st_size:,} bytes")
    return 0


def add(command: Command) -> None:
    """Register it."""
    export = command(
        "export",
        _export,
        "Export a Hugging Face model folder to ONNX and TFLite.",
        "potstill export build/sentiment/student --out exported --int8 --tflite --length 64",
    )
    export.add_argument("model", help="a local model folder")
    export.add_argument("--out", required=True, help="folder for the exports")
    export.add_argument("--opset", type=int, default=18, help="ONNX opset, 13 or later (default 18)")
    export.add_argument("--int8", action="store_true", help="also write int8 versions")
    export.add_argument("--tflite", action="store_true", help="also write TFLite")
    export.add_argument(
        "--length", type=between(1, 8192), default=64, help="tokens of the static TFLite graph (default 64)"
    )
    export.add_argument("--quiet", action="store_true", help="no progress")
