"""The classifier Potstill trains: any Hugging Face encoder, a pooling (or none: it labels tokens), one linear head.

A sentence encoder such as all-MiniLM has no pooler and no head; a `*ForSequenceClassification` of the hub has its own,
and so has a `*ForTokenClassification`.
`EncoderClassifier` covers the first, `load_classifier` gives both the same forward: logits and the pooled vector.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertConfig,
    PreTrainedModel,
)
from transformers.configuration_utils import PretrainedConfig

from potstill.errors import TrainError
from potstill.models import backbones as _registered  # noqa: F401  # its encoders join the Auto classes
from potstill.models.attention import Attention, with_attention
from potstill.models.families import encoder_kind, usual_pooling
from potstill.models.hub import model_errors, quiet_loading
from potstill.models.sentence_folder import SentenceModel
from potstill.models.split_classifier import ClassifierOutput, SplitClassifier, mean_loss
from potstill.models.vectors import (
    DenseLayer,
    dense_settings,
    dense_weights,
    known_pooling,
    pool,
    pooled_width,
    unit_length,
)

Pooling = Literal["mean", "cls", "none"]
# Of students; teachers have more (`potstill.models.vectors`).
POOLINGS: tuple[str, ...] = ("mean", "cls", "none")
# Encoders whose constructor can leave the pooler out.
_WITH_POOLER = ("bert", "roberta", "xlm-roberta", "camembert", "mobilebert", "potstill_factorized_bert")


class EncoderClassifierConfig(PretrainedConfig):
    """Configuration: the backbone's own configuration as a dictionary, and the pooling.

    Args:
        backbone: configuration of the encoder, or its dictionary (with ``model_type``).
        pooling: ``"mean"`` over the attended tokens, ``"cls"`` for the first token, or ``"none"``: the head reads every
            token. Teachers may have others, or several (``"cls+max"``); ``"auto"`` is the backbone's usual one.
        head_hidden: width of a hidden layer (ReLU) between the pooled vector and the logits; 0 has none.
        dense: of a sentence encoder, the layers behind its pooling (``inputs``, ``outputs``, ``bias``, ``activation``).
        normalized: of a sentence encoder, its vectors are divided by their length.
    """

    model_type = "potstill_encoder_classifier"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["pooled", "hidden_states"]

    def __init__(
        self,
        backbone: PretrainedConfig | dict[str, Any] | None = None,
        pooling: str = "mean",
        head_hidden: int = 0,
        dense: list[dict[str, Any]] | None = None,
        normalized: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(backbone, PretrainedConfig):
            backbone = backbone.to_dict()
        self.backbone = copy.deepcopy(backbone) if backbone is not None else BertConfig().to_dict()
        # Label tables live in the outer configuration only: two copies could disagree.
        for key in ("id2label", "label2id", "num_labels", "architectures", "_name_or_path", "dtype", "torch_dtype"):
            self.backbone.pop(key, None)
        if pooling == "auto":
            pooling = usual_pooling(self.backbone_config())
        if not known_pooling(pooling):
            raise TrainError(
                "T010", f"unknown pooling {pooling!r}", "the classifier's configuration", "use mean, cls or none"
            )
        self.pooling = pooling
        self.head_hidden = head_hidden
        self.dense = list(dense or ())
        self.normalized = normalized
        super().__init__(**kwargs)

    def backbone_config(self) -> PretrainedConfig:
        """The backbone's configuration as an object of its own class."""
        values = dict(self.backbone)
        return AutoConfig.for_model(values.pop("model_type"), **values)

    @property
    def hidden_size(self) -> int:
        """Width of the hidden states."""
        return int(self.backbone_config().hidden_size)

    @property
    def pools_states(self) -> bool:
        """Whether the pooled vector is one of hidden states: directions of these are directions of it."""
        return not self.dense and "+" not in self.pooling

    @property
    def num_hidden_layers(self) -> int:
        """Number of encoder layers."""
        return int(self.backbone_config().num_hidden_layers)


class EncoderClassifier(PreTrainedModel):
    """Encoder, pooling, dropout (0.1 in training) and a head of one or two linear layers.

    It is saved and loaded as any Hugging Face model.
    """

    config_class = EncoderClassifierConfig
    base_model_prefix = "backbone"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    # Losses here are means of the batch; the Trainer must divide by the accumulation steps itself.
    accepts_loss_kwargs = False
    gives_pooled = True

    def __init__(self, config: EncoderClassifierConfig) -> None:
        super().__init__(config)
        backbone = config.backbone_config()
        attention: Attention = "eager" if getattr(config, "_attn_implementation", None) == "eager" else "sdpa"
        # Of a decoder: one that writes nothing needs no keys and values of earlier tokens.
        backbone.use_cache = False
        # The pooler of BERT-like encoders is not used: leaving it out keeps its weights out of every file.
        arguments: dict[str, Any] = {}
        if backbone.model_type in _WITH_POOLER:
            arguments["add_pooling_layer"] = False
        self.backbone = with_attention(
            lambda kind: encoder_kind(backbone).from_config(backbone, attn_implementation=kind, **arguments), attention
        )
        self.dropout = nn.Dropout(0.1)
        # Without labels it is a sentence encoder: the pooled vector is the answer.
        hidden = int(getattr(config, "head_hidden", 0)) if config.num_labels else 0
        width = pooled_width(backbone.hidden_size, config.pooling)
        self.head = nn.Linear(width, hidden) if hidden else None
        self.classifier = nn.Linear(hidden or width, config.num_labels) if config.num_labels else None
        layers = config.dense if not config.num_labels else []
        self.dense = nn.ModuleList(DenseLayer(settings) for settings in layers) if layers else None
        self._takes_types = getattr(backbone, "type_vocab_size", 0) > 1
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool = False,
    ) -> ClassifierOutput:
        """Classify token ids.

        Args:
            input_ids: ``[batch, length]`` int64.
            attention_mask: ``[batch, length]``, 1 for real tokens; all ones when absent.
            token_type_ids: ``[batch, length]`` int64, zeros when absent.
            labels: ``[batch]`` int64, -100 marks a row without one; with ``problem_type``
                ``multi_label_classification`` ``[batch, labels]`` f32 of 0 and 1; without pooling ``[batch, length]``
                int64, -100 marks a token without one.
            output_hidden_states: also return the states of every layer.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        inputs: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if self._takes_types and token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        output = self.backbone(**inputs, output_hidden_states=output_hidden_states, return_dict=True)
        pooled = self._vector(pool(output.last_hidden_state, attention_mask, self.config.pooling))
        read = pooled if self.head is None else torch.relu(self.head(pooled))
        # No head, no column; cut rather than made anew, since len() would fix the batch of an export.
        logits = pooled[:, :0] if self.classifier is None else self.classifier(self.dropout(read))
        loss = mean_loss(self.config, logits, labels) if labels is not None else None
        states = output.hidden_states if output_hidden_states else None
        return ClassifierOutput(loss=loss, logits=logits.float(), pooled=pooled.float(), hidden_states=states)

    def _vector(self, pooled: torch.Tensor) -> torch.Tensor:
        """The vector of a sentence encoder from the pooled one; of a classifier, just that."""
        for layer in self.dense or ():
            pooled = layer(pooled)
        return unit_length(pooled.float()) if self.config.normalized and self.classifier is None else pooled


def label_tables(labels: Sequence[str]) -> dict[str, Any]:
    """The names of the labels as a configuration holds them, ``id2label`` and ``label2id``."""
    return {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}


def label_names(config: Any) -> list[str]:
    """The names of the labels in a configuration, in the order of the outputs."""
    return [str(config.id2label[index]) for index in range(len(config.id2label))]


def load_classifier(model_dir: Path | str, *, attention: Attention = "sdpa") -> nn.Module:
    """Load a classifier directory (or hub id) in f32 and eval mode.

    Args:
        model_dir: folder with ``config.json`` and weights: ours, or any `*ForSequenceClassification` or
            `*ForTokenClassification`.
        attention: implementation of attention; export uses ``"eager"``.

    Returns:
        A module whose forward gives `ClassifierOutput`; it has ``.config`` with ``id2label``.

    Raises:
        TrainError: nothing there; not a model or weights that are NaN; hub unreachable; no
            classification head.
    """
    with model_errors(model_dir), quiet_loading():
        config = AutoConfig.from_pretrained(str(model_dir))
        if isinstance(config, EncoderClassifierConfig):
            model = load_pretrained(EncoderClassifier, model_dir, attention)
            _check_finite(model, model_dir)
            return model.eval()
        if not has_head(config):
            raise TrainError(
                "T004",
                "the model has no classification head",
                str(model_dir),
                "fine-tune it first, or give a *ForSequenceClassification model",
            )
        kind = AutoModelForTokenClassification if labels_words(config) else AutoModelForSequenceClassification
        model = load_pretrained(kind, model_dir, attention)
        _check_finite(model, model_dir)
    return SplitClassifier(model).eval()


def _check_finite(model: nn.Module, where: Path | str) -> None:
    for name, values in model.named_parameters():
        if not bool(torch.isfinite(values).all()):
            raise TrainError(
                "T014", f"a weight is NaN or infinite: {name}", str(where),
                "use a smaller learning rate if it was trained here; else fetch the model again",
            )  # fmt: skip


def load_pretrained(kind: Any, model: Path | str, attention: Attention) -> Any:
    """``kind.from_pretrained`` in f32, with the attention wanted or, where the class lacks it, the eager one.

    Raises:
        TrainError: the files lack some of its weights, which would be random.
    """
    found, missing = with_attention(lambda given: _with_missing(kind, model, attn_implementation=given), attention)
    _check_whole(missing, model)
    found.config.use_cache = False  # of a decoder
    return found


def _with_missing(kind: Any, model: Path | str, **options: Any) -> tuple[Any, set[str]]:
    """A model in f32, and the names of its weights that are not in its files."""
    found, told = kind.from_pretrained(str(model), dtype=torch.float32, output_loading_info=True, **options)
    return found, set(told["missing_keys"])


def _check_whole(missing: set[str], where: Path | str) -> None:
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise TrainError(
            "T015", f"the files lack weights of the model: {min(missing)}{more}", str(where),
            "give the folder or hub id of a model that was saved whole, of the kind that its config.json names",
        )  # fmt: skip


def has_head(config: PretrainedConfig) -> bool:
    """Whether a configuration says that its weights hold a classification head."""
    names = getattr(config, "architectures", None) or []
    ends = ("ForSequenceClassification", "ForTokenClassification", "EncoderClassifier")
    return any(name.endswith(ends) for name in names)


def labels_words(config: Any) -> bool:
    """Whether a configuration is that of a model whose head reads every token."""
    names = getattr(config, "architectures", None) or []
    return getattr(config, "pooling", None) == "none" or any(n.endswith("ForTokenClassification") for n in names)


def load_encoder(
    model: Path | str,
    *,
    labels: list[str],
    pooling: str = "mean",
    attention: Attention = "sdpa",
    seed: int = 42,
    problem: str | None = None,
    sentence: SentenceModel | None = None,
) -> EncoderClassifier:
    """A pretrained encoder under a new, random head for these labels, in f32 and training mode.

    Args:
        model: hub id or folder of an encoder (a head it may have is dropped).
        labels: label names, index = class id; none gives a sentence encoder without head.
        pooling: as of `EncoderClassifierConfig`; ``"none"`` for a head on every token.
        attention: implementation of attention.
        seed: seed of the head's weights.
        problem: ``problem_type`` of the configuration, None for one label a text.
        sentence: of a sentence encoder, the folder with its dense layers, and whether it normalises.

    Raises:
        TrainError: as `load_classifier`; unknown pooling; dense layers that do not fit.
    """
    with model_errors(model), quiet_loading():
        backbone_config = AutoConfig.from_pretrained(str(model))
        if isinstance(backbone_config, EncoderClassifierConfig):
            whole, missing = _with_missing(EncoderClassifier, model)
            source, missing = whole.backbone, {name.removeprefix("backbone.") for name in missing}
            backbone_config = source.config
        else:
            source, missing = _with_missing(encoder_kind(backbone_config), model)
        _check_finite(source, model)
    torch.manual_seed(seed)
    more: dict[str, Any] = {} if problem is None else {"problem_type": problem}
    weights = []
    if sentence is not None:
        weights = dense_weights(sentence, pooled_width(backbone_config.hidden_size, pooling))
        more |= {"dense": dense_settings(sentence), "normalized": sentence.normalized}
    config = EncoderClassifierConfig(
        backbone=backbone_config,
        pooling=pooling,
        **label_tables(labels),
        attn_implementation=attention,
        **more,
    )
    classifier = EncoderClassifier(config)
    wanted = classifier.backbone.state_dict()
    _check_whole(missing & wanted.keys(), model)
    found = {name: value for name, value in source.state_dict().items() if name in wanted}
    classifier.backbone.load_state_dict(found)
    for layer, state in zip(classifier.dense or (), weights, strict=True):
        layer.linear.load_state_dict(state)
    return classifier.train()


AutoConfig.register(EncoderClassifierConfig.model_type, EncoderClassifierConfig, exist_ok=True)
for _auto in (AutoModelForSequenceClassification, AutoModelForTokenClassification):
    _auto.register(EncoderClassifierConfig, EncoderClassifier, exist_ok=True)
