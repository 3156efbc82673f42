"""Data: where a value, records or a configuration begin and end, and what their units are."""

from __future__ import annotations

from secateurs.segment.data.ini_text import add_ini, ini_end
from secateurs.segment.data.json_lines import add_json_lines, json_lines_end
from secateurs.segment.data.json_scan import JSON, PYTHON, Grammar, json_end
from secateurs.segment.data.json_text import add_json
from secateurs.segment.data.yaml_text import add_yaml, yaml_end

__all__ = [
    "JSON",
    "PYTHON",
    "Grammar",
    "add_ini",
    "add_json",
    "add_json_lines",
    "add_yaml",
    "ini_end",
    "json_end",
    "json_lines_end",
    "yaml_end",
]
