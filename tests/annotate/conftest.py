"""A server that misbehaves, and a short way to annotate with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotation import write
from misbehaving import Server, serving

from secateurs.annotate.command import Limits, annotate_file
from secateurs.annotate.endpoint import EndpointConfig, ModelConfig
from secateurs.annotate.output import Annotator
from secateurs.annotate.prompts import PROMPT_VERSION


@pytest.fixture
def server() -> Iterator[Server]:
    """A fresh server."""
    with serving() as running:
        yield running


@pytest.fixture
def label(server: Server, tmp_path: Path) -> Callable[..., int]:
    """Return a function that annotates `in.jsonl` into `out.jsonl`."""

    def run(records: Iterable[dict[str, Any]] | None = None, **options: Any) -> int:
        if records is not None:
            write(tmp_path / "in.jsonl", records)
        two = options.get("two_orders", False)
        endpoint = EndpointConfig(
            options.get("url", server.url),
            "sk-secret",
            timeout=2.0,
            retries=options.get("retries", 4),
            first_wait=0.02,
        )
        report = annotate_file(
            tmp_path / "in.jsonl",
            tmp_path / "out.jsonl",
            endpoint,
            ModelConfig("fake", structured=options.get("structured", "json-schema"), body=options.get("body", {})),
            Annotator("fake", PROMPT_VERSION, 0.0, two),
            Limits(options.get("max_prompt_tokens", 6000), options.get("concurrency", 16)),
            retry_rejected=options.get("retry_rejected", False),
        )
        return report.unanswered

    return run
