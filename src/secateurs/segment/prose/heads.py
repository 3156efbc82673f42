"""How lines of records begin: a time, a level, a path, a number of a line, a hash, a prompt, a key, a frame.

Every pattern is bounded and looks at the beginning of a line alone, so that time is linear in the number of lines.
"""

from __future__ import annotations

import re

LOOK = 240  # characters at the beginning of a line that tell what it is

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?\s"
TIME = (
    r"[\[(<【]?(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{4}[-/]\d\d\b"
    r"|\d{1,2}[-/.]\d{1,2}(?:[-/.]\d{2,4})?[ T,]{1,3}\d{1,2}:\d\d"
    r"|\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?=[\s\])】–—|-]|$)"
    r"|(?:\d{4}年)?\d{1,2}月(?:\d{1,2}[日号])?(?=[\s:：|】）)\]]|$)|(?:周|星期)[一二三四五六日]\s"
    rf"|(?:{_DAY})?(?:{_MONTH}\s+\d{{1,2}}\b|\d{{1,2}}[ /-]{_MONTH})[ ,:/]"
    r"|\d{10,13}(?:\.\d{1,9})?\s|\s{0,9}\d{1,7}\.\d{3,9}\])"
)
_LEVEL = (
    r"[\[(<|*]?(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|FATAL|CRIT(?:ICAL)?|SEVERE|PANIC|EMERG|ALERT"
    r"|FAIL(?:ED|URE)?|PASS(?:ED)?|SKIP(?:PED)?)\b"
    r"|\[(?:info|warn(?:ing)?|error|debug|trace|notice|ok|failed)\]"
    r"|(?:error|warning|info|debug|fatal|hint|remote|npm|pip|make|cargo|docker|bash|sh|kernel)(?:\[\w{1,12}\])?:"
    r"|<\d{1,3}>|[IWEF]\d{4}\s\d\d:\d\d|npm (?:ERR!|WARN|notice)"
)
_LISTING = (
    r"[-dlbcps][-rwxsStT]{9}[.+@]?\s|total \d+(?:\.\d)?[KMG]?$"  # ls -l
    r"|(?:[*|\\/ ]{1,9})?[0-9a-f]{7,64}\b(?=[\s:^]|$)"  # git log --oneline, checksums
    r"|\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?=[\s,]|$)"  # an address
)
_OUTPUT = (
    r"[$%>]\s\S|>>>\s|PS [A-Z]:\\|(?:mysql|sqlite|postgres|\w{1,20}=[#>])>?\s"  # prompts
    r"|diff --git |@@ -\d|\+\+\+ \S|--- \S+/|index [0-9a-f]{7,}\.\."
    r"|(?:not )?ok \d|[✓✔✗✘✖×√]\s|\[\s{0,2}\d{1,3}%\]|Step \d+/\d+|#\d{1,4} \[|--- (?:PASS|FAIL)|=== RUN"
    r"|(?:Get|Hit|Ign|Err):\d+ |(?:Collecting|Downloading|Requirement already|Successfully installed|Using cached) "
    r"|\{\s?\"[^\"]{0,80}\"\s?:|\[\"|\"[^\"]{0,60}\",[\"\d]|\[[\w .:-]{1,30}\](?::?\s|:)"  # JSON, a tag
)
_LOG = re.compile(rf"(?:{TIME}|{_LEVEL})")
_ANY = re.compile(rf"(?:{TIME}|{_LEVEL}|{_LISTING}|{_OUTPUT})")
_WITH = {  # what only lines with this character are
    ":": re.compile(
        r"[^\s:]{1,160}:\d{1,7}(?::\d{1,5})?:|[^\s:()]{1,120}\(\d{1,7}(?:,\d{1,5})?\):"  # grep -n, compilers
        r"|(?:[A-Za-z]{2,10}://)\S{1,200}(?=\s*$|\s*[|,\t])"  # a URL
    ),
    "/": re.compile(  # a path, and nothing else
        r"(?:~|\.{1,2})?/\S{1,200}(?=\s*$|\s{2}|\t)|[\w.@+-]{1,60}(?:/[\w.@+-]{1,80}){1,12}/?\s*$"
    ),
    "\\": re.compile(r"(?:[A-Za-z]:\\|\\\\)\S{1,200}(?=\s*$|\s{2}|\t)"),
    ".": re.compile(r"[\w+-]{1,60}\.[a-z]{1,4}\d?\s*$|www\.\S{1,200}(?=\s*$|\s*[|,\t])"),
    "=": re.compile(r"[\w.-]{1,40}=\S{0,80}(?:\s|$|,)"),
    "@": re.compile(r"[\w.-]{1,32}@[\w.-]{1,64}[: ][^$#]{0,80}[$#]\s"),
    "|": re.compile(r"[^|]{1,60}(?:\s\|\s[^|]{0,80}){2}"),
    ",": re.compile(  # CSV, with a field of figures or none
        r"(?=.{0,160},[\d.%$¥€-]{0,20},)[^\s,，。]{1,40}(?: [^\s,，。]{1,40}){0,3}(?:,(?:[^,\s][^,]{0,60})?){3}"
    ),
}
_FRAME = re.compile(
    r"\s*(?:at\s+(?:async\s|new\s)?(?:[\w$<>]+\(|[^\s()]*[./<$:\\][^\s()]*(?:\s*$|\s?\(|\s\[|\sin\s)"
    r"|[^\s()]+\s(?:\[as [^\]]{1,80}\]\s)?\((?:[^()]{1,200}:\d+|<anonymous>|native|index \d+)\))"
    r"|File \"[^\"]{1,200}\", line \d|\.\.\. \d+ (?:more|common|lines)|from \S{1,200}:\d+:in "
    r"|#\d{1,4}\s+(?:0x|/|\{main|\S{1,200}\()|\d{1,4}:\s+(?:0x[0-9a-f]+ - )?[\w<{]+::|\S{1,200}\.(?:go|rs):\d+)"
)
_PAIR = re.compile(r"[\"'“]?[^\W\d][\w .()/-]{0,30}[\"'”]?\s?[:：=](?:\s+|(?=[\u3400-\u9fff])|$)")
_MORE = re.compile(r"[.!?]['\")]*\s+\S|[。！？…][^\s”」』）。！？…]")


def is_record(line: str) -> bool:
    """Tell whether a line alone is plainly a record and no prose, by its beginning."""
    head = line.lstrip()[:LOOK]
    if _ANY.match(head) or _FRAME.match(head):
        return True
    return any(char in head and pattern.match(head) for char, pattern in _WITH.items())


def is_log(line: str) -> bool:
    """Tell whether a line begins as one of a log does: with a time or a level."""
    return _LOG.match(line.lstrip()[:LOOK]) is not None


def is_pair(body: str) -> bool:
    """Tell whether a line is a key and its value, and no prose of several sentences."""
    return _PAIR.match(body[:LOOK]) is not None and _MORE.search(body) is None


def is_frame(line: str) -> bool:
    """Tell whether a line is a frame of a stack trace."""
    return _FRAME.match(line[:LOOK]) is not None
