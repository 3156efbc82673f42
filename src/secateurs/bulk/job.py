"""The settings of a run: everything that the output depends on, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from secateurs.adapters.options import Wanted
from secateurs.bulk.files import Format
from secateurs.errors import DeviceError
from secateurs.policy import Policy
from secateurs.ray.batch import check_query_source
from secateurs.result.savings import TokenCounter
from secateurs.support.arguments import check_count, check_revision

_ALWAYS = ("threshold", "top_k", "max_tokens", "elision")  # others are written where they say something


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is done to each row.

    Attributes:
        document_column: Name of the column of documents.
        query_column: Name of the column of queries; or
        query: one query for all rows.
        model: Hub id or folder of a checkpoint; None for the bundled one.
        revision: Branch, tag or commit of it on the hub; the run settles it to a commit.
        wanted: Which units stay, of a document and of the documents of a row together; what stands for the others;
            in which order documents come back.
        encoding: The tiktoken encoding in which savings are counted.
        device: `"auto"` (GPUs if Ray has any, else CPU), `"cpu"`, `"cuda"` or `"mps"`.
        format: Of the output; None for that of the input.
        shard_rows: Rows of a shard: what is written, and lost by a kill, at a time.
        prefix: What the added columns' names begin with.

    Raises:
        ValueError: A setting is out of range, or two contradict each other.
        DeviceError: There is no such device, or it is not for the caller to choose.
    """

    document_column: str
    query_column: str | None = None
    query: str | None = None
    model: str | None = None
    revision: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    encoding: str = "o200k_base"
    device: str = "auto"
    format: Format | None = None
    shard_rows: int = 1000
    prefix: str = "secateurs_"

    def __post_init__(self) -> None:
        check_query_source(self.query_column, self.query)
        TokenCounter(self.encoding)
        check_revision(self.revision, self.model)
        check_count(self.shard_rows, "shard_rows", least=1)
        if re.fullmatch(r"cuda:\d+", self.device):
            raise DeviceError(f"device {self.device!r}: which GPU a worker gets is Ray's to say. Use 'cuda'.")
        if self.device not in ("auto", "cpu", "cuda", "mps"):
            raise DeviceError(f"unknown device {self.device!r}: use 'auto', 'cpu', 'cuda' or 'mps'.")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON types, without the model: a checkpoint is known by its bytes."""
        facts = dict(vars(self))
        del facts["model"], facts["revision"]
        said = {name: _written(value) for name, value in vars(facts.pop("wanted")).items()}
        return {**facts, **{name: value for name, value in said.items() if value or name in _ALWAYS}}


def _written(value: Any) -> Any:
    if isinstance(value, Policy):
        return repr(value)
    return list(value) if isinstance(value, tuple) else value
