"""What the LlamaIndex adapters tell event handlers."""

from __future__ import annotations

from typing import Any

from llama_index.core.instrumentation.events import BaseEvent
from pydantic import InstanceOf, field_serializer

from secateurs.adapters.report import Report, report_to_dict


class SecateursReportEvent(BaseEvent):
    """One call of an adapter: what was kept, dropped and saved.

    Attributes:
        report: The same `Report` that `on_report` gets; serialized without the documents' text.
        tool_name: The tool whose output was compressed; None where it was not a tool's.
    """

    report: InstanceOf[Report]
    tool_name: str | None = None

    @classmethod
    def class_name(cls) -> str:
        """Return the event's name."""
        return "SecateursReportEvent"

    @field_serializer("report")
    def _as_json(self, report: Report) -> dict[str, Any]:
        return report_to_dict(report)
