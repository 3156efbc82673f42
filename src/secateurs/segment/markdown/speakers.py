"""Who is speaking? `Ann:`, `**Ann**:`, `[12:03] Ann:`, `User:` before what somebody says.

One such line proves nothing, `Note: …` looks the same. A dialogue has turns of at least two names, which are roles
(`User:`), come back, have times or make up the whole text; and what is said is sentences, with an I, a you or a
question among them, and no values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_TURN = re.compile(
    rf"[ \t]*(?P<time>[\[(（【]?{_CLOCK}(?:[ \t]?[AaPp][Mm])?[\])）】]?[ \t]+(?:[-–][ \t]+)?)?(?:\*\*|__)?"
    r"(?P<name>[^\W\d_][\w.'’\-]{0,30}(?:[ \t][\w.'’\-]{1,20}){0,3}(?:[ \t]?[(（][^()（）\n]{1,20}[)）])?)"
    rf"(?:\*\*|__)?(?:[ \t]?[(（\[]?{_CLOCK}[)）\]]?)?(?::(?=[ \t*_\r\n]|$)|：)(?:\*\*|__)?[ \t]*"
)
_PEOPLE = """user assistant system human ai bot agent customer client caller operator support q a interviewer host
guest interviewee moderator speaker doctor patient teacher student 用户 客服 助手 系统 客户 顾客 问 答 记者 主持人
嘉宾 医生 患者 老师 学生 提问 回答 顾问 坐席 卖家 买家"""
_LABELS = """note notes warning tip tips example examples important info hint caution summary name address phone price
date time usage output input result results error default returns parameters args see step description requirements re
ps fwd 注意 提示 警告 说明 例如 示例 备注 参数 返回 名称 价格 地址 电话 时间 日期 结论 总结 步骤 优点 缺点 注"""
_ROLES, _NO_NAMES = frozenset(_PEOPLE.split()), frozenset(_LABELS.split())
_TALK = re.compile(
    r"[?？]|\b(?:I|I['’]m|we|you|my|your|hi|hello|thanks|yes|no|yeah|ok|okay)\b|[我你您咱]|吗|呢|谢谢|好的", re.I
)
_BRACKET = re.compile(r"[ \t]?[(（].*")  # Mika (Loft & Lamp)
_SENTENCE = re.compile(r"[.!?。！？…~～][\"'”’)）]*\s*$")


def turns(lines: Sequence[str], named: Sequence[int]) -> dict[int, int]:
    """Find the lines of a dialogue that begin a turn.

    Args:
        lines: Of the document.
        named: Those that have a colon near their beginning.

    Returns:
        Where the speaker's mark ends, in characters of the line, by the index of the line; nothing where it is no
        dialogue.
    """
    if len(named) < 2:
        return {}
    found = {i: match for i in named if (match := _TURN.match(lines[i])) and _is_name(match)}
    names = Counter(_name(match) for match in found.values())
    if len(names) < 2:
        return {}
    said = [_said(lines, i, match.end()) for i, match in found.items()]
    whole = sum(len(one.split()) >= 4 or len(one) >= 12 or _SENTENCE.search(one) is not None for one in said)
    talk = sum(_TALK.search(one) is not None for one in said)
    timed = sum(match["time"] is not None for match in found.values())
    back = sum(count > 1 for count in names.values())
    full = len(found) * 2 >= sum(not line.isspace() for line in lines)  # they are most of the document
    plain = len(names.keys() & _ROLES) > 1 or ((timed > 1 or back > 1) and talk * 4 >= len(found))
    if whole * 2 < len(said) or not (plain or (full and talk * 2 >= len(found))):
        return {}
    sure = [i for i, match in found.items() if names[_name(match)] > 1 or match["time"] or _name(match) in _ROLES]
    first, last = (sure[0], sure[-1]) if sure else (0, len(lines))
    return {i: match.end() for i, match in found.items() if first <= i <= last}


def _name(match: re.Match[str]) -> str:
    return _BRACKET.sub("", match["name"]).strip().lower()


def _said(lines: Sequence[str], i: int, at: int) -> str:
    """Return what is said in a turn, or the beginning of it."""
    return lines[i][at:].strip() or "".join(lines[i + 1 : i + 2]).strip()


def _is_name(match: re.Match[str]) -> bool:
    """Tell whether a speaker may be called so."""
    name = _BRACKET.sub("", match["name"]).strip()
    if _name(match) in _NO_NAMES:
        return False
    if _name(match) in _ROLES or match["time"] is not None:
        return True
    if "\u3040" <= name[0] <= "\u9fff":
        return len(name) <= 8
    return all(part[0].isupper() for part in name.split())
