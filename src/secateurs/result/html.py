"""A result made visible as HTML, for notebooks.

Nothing of a document is ever markup: every text is escaped before a tag is put around it. Hidden characters, which
could reorder what a person sees, are shown by their numbers (`secateurs.result.hidden`).
"""

from __future__ import annotations

from html import escape

from secateurs.result.compression import Compression
from secateurs.result.hidden import find, numbers, summary
from secateurs.result.span import Sentence

_BLANK = " \t\r\n"  # no other white space: some of it is hidden, and a run of that is shown as one

_STYLE = """
.secateurs{font:15px/1.55 system-ui,sans-serif;max-width:52rem;color:#1a1a1a;background:#fff;padding:.8rem 1rem;
border:1px solid #d0d7de;border-radius:8px;margin:.6rem 0}
.secateurs .doc{white-space:pre-wrap;overflow-wrap:anywhere;margin:.4rem 0}
.secateurs mark{background:rgba(255,205,0,calc(.15 + .5*var(--score)));color:inherit;border-radius:3px;
box-shadow:0 0 0 1px #e6c200}
.secateurs .frame{box-shadow:0 2px 0 #e6c200}
.secateurs s{color:#6e7781;text-decoration:none}
.secateurs .meta{font-size:13px;color:#57606a;margin:.2rem 0}
.secateurs .codepoint{font:12px ui-monospace,monospace;color:#cf222e;border:1px solid;border-radius:3px;
padding:0 .2em}
@media (prefers-color-scheme:dark){.secateurs{color:#e6edf3;background:#0d1117;border-color:#30363d}
.secateurs mark{background:rgba(190,150,0,calc(.15 + .5*var(--score)));box-shadow:0 0 0 1px #8a7200}
.secateurs .frame{box-shadow:0 2px 0 #8a7200}
.secateurs s{color:#8b949e}
.secateurs .codepoint{color:#ff7b72}
.secateurs .meta{color:#9198a1}}
"""


def describe(compression: Compression) -> str:
    """Return one line on what happened to a document.

    Example:
        >>> from secateurs import Savings
        >>> describe(Compression("", "", (), Savings(0, 0), "unchanged", "blank"))
        'unchanged (blank): 0 of 0 units kept, 0 -> 0 tokens'
    """
    reason = f" ({compression.reason})" if compression.reason else ""
    savings = compression.savings
    saved = f", {savings.percent} saved" if savings.saved else ""
    frames = sum(unit.frame for unit in compression.kept)
    frame = f", {frames} of them as frame" if frames else ""
    return (
        f"{compression.status}{reason}: {len(compression.kept)} of {len(compression.sentences)} units kept{frame}, "
        f"{savings.before:,} -> {savings.after:,} tokens{saved}"
    )


def to_html(compression: Compression) -> str:
    """Return one result as a self-contained HTML fragment.

    Kept units are marked, the more strongly the higher they score; those that are kept as frame are underlined, cut
    ones grey; scores show on hover.
    """
    return f'<div class="secateurs"><style>{_STYLE}</style>{_body(compression)}</div>'


def _body(compression: Compression) -> str:
    pieces = [_unit(compression.original, unit) for unit in compression.sentences]
    said = "".join(f'<div class="meta">{_text(line)}</div>' for line in _lines(compression))
    return f'{said}<div class="doc">{"".join(pieces)}</div>'


def _unit(original: str, unit: Sentence) -> str:
    """Return a unit as HTML; the white space around it is neither marked nor dimmed."""
    start = unit.end - len(unit.text.lstrip(_BLANK))
    end = max(start, unit.start + len(unit.text.rstrip(_BLANK)))
    before, text, behind = (markup(original, *span) for span in ((unit.start, start), (start, end), (end, unit.end)))
    score = f"{unit.score:.3f}"
    if unit.frame:
        title = f"{score}, kept with what it frames" if unit.score else "kept with what it frames"
        return f'{before}<span class="frame" title="{title}">{text}</span>{behind}'
    tag, title = "mark" if unit.kept else "s", score
    if unit.copy_of is not None:
        title = f"{score}, said by unit {unit.copy_of.unit} of document {unit.copy_of.document}"
    return f'{before}<{tag} title="{title}" style="--score:{score}">{text}</{tag}>{behind}'


def _lines(compression: Compression) -> list[str]:
    found = summary(compression.hidden_characters)
    return (
        [describe(compression), f"{found}, shown by number and kept as they are"]
        if found
        else [describe(compression)]
    )


def markup(text: str, start: int = 0, end: int | None = None) -> str:
    """Return a part of a text as HTML in which nothing is markup but the marks around hidden characters.

    Example:
        >>> markup("<i>" + chr(0x202E))
        '&lt;i&gt;<span class="codepoint" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>'
    """
    pieces, at = [], start
    for one in find(text, start, end):
        named = escape(", ".join(dict.fromkeys(one.names)))
        pieces += [_text(text[at : one.start]), f'<span class="codepoint" title="{named}">{numbers(one.text)}</span>']
        at = one.end
    return "".join((*pieces, _text(text[at:end])))


def _text(text: str) -> str:
    # A lone surrogate cannot be encoded in a page; U+0338 would strike through the `>` of the tag before it where
    # somebody normalizes the page, and that is another character.
    return escape(text.encode("utf-8", "replace").decode("utf-8")).replace("\u0338", "&#824;")
