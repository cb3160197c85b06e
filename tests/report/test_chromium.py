"""The page in a real browser: it draws, complains of nothing and asks for nothing."""

from __future__ import annotations

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from killswitch.report import html
from killswitch.report.data import containment
from tests.report import cases
from tests.report.journal import HEAD, NOW
from tests.report.page import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000"),
)


@pytest.fixture
def served():
    """Serves one page and remembers every path that is asked for."""
    asked: list[str] = []
    body: list[bytes] = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            found = self.path == "/report"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body[0] if found else b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/report", body, asked
        server.shutdown()
        thread.join()


def browse(url: str, profile: str, *flags: str) -> tuple[str, list[str]]:
    assert CHROMIUM
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_it_draws_complains_of_nothing_and_asks_for_nothing(served, tmp_path):
    url, body, asked = served
    report = containment(cases.partial(), head=HEAD, now=NOW)
    body[0] = html.render(report).encode()
    dom, complaints = browse(url, str(tmp_path), "--dump-dom")
    assert complaints == []
    assert set(asked) - {"/favicon.ico"} == {"/report"}
    bars = [e for e in Page(dom).root.all("rect") if "data-lane" in e.attrs]
    assert len(bars) == len(report["timeline"]["bars"])


def test_the_check_above_sees_a_script_that_is_stopped(served, tmp_path):
    url, body, asked = served
    report = containment(cases.contained(), head=None, now=NOW)
    planted = '<img src="/beacon"><script>document.title="ran"</script></body>'
    body[0] = html.render(report).replace("</body>", planted).encode()
    dom, complaints = browse(url, str(tmp_path), "--dump-dom")
    assert any("Content Security Policy" in line for line in complaints)
    assert "/beacon" not in asked
    assert "<title>ran" not in dom


def test_it_prints(served, tmp_path):
    url, body, _ = served
    body[0] = html.render(containment(cases.contained(), head=None, now=NOW)).encode()
    paper = tmp_path / "report.pdf"
    browse(url, str(tmp_path / "profile"), f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF")
