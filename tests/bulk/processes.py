"""What runs below this process, found where Linux keeps it."""

from __future__ import annotations

import os
from pathlib import Path


def children(name: str) -> list[int]:
    """Processes below this one whose title holds a name."""
    parents, titles = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                titles[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])

    def below(process: int) -> bool:
        return process in parents and (parents[process] == os.getpid() or below(parents[process]))

    return [process for process, title in titles.items() if name in title and below(process)]
