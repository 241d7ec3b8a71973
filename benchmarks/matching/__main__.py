"""`python -m benchmarks.matching [--photos 20] [--attacks all|NAME,...] [--videos 3] [--out FILE.json]`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.matching import photos, stills, videos
from benchmarks.matching.attacks import ATTACKS
from benchmarks.matching.media import Photos
from benchmarks.matching.report import print_photos, print_stills, print_videos


def main() -> None:
    """Measure, print the tables, write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching", description=__doc__)
    parser.add_argument("--photos", type=int, default=20, help="sources: real photos first, then generated scenes")
    parser.add_argument("--attacks", default="all", help="all, or names with commas between")
    parser.add_argument("--videos", type=int, default=3, help="generated recordings")
    parser.add_argument("--stills", type=int, default=0, help="generated recordings that stills are taken from")
    parser.add_argument("--hard", type=int, default=5, help="scenes for pairs that are no copies")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-ablation", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "catena-benchmark")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    asked = parser.parse_args()
    chosen = [*ATTACKS] if asked.attacks == "all" else asked.attacks.split(",")
    real = Photos(asked.cache)
    done: dict[str, Any] = {"seed": asked.seed}
    if asked.photos:
        figures = photos.measure(real, asked.photos, chosen, asked.seed, ablate=not asked.no_ablation)
        photos.hard_negatives(real, figures, asked.hard)
        done["photos"] = photos.summary(figures)
        print_photos(done["photos"])
    if asked.videos:
        done["videos"] = videos.measure(real, asked.videos, asked.seed)
        print_videos(done["videos"])
    if asked.stills:
        done["stills"] = stills.measure(real, asked.stills, asked.seed)
        print_stills(done["stills"])
    if asked.out is not None:
        asked.out.write_text(json.dumps(done, indent=1, sort_keys=True), encoding="utf-8")


if __name__ == "__main__":
    main()
