"""A bar chart as an SVG file: one panel per case, one bar per contender, the figure beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from bench.load.client import Row
from bench.report import YARDSTICKS, View, advantage

_WIDTH = 760
_LABEL = 110  # room for the contender's name
_FIGURE = 150  # room for the figure behind the longest bar
_BAR, _GAP, _HEAD, _TOP = 18, 6, 34, 62
_COLOURS = {
    "hub": "#0b7285",
    "node": "#5c940d",
    "node-redis": "#a9c96f",
    "bare": "#e67700",
    "bare-redis": "#f2b872",
}
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#212529}"
    ".title{font-size:17px;font-weight:600}.case{font-weight:600}.note{fill:#666;font-size:12px}"
    "@media (prefers-color-scheme:dark){svg{background:#16181b}text{fill:#e9ecef}.note{fill:#aaa}}"
)


def draw(file: Path, rows: Sequence[Row], view: View) -> None:
    """Write the medians ``rows`` as bars; each panel has its own scale, which begins at zero."""
    cases = list(dict.fromkeys(row["case"] for row in rows))
    body: list[str] = []
    y = _TOP
    for case in cases:
        panel = [row for row in rows if row["case"] == case and row.get(view.headline.key)]
        if panel:
            y = _panel(body, y, case, panel, view)
    better = "shorter" if view.lower_is_better else "longer"
    note = f"{view.headline.title}, {better} is better; in brackets: times better than Node"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img">',
        f"<title>{escape(view.title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="12" y="26">{escape(view.title)}</text>',
        f'<text class="note" x="12" y="46">{escape(note)}</text>',
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*head, *body, "</svg>"]) + "\n")


def _panel(body: list[str], y: int, case: str, panel: Sequence[Row], view: View) -> int:
    """Add one case below ``y``; where the next one begins."""
    key, digits = view.headline.key, view.headline.digits
    present = {row["variant"] for row in panel}
    longest = max(float(row[key]) for row in panel)
    body.append(f'<text class="case" x="12" y="{y + 16}">{escape(case)}</text>')
    y += _HEAD - 8
    for row in panel:
        name = row["variant"]
        width = max(1.0, (_WIDTH - _LABEL - _FIGURE) * float(row[key]) / longest)
        yardstick = next((name for name in YARDSTICKS if name in present), "")
        ratio = advantage(row, panel, view, yardstick)
        figure = f"{row[key]:,.{digits}f}" + ("" if ratio is None else f"  ({ratio:.1f}×)")
        text = y + _BAR - 5
        place, colour = f'x="{_LABEL}" y="{y}"', _COLOURS.get(name, "#868e96")
        body += [
            f'<text x="{_LABEL - 8}" y="{text}" text-anchor="end">{escape(name)}</text>',
            f'<rect {place} width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>',
            f'<text x="{_LABEL + width + 8:.1f}" y="{text}">{escape(figure)}</text>',
        ]
        y += _BAR + _GAP
    return y + 16
