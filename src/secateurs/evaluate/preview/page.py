"""What each threshold leaves, as one page: no script, no network; a switch of style sheets' own.

Each unit carries a letter for each threshold at which it stays, and the switch at the top says of which letter the
page is about. Nothing a document says is markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from secateurs.evaluate.preview.levels import Level, Pairs
from secateurs.result.compression import Compression
from secateurs.result.html import markup

_LETTERS = "abcdefghijklmnopqrst"  # of as many thresholds as may be asked for
MOST = len(_LETTERS)

_STYLE = """
:root{--ink:#1a1a1a;--sheet:#fff;--soft:#57606a;--line:#d0d7de;--kept:#dff3e3;--edge:#2da44e}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--sheet:#0d1117;--soft:#9198a1;--line:#30363d;--kept:#12361f;
--edge:#3fb950}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--sheet);max-width:60rem;margin:0 auto;
padding:1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}p,td,th,label{color:inherit}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .8rem .2rem 0;text-align:right;
border-bottom:1px solid var(--line)}th:first-child,td:first-child{text-align:left}
input{margin:0 .3rem 0 0}label{display:inline-block;padding:.3rem 1rem .3rem 0;position:relative}
.bar{position:sticky;top:0;background:var(--sheet);border-bottom:1px solid var(--line);padding:.3rem 0;z-index:1}
.doc{white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid var(--line);padding:0 0 0 .8rem;
margin:.3rem 0 1rem}
.u{background:var(--kept);box-shadow:0 1px 0 var(--edge);border-radius:2px}
.note{color:var(--soft);font-size:.9rem}.n{display:none}
.codepoint{font:12px ui-monospace,monospace;color:#cf222e;border:1px solid;border-radius:3px;padding:0 .2em}
"""


def to_page(pairs: Pairs, levels: Sequence[Level], *, model: str, left_out: int = 0) -> str:
    """Return the page.

    Args:
        pairs: (query, document) pairs; those of one query stand together.
        levels: The thresholds, lowest first, at most `MOST`.
        model: The checkpoint's name.
        left_out: Documents of the file that were not read.

    Returns:
        HTML that can be encoded as UTF-8.
    """
    letters = _LETTERS[: len(levels)]
    first = next((index for index, level in enumerate(levels) if level.default), 0)
    switches = "".join(
        f'<label><input type="radio" name="t" id="t{letter}"{" checked" if index == first else ""}>'
        f"{_threshold(level)}: {level.savings.percent} saved</label>"
        for index, (letter, level) in enumerate(zip(letters, levels, strict=True))
    )
    more = f" The first {len(pairs):,} documents; {left_out:,} more were not read." if left_out else ""
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>What would be cut</title><style>{_STYLE}{_rules(letters)}</style></head><body>",
            f"<h1>What would be cut, by {markup(model)}</h1>",
            "<p>Choose the lowest threshold that saves enough, and read what it cuts: what answers a question has to "
            f"be marked still. What is not marked goes; hover over a unit for its score.{more}</p>",
            _table(levels),
            f'<div class="bar" role="radiogroup" aria-label="threshold">{switches}</div>',
            f"<main>{''.join(_questions(pairs, levels, letters))}</main></body></html>\n",
        )
    )


def _rules(letters: str) -> str:
    """Return what a switch changes: units without its letter are cut, and its own notes are shown."""
    return "".join(
        f"body:has(#t{one}:checked) .u:not(.{one}){{background:none;box-shadow:none;color:var(--soft);"
        f"text-decoration:line-through}}body:has(#t{one}:checked) .n.{one}{{display:inline}}"
        for one in letters
    )


def _threshold(level: Level) -> str:
    return f"{level.threshold:g}" + (" (default)" if level.default else "")


def _table(levels: Sequence[Level]) -> str:
    names = ("threshold", "units kept", "tokens before", "after", "saved", "documents with nothing left")
    rows = [
        (
            _threshold(level),
            f"{level.kept:,} of {sum(len(one.sentences) for one in level.results):,}",
            f"{level.savings.before:,}",
            f"{level.savings.after:,}",
            level.savings.percent,
            f"{level.dropped:,} of {len(level.results):,}",
        )
        for level in levels
    ]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _questions(pairs: Pairs, levels: Sequence[Level], letters: str) -> list[str]:
    pieces = []
    for query, places in groupby(range(len(pairs)), key=lambda place: pairs[place][0]):
        pieces.append(f"<h2>{markup(query)}</h2>")
        pieces += (_document([level.results[place] for level in levels], letters) for place in places)
    return pieces


def _document(results: Sequence[Compression], letters: str) -> str:
    """Return one document with the letters of each of its units."""
    original = results[0].original
    if any(one.status == "error" for one in results):
        failed = next(one for one in results if one.status == "error")
        return f'<p class="note">{markup(str(failed.reason))}</p><div class="doc">{markup(original)}</div>'
    notes = "".join(
        f'<span class="n {letter}">{escape(_said(one))}</span>' for letter, one in zip(letters, results, strict=True)
    )
    units = []
    for column in zip(*(one.sentences for one in results), strict=True):
        unit = column[0]
        kept = " ".join(letter for letter, one in zip(letters, column, strict=True) if one.kept)
        body = unit.text.strip()
        start = unit.start + unit.text.find(body)
        before, text, behind = (
            markup(original, *span)
            for span in ((unit.start, start), (start, start + len(body)), (start + len(body), unit.end))
        )
        shown = f'<span class="u {kept}" title="{unit.score:.3f}">{text}</span>' if body else text
        units.append(f"{before}{shown}{behind}")
    return f'<p class="note">{notes}</p><div class="doc">{"".join(units)}</div>'


def _said(one: Compression) -> str:
    if one.status == "dropped":
        return f"nothing is left: {one.savings}"
    return str(one) if one.reason is None else f"{one}, {one.reason.replace('_', ' ')}"
