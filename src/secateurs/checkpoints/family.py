"""What a family of checkpoints is: the one type every family file fills in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from secateurs.model.encoders import EncoderConfig
from secateurs.model.similarity import SimilarityConfig
from secateurs.policy import Policy
from secateurs.windows.aggregate import Rule
from secateurs.windows.packing import Template

RawConfig = Mapping[str, Any]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Blueprint:
    """What the files of one checkpoint say, in our terms.

    Attributes:
        shape: The encoder's shape.
        names: Tensor names of the file to ours; a name stands for its `.weight` and `.bias`, `{i}` for a layer.
        max_length: Window the checkpoint was made for, in encoder tokens.
        default_policy: What it keeps unless told otherwise.
        similarity: The shape of a tower beside the encoder; None where it has none.
    """

    shape: EncoderConfig
    names: Mapping[str, str]
    max_length: int
    default_policy: Policy
    similarity: SimilarityConfig | None = None


@dataclass(frozen=True)
class Published:
    """A checkpoint of the family on the hub.

    Attributes:
        id: Hub id.
        parameters: Number of parameters, for people.
        languages: Languages it was trained on, for people.
        window: Encoder tokens of a window.
        threshold: Its default threshold.
        reported: What others report of it that a user should know, and who; `""` for nothing.
    """

    id: str
    parameters: str
    languages: str
    window: int
    threshold: float
    reported: str = ""


def as_they_are(sentences: Sequence[str]) -> list[str]:
    """Return the sentences as they stand, white space included; nothing joins them."""
    return list(sentences)


def spaced(sentences: Sequence[str]) -> list[str]:
    r"""Return the sentences stripped, with one space before each but the first.

    Example:
        >>> spaced(["It rains. ", "It pours.\n"])
        ['It rains.', ' It pours.']
    """
    return [f" {sentence.strip()}" if index else sentence.strip() for index, sentence in enumerate(sentences)]


@dataclass(frozen=True)
class Family:
    """A layout in which checkpoints are published, and how its models are run.

    Attributes:
        name: What `family=` calls it.
        model_type: `model_type` in its `config.json`.
        licence: Licence of the published weights.
        read: Reads a checkpoint's raw config, its place for messages, and the shapes of the tensors in its file.
        rule: From token scores to sentence scores.
        reads_tokens: Whether log-odds mean something for a single token; a head that reads sentences only adds them
            up.
        published: Checkpoints on the hub.
        detected: Whether `model_type` is enough to know the family; otherwise the caller must name it.
        ranked: Whether a checkpoint must have a ranking head.
        template: Changes the tokenizer's own pair template where the family does not use it.
        query: Changes a query before it is tokenized.
        sentences: Changes the sentences of a document before each is tokenized: what joins them stands here.
        part_of_window: Encoder tokens a sentence may have before it is scored in parts, as a share of the window.
        ignored: Tensors that may stand in the file without being used.
    """

    name: str
    model_type: str
    licence: str
    read: Callable[[RawConfig, str, Shapes], Blueprint]
    rule: Rule
    reads_tokens: bool = True
    published: tuple[Published, ...] = ()
    detected: bool = True
    ranked: bool = True
    template: Callable[[Template], Template] = lambda template: template
    query: Callable[[str], str] = lambda query: query
    sentences: Callable[[Sequence[str]], list[str]] = as_they_are
    part_of_window: float = 1.0
    ignored: re.Pattern[str] = re.compile("(?!)")  # nothing
