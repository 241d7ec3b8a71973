"""Tables of a run, as Markdown."""

from __future__ import annotations

from typing import Any


def print_photos(found: dict[str, Any]) -> None:
    """Methods by attack, then the totals and what is no copy."""
    methods = found["methods"]
    print(f"\n{found['queries']} attacked photos, {found['negative_pairs']} pairs of strangers\n")
    print("| method | limit | recall, all attacks | 95 % | false positives |\n|---|---|---|---|---|")
    for name, row in sorted(methods.items(), key=lambda pair: pair[1]["recall"]):
        low, high = row["interval"]
        limit = "" if row["limit"] is None else row["limit"]
        print(f"| {name} | {limit} | {row['recall']:.3f} | {low:.3f} to {high:.3f} | {row['false_positives']} |")
    shown = [n for n in methods if n == "catena" or n in ("points alone", "hashes, confirmed") or n.endswith(", tuned")]
    print(f"\n| attack | {' | '.join(shown)} |\n|---|{'---|' * len(shown)}")
    for attack in found["trials"]:
        cells = [f"{methods[name]['by_attack'][attack]:.2f}" for name in shown]
        print(f"| {attack} | {' | '.join(cells)} |")
    print("\nSame scene, different picture:")
    for label, counts in found["hard_negatives"].items():
        print(f"  {label}: {counts}")
    for line in found["false_pairs"]:
        print(f"  FALSE: {line}")
    for line in found["misses"]:
        print(f"  missed: {line}")
    for label, value in found["costs"].items():
        print(f"  {label}: {value:.2f}")


def print_videos(found: dict[str, Any]) -> None:
    """Recall, times and false matches of videos."""
    print(f"\n{found['queries']} attacked recordings, {found['negative_pairs']} pairs of strangers: ", end="")
    print(f"recall {found['recall']:.3f}, {found['false_positives']} false\n")
    print("| attack | found | starts and ends within 1 s | median error, s |\n|---|---|---|---|")
    for attack, row in found["by_attack"].items():
        print(f"| {attack} | {row['found']} of {row['trials']} | {row['within']:.2f} | {row['median_error']:.2f} |")
    for line in found["misses"]:
        print(f"  missed: {line}")
    for label, value in found["costs"].items():
        print(f"  {label}: {value:.2f}")


def print_stills(found: dict[str, Any]) -> None:
    """What is said of stills, of strangers and of other photos of a filmed scene."""
    print("\n| edit | said of stills of the recording |\n|---|---|")
    for edit, said in found["by_edit"].items():
        print(f"| {edit} | {', '.join(f'{name} {count}' for name, count in sorted(said.items()))} |")
    print(f"\nmoments more than 1 s off, where the picture moves: {found['more_than_1_s_off']}")
    print(f"strangers: {found['negative_pairs']}, of which found: {found['false_by_verdict']}")
    print(f"other photos of a filmed scene: {found['same_scene']}")
