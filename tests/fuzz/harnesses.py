"""Every parser that reads what a stranger may have written, with samples to begin from and words of its language.

A harness calls a parser, and what uses its result, with any bytes. Whatever the bytes are, it returns or raises
`EvidenceStoreError`; anything else is a fault. Where a format has one form only, what was accepted is written again and
must be the same bytes. `python -m tests.fuzz` runs them under atheris, `test_fuzz_parsers.py` under Hypothesis.
"""

from __future__ import annotations

from typing import Final

from tests.fuzz.containers import CONTAINERS
from tests.fuzz.harness import Harness
from tests.fuzz.logs import LOGS
from tests.fuzz.structures import STRUCTURES

HARNESSES: Final[dict[str, Harness]] = dict(sorted((STRUCTURES | LOGS | CONTAINERS).items()))
