"""Plots of a run as SVG: `python -m benchmarks.matching.plots FILE.json --to docs/figures`.

Two of them: recall of each attack with Wilson's intervals, the archive against peers at an equal number of false
positives; and recall of every hash over its limit, with the limit at which the first stranger is taken for a copy.
"""

from __future__ import annotations

import argparse
import json
from html import escape
from pathlib import Path
from typing import Any, Final

from benchmarks.matching.stats import wilson

# Okabe and Ito's colours, which colour-blind people tell apart; shapes differ as well.
SHOWN: Final = {
    "catena": ("the archive", "#0072B2"),
    "PDQ, tuned": ("PDQ", "#009E73"),
    "imagehash phash 16, tuned": ("imagehash pHash 16", "#D55E00"),
    "imagehash dhash 8, tuned": ("imagehash dHash 8", "#999999"),
}
LINES: Final = ("#D55E00", "#999999", "#CC79A7", "#009E73", "#E69F00", "#56B4E9", "#0072B2", "#000000", "#F0E442")
LEFT: Final = 170
WIDE: Final = 520
ROW: Final = 26
BITS: Final = {"imagehash dhash 8": 64, "imagehash phash 8": 64}


class Svg:
    """Marks, in pixels, from the upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size, self._title, self._parts = (width, height), title, list[str]()

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'
        )

    def path(self, points: list[tuple[float, float]], colour: str) -> None:
        """Lines from point to point."""
        at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="1.8"/>')

    def mark(self, at: tuple[float, float], shape: int, colour: str) -> None:
        """A disc, a square, a diamond or a triangle."""
        x, y = at
        corners = ((-4, -4, 4, -4, 4, 4, -4, 4), (0, -5, 5, 0, 0, 5, -5, 0), (0, -5, 5, 4, -5, 4))
        if shape == 0:
            self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
            return
        own = corners[(shape - 1) % len(corners)]
        points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in zip(own[::2], own[1::2], strict=True))
        self._parts.append(f'<polygon points="{points}" fill="{colour}"/>')

    def text(self, at: tuple[float, float], words: str, anchor: str = "start") -> None:
        """A line of text."""
        self._parts.append(f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}">{escape(words)}</text>')

    def write(self, path: Path) -> None:
        """Into a file, on white."""
        width, height = self._size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" font-family="sans-serif" font-size="12"><title>{escape(self._title)}</title>'
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
        )
        path.write_text("\n".join([head, *self._parts, "</svg>"]) + "\n", encoding="utf-8")


def _across(share: float) -> float:
    return LEFT + share * WIDE


def by_attack(found: dict[str, Any]) -> Svg:
    """Recall of each attack; whiskers are Wilson's 95 % intervals."""
    methods = {name: found["methods"][name] for name in SHOWN if name in found["methods"]}
    own = found["methods"]["catena"]["by_attack"]
    attacks = sorted(found["trials"], key=lambda attack: (-own[attack], attack))
    height = 70 + ROW * len(attacks)
    made = Svg(LEFT + WIDE + 30, height, "Recall of photos by attack, with 95 % intervals")
    for number, name in enumerate(methods):
        label, colour = SHOWN[name]
        made.mark((LEFT + 150 * number, 14), number, colour)
        made.text((LEFT + 150 * number + 9, 18), label)
    for tenth in range(0, 11, 2):
        x = _across(tenth / 10)
        made.line((x, 34), (x, height - 30), "#dddddd")
        made.text((x, height - 14), f"{tenth / 10:.1f}", "middle")
    for row, attack in enumerate(attacks):
        middle = 46 + ROW * row
        made.text((LEFT - 10, middle + 4), attack, "end")
        for number, (name, figures) in enumerate(methods.items()):
            share, trials = figures["by_attack"][attack], found["trials"][attack]
            y = middle + 5 * (number - (len(methods) - 1) / 2)
            low, high = wilson(round(share * trials), trials)
            made.line((_across(low), y), (_across(high), y), SHOWN[name][1], 1.3)
            made.mark((_across(share), y), number, SHOWN[name][1])
    return made


def over_limit(found: dict[str, Any]) -> Svg:
    """Recall of hashes over their limit; a line ends where strangers are taken for copies."""
    top, tall = 40, 300
    made = Svg(LEFT + WIDE + 30, top + tall + 50, "Recall of hashes over their limit")
    for tenth in range(0, 11, 2):
        y = top + tall * (1 - tenth / 10)
        made.line((60, y), (60 + WIDE, y), "#dddddd")
        made.text((52, y + 4), f"{tenth / 10:.1f}", "end")
    for percent in range(0, 51, 10):
        x = 60 + WIDE * percent / 50
        made.text((x, top + tall + 18), f"{percent} %", "middle")
    made.text((60 + WIDE / 2, top + tall + 38), "differing bits up to which two photos are called copies", "middle")
    queries = found["queries"]
    for number, (method, curve) in enumerate(sorted(found["curves"].items())):
        colour, bits = LINES[number % len(LINES)], BITS.get(method, 256)
        free = [(limit / bits, copies / queries) for limit, copies, false in curve if not false and limit <= bits / 2]
        points = [(60 + WIDE * share * 2, top + tall * (1 - recall)) for share, recall in free]
        made.path(points, colour)
        made.mark(points[-1], number % 4, colour)
        made.mark((60 + WIDE + 12, top + 32 + 16 * number), number % 4, colour)
        made.text((60 + WIDE + 22, top + 36 + 16 * number), method)
    own = found["methods"]["catena"]["recall"]
    y = top + tall * (1 - own)
    made.line((60, y), (60 + WIDE, y), SHOWN["catena"][1], 1.3)
    made.text((60 + WIDE + 6, y + 4), f"the archive, {own:.3f}")
    return made


def main() -> None:
    """Draw both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching.plots", description=__doc__)
    parser.add_argument("run", type=Path, help="what `python -m benchmarks.matching --out` wrote")
    parser.add_argument("--to", type=Path, required=True, help="folder")
    asked = parser.parse_args()
    found = json.loads(asked.run.read_text(encoding="utf-8"))["photos"]
    asked.to.mkdir(parents=True, exist_ok=True)
    by_attack(found).write(asked.to / "matching-by-attack.svg")
    over_limit(found).write(asked.to / "matching-over-limit.svg")


if __name__ == "__main__":
    main()
