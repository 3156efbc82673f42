"""Documents whose units need others: Markdown with all its blocks, JSON, a page of HTML."""

from __future__ import annotations

MARKDOWN = """# The mill

The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why.

---

## Visits

- Open in summer
  - Ring the bell
- Closed in winter

| Year | Owner |
|------|-------|
| 1842 | Ann Lee |
| 1900 | nobody |

```sh
mill --start
```

> The Moon causes the tides. What causes tides?
"""
JSON = '{"mill": {"built": 1842, "by": "Ann Lee"}, "tides": ["Moon", "Sun"], "note": "nobody knows"}'
HTML = "<!doctype html><body><h1>The mill</h1><p>Ann Lee built it. It burned down.</p><ul><li>Moon</li></ul></body>"
ALL = [MARKDOWN, JSON, HTML]
