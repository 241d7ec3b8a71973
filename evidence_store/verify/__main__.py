"""`python -m evidence_store.verify PATH [options]`: verify an evidence bundle offline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from evidence_store.bundle.withheld import MAX_OPENING_BYTES, parse_opening_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.container import open_regular
from evidence_store.verify.page import as_html
from evidence_store.verify.sets import set_list, verify_set
from evidence_store.verify.trust import Anchors, parse_policy_file, parse_time_roots, parse_trust
from evidence_store.verify.version import NAME, VERSION

OK, FINDINGS, BAD_USAGE = 0, 1, 2
_MAX_FILE = 1 << 20
T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verifier.

    Args:
        argv: arguments without the program's name; None takes those of the process.

    Returns:
        0 verified, 1 errors were found, 2 bad usage, or nothing to check (not a bundle, unreadable).
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse exits by itself; a caller in the same process must not
        return stop.code if isinstance(stop.code, int) else BAD_USAGE
    try:
        time = _read(arguments.tsa, "tsa_file_malformed", parse_time_roots)
        anchors = Anchors(
            trust=_read(arguments.trust, "trust_file_malformed", parse_trust),
            time_roots=time.roots if time is not None else (),
            policy=_read(arguments.policy, "policy_form", parse_policy_file),
            time_intermediates=time.intermediates if time is not None else (),
        )
        listed = set_list(arguments.path)
        openings = _read(arguments.opening, "opening_malformed", parse_opening_file, MAX_OPENING_BYTES)
        if listed is not None and openings is None:
            report = verify_set(listed, anchors)
        else:  # an opening is of one bundle
            report = verify_bundle(arguments.path, anchors, openings=openings)
        if arguments.html is not None:
            _write_page(arguments.html, report, arguments.path)
    except EvidenceStoreError as error:
        sys.stderr.write(f"{NAME}: {ascii(str(error))[1:-1]}\n")
        if arguments.json:
            sys.stdout.write(json.dumps({"error": {"code": error.code, "detail": error.detail}}, indent=2) + "\n")
        return BAD_USAGE
    _print(json.dumps(report.as_json(), indent=2) if arguments.json else report.as_text())
    return OK if report.ok else FINDINGS


def _print(text: str) -> None:
    """Print, with escapes for what the terminal's encoding does not have."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=NAME, description="Verify an evidence bundle offline.")
    parser.add_argument(
        "path",
        type=Path,
        help="a bundle: ZIP file, or the folder it was unzipped to; of a set its list, NAME-set.json, or its folder",
    )
    for option, meaning in (
        ("--trust", "the archive's PEM CA certificates and/or log verifier keys, got from outside the bundle"),
        ("--tsa", "PEM roots of the time-stamping authorities that you trust"),
        ("--policy", "the witnesses that you trust, and how many must have co-signed (C2SP tlog-policy)"),
        ("--opening", "what the archive disclosed later of what this bundle keeps back"),
        ("--html", "write the report as a page to this new file, too"),
    ):
        parser.add_argument(option, type=Path, metavar="FILE", help=meaning)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--version", action="version", version=f"{NAME} {VERSION}")
    return parser


def _read(path: Path | None, malformed: str, parse: Callable[[bytes], T], limit: int = _MAX_FILE) -> T | None:
    if path is None:
        return None
    with open_regular(path) as stream:
        try:
            data = stream.read(limit + 1)
        except OSError as error:
            raise EvidenceStoreError("unreadable", f"{path}: {error}") from error
    if len(data) > limit:
        raise EvidenceStoreError(malformed, f"larger than {limit} bytes")
    return parse(data)


def _write_page(path: Path, report: BundleReport, checked: Path) -> None:
    page = as_html(report, checked.name, datetime.now(UTC))
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(page)
    except (OSError, ValueError) as error:
        raise EvidenceStoreError("unwritable", f"{path}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
