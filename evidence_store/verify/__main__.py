"""`python -m evidence_store.verify PATH [--trust FILE] [--json]`: verify an evidence bundle offline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Trust, parse_trust

OK, FINDINGS, BAD_USAGE = 0, 1, 2
_MAX_TRUST_FILE = 1 << 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verifier.

    Args:
        argv: arguments without the program's name; None takes those of the process.

    Returns:
        0 verified, 1 errors were found, 2 bad usage, or nothing to check (not a bundle, unreadable).
    """
    parser = argparse.ArgumentParser(prog="catena verify", description="Verify an evidence bundle offline.")
    parser.add_argument("path", type=Path, help="a bundle: ZIP file, or the folder it was unzipped to")
    parser.add_argument(
        "--trust",
        type=Path,
        metavar="FILE",
        help="PEM CA certificates and/or log verifier keys, one per line, that you got from outside the bundle",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse exits by itself; a caller in the same process must not
        return stop.code if isinstance(stop.code, int) else BAD_USAGE
    try:
        trust = _read_trust(arguments.trust) if arguments.trust is not None else None
        report = verify_bundle(arguments.path, trust)
    except EvidenceStoreError as error:
        sys.stderr.write(f"catena verify: {ascii(str(error))[1:-1]}\n")
        if arguments.json:
            sys.stdout.write(json.dumps({"error": {"code": error.code, "detail": error.detail}}, indent=2) + "\n")
        return BAD_USAGE
    text = json.dumps(report.as_json(), indent=2) if arguments.json else report.as_text()
    sys.stdout.write(text + "\n")
    return OK if report.ok else FINDINGS


def _read_trust(path: Path) -> Trust:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_TRUST_FILE + 1)
    except (OSError, ValueError) as error:
        raise EvidenceStoreError("unreadable", f"{path}: {error}") from error
    if len(data) > _MAX_TRUST_FILE:
        raise EvidenceStoreError("trust_file_malformed", f"larger than {_MAX_TRUST_FILE} bytes")
    return parse_trust(data)


if __name__ == "__main__":
    sys.exit(main())
