"""HTML pages that need nothing else: text, tables and pictures in one file, and no script."""

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence

# What a page cannot show (HTML allows no control characters) is shown as its picture: ␀, ␁, …
_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"}

_STYLE = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: #fff;
  color: #1f2933; line-height: 1.55; font-family: system-ui, -apple-system, "Segoe UI", Roboto,
  "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: 1rem; border-top: 1px solid #e4e7eb }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem }
p { max-width: 46rem; margin: .5rem 0 }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .6rem;
  margin: 1.25rem 0 }
dl div { background: #f4f6f8; border-radius: .5rem; padding: .6rem .8rem; display: flex;
  flex-direction: column; justify-content: space-between }
dt { font-size: .85rem; color: #5a6672 }
dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums }
.note { background: #fff7e0; border-left: 4px solid #e69f00; padding: .6rem .9rem }
.pictures { display: grid; gap: 1rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)) }
img { display: block; max-width: 100%; height: auto; margin: 0 auto }
table { border-collapse: collapse; width: 100%; font-size: .92rem }
th { text-align: left; color: #5a6672; font-weight: 600 }
th, td { padding: .35rem .6rem .35rem 0; border-bottom: 1px solid #e4e7eb; vertical-align: top;
  overflow-wrap: anywhere }
.pairs td { white-space: pre-wrap; width: 45% }
.pairs tr > :last-child, .counts tr > :last-child { text-align: right; padding-right: 0;
  width: auto; white-space: nowrap; font-variant-numeric: tabular-nums }
.recipe td:first-child { white-space: nowrap }
.trials th, .trials td:not(:last-child) { white-space: nowrap; padding-right: 1rem;
  font-variant-numeric: tabular-nums }
.recipe td:nth-child(2) { min-width: 5rem }
@media (max-width: 36rem) {
  .recipe thead { display: none }
  .recipe tr { display: grid; grid-template-columns: auto 1fr }
  .recipe td { border: 0; padding-bottom: 0 }
  .recipe td:nth-child(2) { text-align: right; padding-right: 0 }
  .recipe tr > :last-child { grid-column: 1 / -1; border-bottom: 1px solid #e4e7eb;
    padding: 0 0 .35rem; color: #5a6672 }
}
pre, code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Noto Sans Mono CJK SC",
  monospace; font-size: .88em }
pre { background: #f4f6f8; border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt }
  h2, h3 { break-after: avoid }
  dl, img, tr, pre { break-inside: avoid }
  img { max-height: 17cm; width: auto }
  th, td { padding-top: .15rem; padding-bottom: .15rem }
}
"""


def document(title: str, body: str) -> str:
    """A whole page.

    Args:
        title: as text.
        body: as HTML, without the heading.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{body}
</body>
</html>
"""


def picture(alt: str, png: bytes) -> str:
    """A PNG within the page, with a text for those who cannot see it."""
    width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))  # of the header
    data = b64encode(png).decode()
    # Drawn larger than they are shown, for sharp print and screens.
    return (
        f'<img alt="{escape(alt)}" width="{width * 3 // 4}" '
        f'height="{height * 3 // 4}" src="data:image/png;base64,{data}">'
    )


def table(kind: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain texts; `kind` is its class in the style sheet."""
    top = _row("th", head)
    lines = "\n".join(_row("td", row) for row in rows)
    return f'<table class="{kind}">\n<thead>{top}</thead>\n<tbody>\n{lines}\n</tbody>\n</table>'


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def visible(text: str) -> str:
    """Text with pictures in the place of control characters, and a word for nothing."""
    return text.translate(_CONTROLS) or "(empty)"


def escape(text: str) -> str:
    """Text as HTML."""
    return html.escape(text, quote=True)
