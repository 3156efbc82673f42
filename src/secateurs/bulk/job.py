"""The settings of a run: everything that the output depends on, and nothing else."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from secateurs.bulk.files import Format
from secateurs.errors import DeviceError
from secateurs.policy import Threshold, combine
from secateurs.ray.batch import check_query_source
from secateurs.result.savings import TokenCounter
from secateurs.support.arguments import check_count, check_elision


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is done to each row.

    Attributes:
        document_column: Name of the column of documents.
        query_column: Name of the column of queries; or
        query: one query for all rows.
        model: Hub id or folder of a checkpoint; None for the bundled one.
        threshold: Keep sentences with at least this probability; None for the checkpoint's default policy.
        top_k: Keep at most this many sentences a document.
        max_tokens: Keep at most this many LLM tokens a document.
        elision: What stands where something was cut, such as `"[…]"`; None for nothing.
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
    threshold: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    elision: str | None = None
    encoding: str = "o200k_base"
    device: str = "auto"
    format: Format | None = None
    shard_rows: int = 1000
    prefix: str = "secateurs_"

    def __post_init__(self) -> None:
        check_query_source(self.query_column, self.query)
        combine(threshold=self.threshold, top_k=self.top_k, max_tokens=self.max_tokens, default=Threshold(0.0))
        check_elision(self.elision)
        TokenCounter(self.encoding)
        check_count(self.shard_rows, "shard_rows", least=1)
        if re.fullmatch(r"cuda:\d+", self.device):
            raise DeviceError(f"device {self.device!r}: which GPU a worker gets is Ray's to say. Use 'cuda'.")
        if self.device not in ("auto", "cpu", "cuda", "mps"):
            raise DeviceError(f"unknown device {self.device!r}: use 'auto', 'cpu', 'cuda' or 'mps'.")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON types, without the model: a checkpoint is known by its bytes."""
        facts = asdict(self)
        del facts["model"]
        return facts
