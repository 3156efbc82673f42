"""Run every block of every page, and write what they print now into the pages: after a change of model or output.

    python tests/docs/refresh.py            # all pages
    python tests/docs/refresh.py README.md  # these

A minute or two. What changed is left to be read: `git diff`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from page_blocks import PAGES, ROOT, refreshed, text_of


def main(pages: Sequence[str]) -> None:
    """Refresh pages, and say which changed."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    for page in pages or PAGES:
        text = refreshed(page)
        print(f"{page}: {'as it was' if text == text_of(page) else 'written'}")
        (ROOT / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
