"""Counted error rates into the archive's data: `python -m benchmarks.matching.publish --photos FILE --videos FILE`.

Photos: what `benchmarks.matching.negatives` wrote. Recordings and stills: what `benchmarks.matching --out` wrote.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from app.matching.recipe import ALGORITHM_ID
from benchmarks.matching.stats import wilson

DATA: Final = Path(__file__).resolve().parents[2] / "app" / "matching" / "data" / "error_rates.json"
VERDICTS: Final = ("same_content", "derived", "possibly_related")


def row(pairs: int, said: dict[str, int], data_set: str) -> dict[str, Any]:
    """Counts of each verdict with the upper end of its interval."""
    false = {name: said.get(name, 0) for name in VERDICTS}
    high = {name: float(f"{wilson(count, pairs)[1]:.2g}") for name, count in false.items()}
    return {"pairs": pairs, "false": false, "high": high, "data_set": data_set}


def photos(found: dict[str, Any]) -> dict[str, Any]:
    """Of the run of negatives, as an archive of so many photos compares them."""
    sources = found["items"] // 2
    text = (
        f"{sources} photos ({found['real']} real ones of {' and '.join(found['packages'])}, {sources - found['real']} "
        f"generated scenes, {found['out_of_focus']} of them out of focus) and an edited copy of each, each with all "
        f"others, seed {', '.join(map(str, found['seeds']))}"
    )
    return row(found["seen"]["archive"], found["said"]["archive"], text)


def main() -> None:
    """Write the data file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching.publish", description=__doc__)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--videos", type=Path)
    asked = parser.parse_args()
    old = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    media: dict[str, Any] = old.get("media", {}) if old.get("recipe") == ALGORITHM_ID else {}
    if asked.photos is not None:
        found = json.loads(asked.photos.read_text(encoding="utf-8"))
        assert found["recipe"] == ALGORITHM_ID, "counted by another recipe"
        media["photo"] = photos(found)
    if asked.videos is not None:
        run = json.loads(asked.videos.read_text(encoding="utf-8"))
        for name, part in (("video", run.get("videos")), ("still", run.get("stills"))):
            if part is not None:
                media[name] = row(part["negative_pairs"], part["false_by_verdict"], part["data_set"])
    DATA.parent.mkdir(exist_ok=True)
    text = json.dumps({"recipe": ALGORITHM_ID, "media": media}, indent=2, sort_keys=True)
    DATA.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
