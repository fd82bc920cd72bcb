"""A teacher or student in PyTorch: the classifier, its tokens, its evaluation; one file a task in heads/."""

from __future__ import annotations

import logging

# transformers imports torchao where it is installed (the extra tflite brings it), which then complains on the console
# that its GPU kernels do not load. Nothing here uses it.
for _name in ("torchao", "torch.utils._pytree"):
    if logging.getLogger(_name).level == logging.NOTSET:
        logging.getLogger(_name).setLevel(logging.ERROR)
