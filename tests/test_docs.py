"""The site builds without a warning, and a browser has nothing to say against any page."""

import ast
import html.parser
import json
import os
import pathlib
import re
import runpy
import shutil
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import pytest

import snntorch_memristive as snnm
from snntorch_memristive import neurons, plots

DOCS = pathlib.Path(__file__).parents[1] / "docs"
BROWSER = shutil.which("chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the built site."""
    pytest.importorskip("furo", reason='the site wants pip install -e ".[docs]"')
    pytest.importorskip("myst_nb", reason='the site wants pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "-E"]
    command += ["-D", "nb_execution_mode=off", str(DOCS), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


PARTS = ("circuits", "crossbar", "devices", "functional", "spice")


class Targets(html.parser.HTMLParser):
    """What a page points to, and the places in it that can be pointed to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[name] for name in ("href", "src") if attrs.get(name)]
        self.ids |= {attrs.get("id")}


def test_the_example_of_the_landing_page_learns(capsys):
    names = runpy.run_path(str(DOCS / "example.py"))
    assert all(p.grad.abs().max() > 0 for p in names["net"].parameters())
    accuracy = float(re.search(r"tensor\((.*)\)", capsys.readouterr().out)[1])
    assert accuracy > 0.8  # chance is 0.1


def messages():
    """Patterns of all that the package raises and warns of, from its source."""
    for path in pathlib.Path(snnm.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            warns = isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
            if isinstance(node, ast.Raise) or warns:
                for text in ast.walk(node):
                    if isinstance(text, (ast.JoinedStr, ast.Constant)):
                        yield from patterns(text)


def patterns(text):
    """Of a message up to the end of every sentence; a value may be anything."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    fixed = [part.value if isinstance(part, ast.Constant) else "\0" for part in parts]
    if not all(isinstance(part, str) for part in fixed):
        return
    message = "".join(fixed)
    if len(message.replace("\0", "")) > 10:  # else it is a value's own text
        for end in re.finditer(r"[.:](?= )|but got \0|$", message):
            yield re.compile(re.escape(message[: end.end()]).replace("\0", ".+"))


def test_every_message_that_the_page_of_errors_quotes_is_one_of_the_package():
    known = list(messages())
    page = (DOCS / "errors.md").read_text().replace("\\`", "`")
    quotes = [" ".join(q.split()) for q in re.findall(r"\*\*(.+?)\*\*", page, flags=re.DOTALL)]
    stale = [quote for quote in quotes if not any(p.fullmatch(quote) for p in known)]
    assert len(quotes) > 10
    assert not stale
    assert not any(p.fullmatch("Expected a finite `output`, but it has holes.") for p in known)


def test_every_local_link_and_image_exists(site):
    pages = {path: Targets(path) for path in site.rglob("*.html")}
    missing = set()
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists() or (
                anchor and target in pages and anchor not in pages[target].ids
            ):
                missing.add((path.name, link))
    assert len(pages) > 10
    assert not missing


def test_every_public_name_is_in_the_reference(site):
    parts = (snnm, *(getattr(snnm, name) for name in PARTS), neurons, plots)
    public = {name for part in parts for name in part.__all__} - {*PARTS, "__version__"}
    stated = {anchor.rpartition(".")[2] for anchor in Targets(site / "api.html").ids if anchor}
    assert len(public) > 100
    assert public <= stated, sorted(public - stated)


class Browser:
    """Chromium under its DevTools protocol, spoken over two pipes."""

    def __init__(self, profile):
        reads, self.to = os.pipe()
        self.back, writes = os.pipe()
        options = "--headless --no-sandbox --disable-gpu --allow-file-access-from-files"
        shell = f"exec {BROWSER} {options} --remote-debugging-pipe --user-data-dir={profile}"
        self.process = subprocess.Popen(
            ["bash", "-c", f"{shell} 3<&{reads} 4>&{writes}"],
            pass_fds=(reads, writes),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self.messages = self._messages()
        self.events, self.number, self.session = [], 0, {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def _messages(self):
        pending = b""
        while chunk := os.read(self.back, 1 << 16):
            *whole, pending = (pending + chunk).split(b"\0")
            yield from map(json.loads, whole)

    def call(self, method, **params):
        """Answer to one command; events that come in between are kept."""
        self.number += 1
        asked = {"id": self.number, "method": method, "params": params} | self.session
        os.write(self.to, json.dumps(asked).encode() + b"\0")
        for message in self.messages:
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)
        raise AssertionError("Expected an answer, but the browser ended.")

    def open(self, path, width=1280, scheme="light"):
        """Load a page; returns its errors."""
        self.events.clear()
        wish = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[wish])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url=path.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(next(self.messages))
        return [json.dumps(e["params"]) for e in self.events if _is_error(e)]

    def value(self, script):
        """What ``script`` is in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"]["value"]

    def close(self):
        """End the browser."""
        self.process.terminate()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)


def _is_error(event):
    params = event.get("params", {})
    match event.get("method"):
        case "Runtime.exceptionThrown":
            return True
        case "Runtime.consoleAPICalled":
            return params["type"] in ("error", "assert")
        case "Log.entryAdded":
            return params["entry"]["level"] == "error"
    return False


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium, or a skip that says why."""
    if BROWSER is None:
        pytest.skip("no chromium on the PATH (Debian: apt-get install chromium)")
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def test_every_page_opens_in_a_browser(site, browser):
    wrong = {}
    for path in sorted(site.rglob("*.html")):
        errors = browser.open(path)
        broken = browser.value("[...document.images].filter(i => !i.naturalWidth).length")
        if errors or broken:
            wrong[path.name] = (errors, broken)
    assert not wrong


def test_no_page_is_wider_than_a_phone(site, browser):
    wide = []
    for path in sorted(site.rglob("*.html")):
        browser.open(path, width=390)
        if browser.value("document.documentElement.scrollWidth") > 391:
            wide.append(path.name)
    assert not wide


def test_a_page_follows_the_reader_into_the_dark(site, browser):
    seen = {}
    for scheme in ("light", "dark"):
        browser.open(site / "index.html", scheme=scheme)
        background = browser.value("getComputedStyle(document.body).backgroundColor")
        seen[scheme] = sum(map(int, re.findall(r"\d+", background)[:3]))
    assert seen["dark"] < 200 < 600 < seen["light"]
