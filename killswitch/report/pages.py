"""The templates' surroundings: sandboxed, everything escaped, a misspelt name an error."""

from __future__ import annotations

import re

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from killswitch.report import words

_MARKDOWN = re.compile(r"([\\`*_\[\]#|~!{}]|^[-+=]|(?<=www)\.|:(?=//)|^\d+(?=[.)]))")


def environment() -> ImmutableSandboxedEnvironment:
    """A fresh environment over ``killswitch/report/templates``."""
    pages = ImmutableSandboxedEnvironment(
        loader=PackageLoader("killswitch.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(
        utc=words.utc,
        clock=words.clock,
        duration=words.duration,
        size=words.size,
        counted=words.counted,
        md=_md,
        code=_code,
    )
    pages.globals["mode_words"] = words.MODES
    return pages


def _md(text: object) -> Markup:
    """Text that stays text in Markdown: no markup, no link, no cell border, no HTML."""
    marked = _MARKDOWN.sub(_backslash, str(text))
    return Markup(escape(marked))  # noqa: S704  # escaped here


def _backslash(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def _code(text: object) -> Markup:
    """A code span; a backtick or a cell border in it cannot end it."""
    bare = str(text).replace("`", "'").replace("|", "¦")
    return Markup(f"`{bare}`")  # noqa: S704  # a code span shows everything as it is
