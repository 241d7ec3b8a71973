"""Bundles of random shape that nobody touched: none of them may raise an alarm.

`python -m tests.tamper.untouched --times 1000 --seed 1` makes and verifies so many and prints what it found. Each
shape follows from its seed alone, but for keys and signatures.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from evidence_store.bundle.manifest import Stamp, TimeStatement
from evidence_store.seal import without_tokens
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Report
from evidence_store.verify.trust import Anchors
from tests.attested import EARLIER, LATER, local_tsa, policy_of, policy_text, renewal_files, rfc3339, witness
from tests.bundles import SampleArchive, fingerprint, unzip, write_folder, write_plan

NAMES = (
    "photo.jpg",
    "відео з вулиці.mp4",
    "صورة.jpeg",
    "照片 01.HEIC",
    "",
    "../../etc/passwd",
    "a" * 300 + ".mov",
    "no extension",
    "CON.txt",
    "trailing.",
    "tab\there\n.jpg",
    "👩‍🚒 rescue.png",
    ".hidden",
    "two  words.MP4",
)
WITNESSES = ("w1.example", "w2.example", "w3.example")
ALARMS = frozenset({"error"})


def shape(seed: int, folder: Path) -> tuple[Path, Anchors]:
    """Make one bundle and say whom its reader trusts."""
    chance = random.Random(seed)  # noqa: S311 - shapes, not secrets
    names = chance.sample(["first", "second"], chance.randint(0, 2))
    seen_by = [witness(name) for name in WITNESSES[: chance.choice([0, 0, 1, 2, 3])]]
    made = SampleArchive(f"untouched-{seed}", tsas={name: local_tsa(name) for name in names}, witnesses=seen_by)
    for _ in range(chance.choice([0, 1, 1, 2, 3, 8])):
        _item(made, chance)
    renewals = {}
    if made.items and chance.random() < 0.3:
        renewals = renewal_files(made, local_tsa("first"))
        for item in chance.sample(made.items, chance.randint(0, len(made.items))):
            made.record(f"item:{item.item}", chance.choice(["access", "annotation", "fixity check"]))
    if chance.random() < 0.3:
        _rotate(made, chance)
    if seen_by and chance.random() < 0.5:
        made.policy = policy_text(WITNESSES[: len(seen_by)], "all")
    path = _written(made, chance, folder, renewals)
    authorities = {*names, *(["first"] if renewals else [])}
    roots = [root for name in authorities for root in local_tsa(name).roots] if chance.random() < 0.7 else []
    policy = policy_of(WITNESSES, "any") if seen_by and chance.random() < 0.5 else None
    return path, Anchors(made.trust if chance.random() < 0.8 else None, roots, policy)


def _item(made: SampleArchive, chance: random.Random) -> None:
    size = chance.choice([0, 1, 999, 1000, 1001, chance.randint(0, 200_000)])
    item = made.deposit(chance.choice(NAMES), chance.randbytes(size), case=chance.choice(["T1", "Справа 7"]))
    for role, place in (("metadata", "metadata"), ("preview", "previews")):
        if chance.random() < 0.5:
            made.derive(item, role, f"data/{place}/{item}.{'json' if role == 'metadata' else 'jpg'}", b"{}")
    for _ in range(chance.randint(0, 4)):
        made.record(f"item:{item}", chance.choice(["access", "link", "review", "comparison"]))


def _rotate(made: SampleArchive, chance: random.Random) -> None:
    """New keys; the former ones are retired as of tomorrow, so that what they signed today is theirs."""
    if chance.random() < 0.5:
        former = fingerprint(made.seal_certificate)
        made.new_seal_key()
        made.introduce("seal", made.seal_certificate)
        made.change_key("retirement", "seal", former, rfc3339(LATER))
    else:
        made.new_log_key()
        made.change_key("introduction", "log", made.log_vkey, rfc3339(EARLIER), material=made.log_vkey)


def _written(made: SampleArchive, chance: random.Random, folder: Path, renewals: dict[str, bytes]) -> Path:
    plan = made.plan(renewals=renewals)
    roots = dict(plan.authority_roots)
    if renewals:
        roots["first"] = local_tsa("first").authority.roots_pem
    plan = replace(plan, authority_roots=roots, purpose=chance.choice(["", "Для суду", "x" * 500]))
    seal = made.seal
    if made.tsas and chance.random() < 0.3:  # authorities are late
        stamps = [Stamp(f"checkpoint:{made.log.size}", name, "pending") for name in made.tsas]
        items = [replace(item, receipt_signature=without_tokens(item.receipt_signature)) for item in plan.items]
        plan = replace(plan, tokens={}, items=items, time=TimeStatement(list(made.tsas), stamps))
        seal = made.bare_seal
    data = write_plan(plan, seal)
    if chance.random() < 0.5:
        return write_folder(unzip(data), folder / "bundle")
    path = folder / "bundle.zip"
    path.write_bytes(data)
    return path


def verified(seed: int) -> Report:
    """The report on one untouched bundle."""
    with tempfile.TemporaryDirectory(prefix="catena-untouched-") as folder:
        path, anchors = shape(seed, Path(folder))
        return verify_bundle(path, anchors)


def main(arguments: list[str]) -> int:
    """Make and verify many; exit code 0 without any alarm."""
    parser = argparse.ArgumentParser(description="False alarms on untouched bundles of random shape.")
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    told: Counter[str] = Counter()
    alarms = 0
    for seed in range(options.seed, options.seed + options.times):
        report = verified(seed)
        told.update({finding.code for finding in report.findings})
        if not report.ok:
            alarms += 1
            wrong = [f"{f.code} {f.subject}: {f.detail}" for f in report.findings if f.severity in ALARMS]
            sys.stdout.write(f"seed {seed}: {'; '.join(wrong)}\n")
    sys.stdout.write(f"{options.times} untouched bundles, {alarms} false alarms\n")
    for code, number in sorted(told.items()):
        sys.stdout.write(f"  {number:5} with {code}\n")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
