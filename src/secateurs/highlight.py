"""A result made visible: as lines for the terminal, as HTML for notebooks and pages.

Nothing of a document is ever markup: every text is escaped before a tag is put around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from secateurs.savings import Savings
from secateurs.text import Compression

_STYLE = """
.secateurs{font:15px/1.55 system-ui,sans-serif;max-width:52rem;color:#1a1a1a;background:#fff;padding:.8rem 1rem;
border:1px solid #d0d7de;border-radius:8px;margin:.6rem 0}
.secateurs .doc{white-space:pre-wrap;overflow-wrap:anywhere;margin:.4rem 0}
.secateurs mark{background:#fff3b0;color:inherit;border-radius:3px;box-shadow:0 0 0 1px #e6c200}
.secateurs s{color:#6e7781;text-decoration:none}
.secateurs .meta{font-size:13px;color:#57606a;margin:.2rem 0}
@media (prefers-color-scheme:dark){.secateurs{color:#e6edf3;background:#0d1117;border-color:#30363d}
.secateurs mark{background:#4d3f00;box-shadow:0 0 0 1px #8a7200}.secateurs s{color:#8b949e}
.secateurs .meta{color:#9198a1}}
"""

_PAGE_STYLE = """
body{margin:1.5rem auto;padding:0 1rem;max-width:54rem;font:15px/1.55 system-ui,sans-serif;
color:#1a1a1a;background:#fff}
h1{font-size:1.25rem}h2{font-size:1rem;margin:1.2rem 0 .2rem}table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.25rem .8rem;border-bottom:1px solid #d0d7de;text-align:right}
td:first-child,th:first-child{text-align:left}
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#010409}td,th{border-color:#30363d}}
"""


def describe(compression: Compression) -> str:
    """Return one line on what happened to a document.

    Example:
        >>> describe(Compression("", "", (), Savings(0, 0), "unchanged", "blank"))
        'unchanged (blank): 0 of 0 sentences kept, 0 -> 0 tokens'
    """
    reason = f" ({compression.reason})" if compression.reason else ""
    savings = compression.savings
    saved = f", {savings.saved_fraction:.0%} saved" if savings.saved else ""
    return (
        f"{compression.status}{reason}: {len(compression.kept)} of {len(compression.sentences)} sentences kept, "
        f"{savings.before:,} -> {savings.after:,} tokens{saved}"
    )


def to_html(compression: Compression) -> str:
    """Return one result as a self-contained HTML fragment: kept sentences marked, cut ones grey, scores on hover."""
    return f'<div class="secateurs"><style>{_STYLE}</style>{_body(compression)}</div>'


def to_page(query: str, items: Sequence[tuple[str, Compression]], total: Savings) -> str:
    """Return results as one self-contained HTML page.

    Args:
        query: What the documents were compressed for.
        items: The source of each document, as a name, and its result.
        total: The savings of all of them.

    Returns:
        A page that needs nothing else: no script, no network.
    """
    sections = "".join(
        f"<h2>{escape(source)}</h2><div class='secateurs'>{_body(result)}</div>" for source, result in items
    )
    rows = "".join(_row(source, result.savings) for source, result in items)
    return (
        "<!doctype html><html><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{escape(query)}</title><style>{_PAGE_STYLE}{_STYLE}</style></head><body><h1>{escape(query)}</h1>"
        f"{sections}<table><tr><th>document</th><th>tokens before</th><th>after</th><th>saved</th></tr>"
        f"{rows}{_row('total', total)}</table><p>Tokens as {escape(total.encoding)} counts them"
        f"{'' if total.exact else ' (approximation)'}.</p></body></html>\n"
    )


def _body(compression: Compression) -> str:
    pieces = []
    for sentence in compression.sentences:
        tag = "mark" if sentence.kept else "s"
        pieces.append(f'<{tag} title="{sentence.score:.3f}">{_text(sentence.text)}</{tag}>')
    return f'<div class="meta">{escape(describe(compression))}</div><div class="doc">{"".join(pieces)}</div>'


def _row(source: str, savings: Savings) -> str:
    return (
        f"<tr><td>{escape(source)}</td><td>{savings.before:,}</td><td>{savings.after:,}</td>"
        f"<td>{savings.saved:,} ({savings.saved_fraction:.0%})</td></tr>"
    )


def _text(text: str) -> str:
    # a lone surrogate cannot be encoded in a page
    return escape(text.encode("utf-8", "replace").decode("utf-8"))
