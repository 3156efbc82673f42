"""The names that elements have in HTML, and what the names say."""

from __future__ import annotations

import re

# What Markdown's blocks and links begin with, and a fence, which no HTML knows.
MARKDOWN = re.compile(r"^ {0,3}(?:#{1,6}[ \t]|```|~~~|>[ \t]|\|)|^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]|\]\(", re.M)
MARKDOWN_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.M)


def names(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


INLINE = names(  # parts of a line
    """a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q rb rp rt rtc ruby s samp
    small span strike strong sub sup time tt u var output math mi mn mo ms mtext mrow msup msub msubsup mfrac msqrt
    mroot mover munder munderover mspace mstyle mpadded mphantom mtable mtr mtd semantics annotation"""
)
BLOCKS = names(  # what stands for itself
    """address article aside blockquote body button caption center colgroup dd details dialog dir div dl dt fieldset
    figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup html legend li main menu nav noscript
    object ol optgroup option p pre search section select summary table tbody td textarea tfoot th thead title tr ul
    video audio canvas map picture template svg"""
)
VOID = names("area base basefont br col embed hr img input keygen link meta param source track wbr")
MARKS = names("br hr img input wbr")  # void wherever they are, in XML too
BREAKS = names("br hr")
IN_HEAD = names("meta link base basefont")
UNSEEN = names("nav template svg datalist")
PAGE = names("html body div p table ul")  # any of these, and a text is HTML
SHARED = names(  # names that XML has for other things
    """address article audio body caption cite code data footer form head header label legend main map mark menu
    object option picture q section time var video"""
)
OPTIONAL = names("li dt dd td th tr thead tbody tfoot option optgroup rt rp p head body html colgroup")
CELLS = names("td th")
LISTS = names("ul ol menu dir")
CODE = names("pre listing xmp")  # white space counts in them
MUTE = names("sup rt rp")  # a note's number behind a full stop must not hide the sentence's end
LEVELS = {"title": 0, "h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6, "summary": 7}
SECTIONS = names(  # a heading holds to their end, and not to that of others: it often has a wrapper of its own
    """article aside blockquote body dd details dialog dl fieldset figure footer form li main menu ol section table
    td th tr ul"""
)
WRAPPERS = names("article aside blockquote center details div figure main section td")  # Markdown may stand in them
SOURCES = names(  # elements of XML that say where what stands beside them comes from
    """title source url uri link id guid name author creator date pubdate published updated from to subject filename
    path headline metadata"""
)

CLOSES_P = BLOCKS - names("html head body title caption colgroup tbody td tfoot th thead tr option button")
P_WITHIN = names("button caption td th table object li dd")
# Names of opening tags, the open elements that each of them closes, and those beyond which it does not look.
OMITTED = {
    name: (names(closed), names(within))
    for some, closed, within in [
        ("li", "li", "ul ol menu dir"),
        ("dt dd", "dt dd", "dl"),
        ("td th", "td th", "tr table"),
        ("tr", "tr td th caption colgroup", "table"),
        ("thead tbody tfoot", "thead tbody tfoot tr td th caption colgroup", "table"),
        ("option", "option", "select datalist"),
        ("optgroup", "option optgroup", "select"),
        ("rt rp", "rt rp", "ruby"),
        ("body", "head title", ""),
    ]
    for name in some.split()
}
