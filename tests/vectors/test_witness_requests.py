"""Requests that another witness (torchwood's litewitness) is tested with: a log of fake hashes that grows by three."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from evidence_store.keys import file as key_file
from evidence_store.log.note import format_vkey
from evidence_store.witness.folder import WitnessFolder
from evidence_store.witness.rules import RefusalError
from evidence_store.witness.witness import Witness

ORIGIN = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
KEY = bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f")
ONE = """old 0

{origin}
1
KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

\u2014 {origin} UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=
"""
THREE = """old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{origin}
3
RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=

\u2014 {origin} UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=
"""
FIVE = """old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=
KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{origin}
5
QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=

\u2014 {origin} UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=
"""


def _answers(witness: Witness, bodies: Sequence[str]) -> list[int | None]:
    """200 for each that was signed, else the size that the conflict names."""
    answers: list[int | None] = []
    for body in bodies:
        try:
            witness.add_checkpoint(body.format(origin=ORIGIN).encode())
            answers.append(200)
        except RefusalError as refusal:
            answers.append(refusal.known_size)
    return answers


def test_each_order_signs_the_first_continuation_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "SCRYPT_P", 1)
    expected = {(ONE, THREE, FIVE): [200, 200, 3], (ONE, FIVE, THREE): [200, 200, 5], (THREE, ONE, FIVE): [0, 200, 200]}
    for number, (order, answers) in enumerate(expected.items()):
        folder = WitnessFolder(tmp_path / str(number))
        folder.create("witness.example", ["ed25519"], b"a passphrase for tests only")
        folder.add_log(format_vkey(ORIGIN, KEY))
        witness = Witness(folder, folder.cosigners(b"a passphrase for tests only"), itertools.count(1).__next__)
        assert _answers(witness, order) == answers
