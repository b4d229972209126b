"""Pieces of HTML; every text is escaped here, so that a hostile name stays a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def tag(name: str, *inner: str, **attributes: str) -> str:
    """``inner`` is markup already; a trailing underscore of an attribute's name is dropped (``class_``)."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{given}>{''.join(inner)}</{name}>"


def words(text: str) -> str:
    """Text as markup."""
    return escape(text)


def section(title: str, *inner: str, note: str = "") -> str:
    """A part of the page under a heading; empty where there is nothing in it."""
    body = "".join(inner)
    if not body:
        return ""
    told = tag("p", words(note), class_="note") if note else ""
    return tag("section", tag("h2", words(title)), told, body)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str, first_is_name: bool = True) -> str:
    """A table that scrolls inside its box where the screen is narrow; cells are text."""
    head = tag("tr", *(tag("th", words(cell), scope="col") for cell in header))
    body = []
    for row in rows:
        cells = [tag("td", words(cell)) for cell in row]
        if first_is_name and row:
            cells[0] = tag("th", words(row[0]), scope="row")
        body.append(tag("tr", *cells))
    inner = tag("caption", words(caption)) + tag("thead", head) + tag("tbody", *body)
    return tag("div", tag("table", inner), class_="scroll", tabindex="0", role="region", aria_label=caption)


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values."""
    return tag("dl", *(tag("div", tag("dt", words(name)), tag("dd", words(value))) for name, value in pairs))


def listed(items: Iterable[str]) -> str:
    """A plain list; empty where there is nothing."""
    rows = [tag("li", words(item)) for item in items]
    return tag("ul", *rows) if rows else ""


def folded(summary: str, *inner: str) -> str:
    """What most readers skip."""
    return tag("details", tag("summary", words(summary)), *inner) if any(inner) else ""
