"""BouncyCastle, which nobody here wrote, accepts evidence records and rejects every tampered one."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from app.custody.proofs import checkpoint_of
from evidence_store.bundle.renewals import checkpoint_members, covered_events, object_members
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.ers import renewal_imprint, verify_record
from evidence_store.timestamps.evidence_record import EvidenceRecord
from evidence_store.timestamps.request import granted_response
from tests.evidence_records import Group, Stamper, chains_over, records, rehashed, stampers
from tests.judges import require
from tests.renewals import lasting, stage
from tests.tokens import der_of
from tests.tsa import LocalTsa, authority

JUDGE = Path(__file__).with_name("EvidenceRecordJudge.java")
GROUPS: list[Group] = [
    *(
        object_members(f"item:{number}", [f'{{"event":{event}}}'.encode() for event in range(number + 1)])
        for number in range(5)
    ),
    checkpoint_members(15, b"log\n15\nroot\n\n\xe2\x80\x94 log sig\n", [b"token one", b"token two"]),
]
ME = 3


class Court:
    """Collects cases, asks BouncyCastle once, and compares its verdicts with ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: list[str] = []
        self.ours: list[bool] = []

    def plead(
        self, record: EvidenceRecord | bytes, members: Sequence[bytes], roots: Sequence[x509.Certificate]
    ) -> None:
        """Add a case."""
        case = self._folder / f"case-{len(self._lines)}"
        (case / "roots").mkdir(parents=True)
        der = record if isinstance(record, bytes) else record.encode()
        (case / "record.ers").write_bytes(der)
        for number, root in enumerate(roots):
            (case / "roots" / f"{number}.der").write_bytes(der_of(root))
        fields = [case / "record.ers", case / "roots"]
        for number, member in enumerate(members):
            fields.append(case / f"member-{number}")
            fields[-1].write_bytes(member)
        self._lines.append("\t".join(map(str, fields)))
        try:
            verify_record(der, members, roots)
            self.ours.append(True)
        except EvidenceStoreError:
            self.ours.append(False)

    def verdicts(self) -> list[str]:
        """What BouncyCastle says of each case."""
        (self._folder / "cases").write_text("".join(f"{line}\n" for line in self._lines))
        jars = ":".join(require(name) for name in ("bcprov.jar", "bcutil.jar", "bcpkix.jar"))
        command = [require("java"), "-cp", jars, str(JUDGE), str(self._folder / "cases")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr
        said = done.stdout.splitlines()
        assert len(said) == len(self._lines)
        assert all(line.startswith(("OK ", "REFUSED ")) for line in said)
        return said

    def agreed(self) -> list[str]:
        """The verdicts, after a check that ours are the same."""
        said = self.verdicts()
        assert [line.startswith("OK") for line in said] == self.ours, said
        return said


@pytest.fixture
def court(tmp_path: Path) -> Court:
    return Court(tmp_path)


def roots_of(stamping: Sequence[Stamper]) -> list[x509.Certificate]:
    return [root for stamper in stamping for root in stamper.by.roots]


def past(count: int) -> list[Stamper]:
    """Stampers whose times lie in the past: BouncyCastle believes no token from the future."""
    found = stampers(count)
    return [replace(stamper, at=stamper.at.replace(year=2021 + year)) for year, stamper in enumerate(found)]


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_every_group_of_a_tree_is_accepted(court: Court, algorithm: str) -> None:
    for count in (1, 2, 6):
        for group, record in zip(GROUPS[:count], records(GROUPS[:count], past(1), algorithm), strict=True):
            court.plead(record, group, roots_of(past(1)))
    assert court.agreed() == ["OK 1 2021-11-22T10:31:00Z"] * 9


@pytest.mark.parametrize("renewals", [1, 2, 3])
def test_records_are_accepted_after_time_stamp_renewals(court: Court, renewals: int) -> None:
    stamping = past(1 + renewals)
    for group, record in zip(GROUPS, records(GROUPS, stamping), strict=True):
        court.plead(record, group, roots_of(stamping))
    assert court.agreed() == [f"OK {1 + renewals} 2021-11-22T10:31:00Z"] * len(GROUPS)


def test_records_are_accepted_after_a_hash_tree_renewal(court: Court) -> None:
    stamping = past(3)
    older = records(GROUPS, stamping[:2], "sha256")
    for group, record in zip(GROUPS, rehashed(older, GROUPS, stamping[2:], "sha512"), strict=True):
        court.plead(record, group, roots_of(stamping))
    assert court.agreed() == ["OK 3 2021-11-22T10:31:00Z"] * len(GROUPS)


def test_record_with_tokens_of_real_authorities_is_accepted(court: Court, tmp_path: Path) -> None:
    """openssl stamps, over SHA-512, as two authorities with roots and keys of different kinds."""
    first = LocalTsa(tmp_path / "one", authority("one", "ec"))
    second = LocalTsa(tmp_path / "two", authority("two", "rsa", intermediate=True))

    class ByOpenssl(Stamper):
        def token(self, imprint: bytes, algorithm: str = "sha512") -> bytes:
            return (first if self.by is first.authority else second).token(imprint, algorithm)

    stamping = [ByOpenssl(tsa.authority, stampers()[0].at) for tsa in (first, second)]
    hashed = [[hashlib.sha512(member).digest() for member in group] for group in GROUPS]
    chains, tokens = chains_over("sha512", hashed, stamping)
    trusted = [*roots_of(stamping), *(issued.certificate for issued in second.authority.between)]
    for group, chain in zip(GROUPS, chains, strict=True):
        court.plead(EvidenceRecord((chain,)), group, trusted)
    assert all(line.startswith("OK 2 ") for line in court.agreed())
    (tmp_path / "token.tsr").write_bytes(granted_response(tokens[1]))
    (tmp_path / "root.pem").write_bytes(second.authority.roots_pem)
    (tmp_path / "chain.pem").write_bytes(second.authority.between[0].pem)
    command = [require("openssl"), "ts", "-verify", "-in", "token.tsr", "-CAfile", "root.pem"]
    command += ["-untrusted", "chain.pem", "-digest", renewal_imprint("sha512", tokens[:1]).hex()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert b"Verification: OK" in done.stdout + done.stderr


def test_tampered_records_are_refused_by_both(court: Court) -> None:
    stamping, roots = past(3), roots_of(past(3))
    made = records(GROUPS, stamping)
    mine, group = made[ME], list(GROUPS[ME])
    other = records(GROUPS[:ME], stamping)[0]
    stamps = list(mine.chains[0])

    def bent(place: int, **changes: object) -> EvidenceRecord:
        changed = list(stamps)
        changed[place] = replace(changed[place], **changes)  # type: ignore[arg-type]
        return EvidenceRecord((tuple(changed),))

    lists = stamps[0].lists
    signature = bytearray(stamps[2].token)
    signature[-1] ^= 1
    court.plead(mine, [*group[:-1], group[-1] + b" "], roots)  # a member changed
    court.plead(mine, group[:-1], roots)  # left out
    court.plead(mine, [*group, b"more"], roots)  # added
    court.plead(mine, list(GROUPS[ME - 1]), roots)  # another object's
    court.plead(bent(0, lists=(lists[0], (bytes(64),), *lists[2:])), group, roots)  # the tree changed
    court.plead(bent(0, lists=lists[:-1]), group, roots)  # cut
    court.plead(bent(0, token=other.tokens[0]), group, roots)  # the token of another tree
    court.plead(bent(1, token=other.tokens[1]), group, roots)  # of another chain
    court.plead(bent(2, token=bytes(signature)), group, roots)  # with a broken signature
    court.plead(EvidenceRecord(((stamps[0], stamps[2], stamps[1]),)), group, roots)  # renewals in another order
    court.plead(mine, group, roots[:2])  # the last authority is not trusted
    court.plead(mine.encode()[:-1], group, roots)  # cut short
    assert all(line.startswith("REFUSED ") for line in court.agreed())


def test_renewal_that_covers_more_than_is_there_is_refused_by_us_alone(court: Court) -> None:
    """The last token lists all tokens before it, so we see that one was taken out; BouncyCastle asks for no more."""
    first, _, third = records(GROUPS, past(3))[ME].chains[0]
    court.plead(EvidenceRecord(((first, third),)), GROUPS[ME], roots_of(past(3)))
    assert court.verdicts() == ["OK 2 2021-11-22T10:31:00Z"]
    assert court.ours == [False]


def test_history_before_a_hash_tree_renewal_cannot_be_exchanged_for_either(court: Court) -> None:
    stamping, roots = past(2), roots_of(past(2))
    record = rehashed(records(GROUPS, stamping[:1], "sha256"), GROUPS, stamping[1:], "sha512")[ME]
    again = [replace(stamping[0], at=stamping[0].at.replace(day=23))]
    forged = EvidenceRecord((records(GROUPS, again, "sha256")[ME].chains[0], record.chains[1]))
    court.plead(record, GROUPS[ME], roots)
    court.plead(forged, GROUPS[ME], roots)
    assert [line[:2] for line in court.agreed()] == ["OK", "RE"]


def test_records_of_a_real_archive_are_accepted(court: Court, tmp_path: Path) -> None:
    """What a bundle carries: of every object and of the checkpoint, after two renewals by two authorities."""
    with stage(tmp_path / "archive", ()) as at:
        at.ask("brief", lasting("brief", 100))
        items = [f"item:{at.deposit(b'photo %d' % number).item.id}" for number in range(3)]
        at.services.renewals.renew(at.admin)
        at.ask("long", authority("long", "rsa"))
        at.services.renewals.renew(at.admin, due_only=True)  # a time-stamp renewal (RFC 4998, section 5.2)
        at.read(items[0].removeprefix("item:"))
        at.services.renewals.renew(at.admin)
        files = at.files(*at.objects())
        for path, record in files.items():
            folder, _, name = path.rpartition("/")
            if name == "checkpoint.ers":
                note = files[f"{folder}/checkpoint"]
                over = [files[each] for each in sorted(files) if each.startswith(folder) and each.endswith(".tst")]
                court.plead(record, checkpoint_members(checkpoint_of(note).size, note, over), at.roots)
            elif name.endswith(".ers"):
                about = name.removesuffix(".ers").replace("_", ":", 1)
                events = at.events(about)[: covered_events(record)]
                court.plead(record, object_members(about, events), at.roots)
                court.plead(record, object_members(about, [*events[:-1], events[-1] + b" "]), at.roots)
    said = court.agreed()
    assert court.ours.count(True) == sum(path.endswith(".ers") for path in files) >= 10
    assert {line[:4] for line in said if line.startswith("OK")} == {"OK 2", "OK 3"}
