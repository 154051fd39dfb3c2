"""Checks the HTML documentation: its links, and how its pages look on a desktop and on a phone.

usage: python test/docs_pages.py FOLDER [SCREENSHOTS PAGE...]

Every link to another page has a target. In headless Chromium, no page scrolls sideways, and no example and no table
is wider than its box. With more arguments, screenshots of pages are saved in a folder.
"""

import base64
import functools
import html.parser
import http.server
import pathlib
import shutil
import sys
import threading
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "native/hf_hub_server/tests"))
from browser import PHONE, WORK, Browser  # noqa: E402

DESKTOP = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}

# Boxes whose content is cut off or has to be scrolled sideways.
CHECK = """(() => {
  const problems = [], shown = (element) => element.innerText.trim().slice(0, 80).replaceAll("\\n", " ⏎ ");
  const root = document.documentElement;
  if (root.scrollWidth > window.innerWidth) problems.push("scrolls sideways: " + root.scrollWidth);
  for (const box of document.querySelectorAll("#content pre, #content pre > code, #content table"))
    if (box.scrollWidth > box.clientWidth + 1 || box.getBoundingClientRect().right > window.innerWidth)
      problems.push(box.tagName + " of " + box.scrollWidth + " in " + box.clientWidth + ": " + shown(box));
  return problems;
})()"""


class Page(html.parser.HTMLParser):
    """The ids and the links of a page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or (name == "name" and tag == "a"):
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.add(value)


def broken_links(folder):
    pages = {path.name: Page(path) for path in sorted(folder.glob("*.html"))}
    for name, page in pages.items():
        for link in sorted(page.links):
            parts = urllib.parse.urlsplit(link)
            # The configuration of a site with several versions, which this folder may not have.
            if parts.scheme or parts.netloc or link == "docs_config.js":
                continue
            target, fragment = urllib.parse.unquote(parts.path) or name, urllib.parse.unquote(parts.fragment)
            if not (folder / target).exists():
                yield name, f"links to {link}, which is not there"
            elif fragment and target in pages and fragment not in pages[target].ids | {"content"}:
                yield name, f"links to {link}, but {target} has no such part"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


def serve(folder):
    """Serves the folder, because browsers run no modules of local files; returns the address."""
    handler = functools.partial(Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def resize(browser, size):
    browser.call("Emulation.setDeviceMetricsOverride", **size)


def problems_of_layout(browser, address, names):
    for name in names:
        browser.open(f"{address}/{name}")
        for size in (DESKTOP, PHONE):
            resize(browser, size)
            yield from ((name, f"{size['width']} px: {problem}") for problem in browser.evaluate(CHECK))


def screenshots(browser, address, target, names):
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        for size in (DESKTOP, PHONE):
            resize(browser, size)
            browser.open(f"{address}/{name}")
            image = browser.call("Page.captureScreenshot", format="png")["data"]
            (target / f"{name}.{size['width']}.png").write_bytes(base64.b64decode(image))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    names = sorted(path.name for path in folder.glob("*.html") if path.name not in ("404.html", "search.html", "index.html"))
    if not names:
        sys.exit(f"{folder} has no pages")
    address, browser = serve(folder), Browser()
    try:
        if len(sys.argv) > 2:
            return screenshots(browser, address, pathlib.Path(sys.argv[2]), sys.argv[3:])
        problems = [*broken_links(folder), *problems_of_layout(browser, address, names)]
    finally:
        browser.close()
        shutil.rmtree(WORK, ignore_errors=True)
    for name, problem in problems:
        print(f"{name}: {problem}")
    print(f"{len(names)} pages, {len(problems)} problems")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
