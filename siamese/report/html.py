"""Render HTML pages that need nothing else: text, tables and pictures in one file, and no script.

A page is a Jinja2 template that extends `templates/base.html.j2`; `templates/macros.html.j2` has
its tables, tiles and pictures, `templates/style.css` its looks.
"""

from base64 import b64encode
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from siamese.report.drawing import number

_TEMPLATES = Path(__file__).with_name("templates")
# HTML allows no control characters: they are shown as their pictures (␀, ␁, …), or as � where
# there is none; so is half a surrogate pair, which a file's name may hold and UTF-8 cannot.
_SHOWN = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000)), 0xFFFD),
}


def render(template: Path, **values: Any) -> str:
    """Render a page.

    All texts among the values are escaped, and their control characters shown. The same values
    give the same page.

    Args:
        template: a file that extends `base.html.j2`.
        **values: what the template asks for; `title` is a text that every page has.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "base64": _base64, "shown_size": _shown_size}
    return environment.get_template(template.name).render(values)


def _visible(value: Any) -> Any:
    return value.translate(_SHOWN) if isinstance(value, str) else value


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def _shown_size(png: bytes) -> tuple[int, int]:
    """Read from a PNG's header its width and height in pixels of the page.

    It has more pixels than that, for sharp print and screens.
    """
    width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))
    return width * 3 // 4, height * 3 // 4
