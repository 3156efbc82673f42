"""Cut retrieved documents down to the sentences that answer the query.

Verbatim sentences, with character offsets and scores, and an exact count of the LLM tokens saved:

>>> from secateurs import Compressor
>>> compressor = Compressor.from_pretrained()  # the bundled English and Chinese model, no network

Importing this package loads neither torch nor a framework: names are resolved when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secateurs.adapters.report import Report
    from secateurs.compressor import Compressor
    from secateurs.errors import CheckpointError, DeviceError, Error, MissingExtraError, OverloadedError
    from secateurs.pipeline.cache import ScoreCache
    from secateurs.policy import (
        Default,
        Distinct,
        Fallback,
        Neighbours,
        Policy,
        Ranked,
        Signals,
        SourcePlace,
        Threshold,
        TokenBudget,
        ToolOutput,
        TopK,
    )
    from secateurs.result.compression import Compression
    from secateurs.result.hidden import Hidden
    from secateurs.result.savings import Savings
    from secateurs.result.span import Highlight, Sentence, Span, UnitPlace

__version__ = "0.2.0"

_HOME = {
    "Compressor": "compressor",
    "ScoreCache": "pipeline.cache",
    "Compression": "result.compression",
    "Hidden": "result.hidden",
    "Highlight": "result.span",
    "Report": "adapters.report",
    "Sentence": "result.span",
    "Span": "result.span",
    "UnitPlace": "result.span",
    "Savings": "result.savings",
    "Policy": "policy",
    "Default": "policy",
    "Threshold": "policy",
    "TopK": "policy",
    "TokenBudget": "policy",
    "Neighbours": "policy",
    "Distinct": "policy",
    "SourcePlace": "policy",
    "Signals": "policy",
    "Fallback": "policy",
    "Ranked": "policy",
    "ToolOutput": "policy",
    "Error": "errors",
    "CheckpointError": "errors",
    "DeviceError": "errors",
    "MissingExtraError": "errors",
    "OverloadedError": "errors",
}

__all__ = [
    "CheckpointError",
    "Compression",
    "Compressor",
    "Default",
    "DeviceError",
    "Distinct",
    "Error",
    "Fallback",
    "Hidden",
    "Highlight",
    "MissingExtraError",
    "Neighbours",
    "OverloadedError",
    "Policy",
    "Ranked",
    "Report",
    "Savings",
    "ScoreCache",
    "Sentence",
    "Signals",
    "SourcePlace",
    "Span",
    "Threshold",
    "TokenBudget",
    "ToolOutput",
    "TopK",
    "UnitPlace",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
