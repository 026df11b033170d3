"""Counts links of built sites that lead nowhere: `python benches/links.py SITE…`.

Reads the pages with Python's own parser, so that it shares nothing with nbc. A fragment must be the id of an element, or
the name of an anchor, of the page that it leads to; other addresses within the site must be those of its files.
"""

import pathlib
import posixpath
import sys
import urllib.parse
from html.parser import HTMLParser


class Page(HTMLParser):
    """Places and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.places.add(values.get("id") or "")
        if tag == "a":
            self.places.add(values.get("name") or "")
            if (address := values.get("href")) is not None:
                self.links.append(address)


def has_place(page: Page | None, fragment: str) -> bool:
    """Whether browsers find the place that a fragment names."""
    if page is None:
        return False
    is_start = fragment.lower() in ("", "top")
    return is_start or fragment in page.places or urllib.parse.unquote(fragment) in page.places


def count(site: pathlib.Path) -> str:
    """One line about a site."""
    files = [it.relative_to(site).as_posix() for it in site.rglob("*") if it.is_file()]
    pages = {it: Page((site / it).read_text("utf-8")) for it in files if it.endswith(".html")}
    within, dead, others, lost = 0, 0, 0, 0
    for name, page in pages.items():
        for address in page.links:
            parts = urllib.parse.urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            if not parts.path:
                within += 1
                dead += not has_place(page, parts.fragment)
                continue
            others += 1
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), urllib.parse.unquote(parts.path)))
            is_there = target in files and (not parts.fragment or has_place(pages.get(target), parts.fragment))
            lost += not is_there
    return f"{site}: {len(pages)} pages; {within} links within them, {dead} dead; {others} to other files, {lost} dead"


for argument in sys.argv[1:]:
    print(count(pathlib.Path(argument)))
