"""Renewals of one archive as use-cases: authorise, hash the history anew, have it time-stamped, record.

1. A renewal's files are durable before its row and its event are written, in one transaction; a folder or a file that
   no event names is what a crash left, is never read, and is never taken away with a folder that is not empty.
2. One renewal at a time: an exclusive lock (flock) on the folder of renewals.
3. Nothing is recorded that the offline verifier would refuse: each chain is verified before.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from pydantic import JsonValue

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.errors import CatenaError, ConflictError
from app.renewal import bundles
from app.renewal.making import Made, Progress, Renewed, make_files, write_stamp
from app.renewal.models import RenewalRow
from app.renewal.records import EVENT, Renewal, Stamp, folder_name, recorded, stamp_name
from app.renewal.rules import DAYS_AHEAD, Due
from app.renewal.stamping import Answers, Given, stamp_in_turn
from app.renewal.standing import Standing, standing
from app.timestamps.service import Timestamps, checkpoint_subject
from evidence_store.digests import Digests
from evidence_store.durable import coded_errors, make_directories
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.note import Checkpoint
from evidence_store.timestamps.ers import ALGORITHM, renewal_imprint, verify_chain
from schemas.records.v1.event import Actor

_OF_ONE_RENEWAL: Final = ("ers_", "timestamp_", "asn1_", "tsa_damaged", "tsa_roots_")
"""How the codes of its own tokens and of their authorities' files begin."""
WAIT_SECONDS: Final = 20.0
"""How long the renewed checkpoint's own time stamps are waited for."""


@dataclass
class Outcome:
    """What a run of renewals did.

    Attributes:
        reasons: what was due, and why.
        tree: the renewal that was made; None when none was.
        stamps: renewals whose chain got longer, with the time stamps added.
        silent: why an authority gave no token, by its name.
        problems: what was due and could not be done, in words.
    """

    reasons: list[Due]
    tree: Renewal | None = None
    stamps: dict[int, list[Stamp]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Renewals:
    """The renewals of one archive."""

    def __init__(
        self,
        archive: Archive,
        access: Access,
        timestamps: Timestamps,
        checkpoint: Callable[[], tuple[Checkpoint, bytes]],
    ) -> None:
        """Bind to an archive.

        Args:
            archive: the archive.
            access: who may do what.
            timestamps: the tokens over checkpoints, and the authorities that are asked.
            checkpoint: signs the log as it stands; what the checkpoint says, and its base note.
        """
        self._archive = archive
        self._access = access
        self._timestamps = timestamps
        self._checkpoint = checkpoint
        self._folder = archive.settings.renewals

    # -- looking ------------------------------------------------------------------------------

    def standing(self, who: Principal, days: int = DAYS_AHEAD) -> Standing:
        """What is covered, until when it holds, and what is due.

        Args:
            who: the actor.
            days: how long before an expiry something is due.

        Raises:
            DeniedError: `not_allowed`.
            EnvironmentFailedError: `renewal_damaged`.
        """
        self._access.require(who, "log.read")
        return standing(self._archive, days)

    def files_for(self, objects: Iterable[str], before_size: int) -> list[tuple[str, bytes]]:
        """What a bundle needs of the renewals so far.

        Args:
            objects: the objects whose events the bundle holds, `kind:id`.
            before_size: size of the bundle's checkpoint; only renewals that the log recorded below it are given.

        Returns:
            Path in the bundle (`custody/renewals/NNN/...`, see `evidence_store.bundle.renewals`) and bytes. Of each
            object, the records of those renewals that were the first to cover some of its events; a renewal without
            such a record for any of the objects is left out whole. With each renewal comes the proof that the bundle's
            checkpoint continues the renewed one. Empty when nothing was renewed.

        Raises:
            EnvironmentFailedError: `renewal_damaged` when a renewal's files are not those that the log names.
        """
        with self._archive.db.read() as session:
            renewals = [each for each in recorded(session, self._archive.about) if each.leaf_index < before_size]
            return list(bundles.files_for(session, self._folder, renewals, sorted(set(objects)), before_size))

    def stamped_by(self) -> set[str]:
        """Names of all authorities that ever stamped a renewal: whom a bundle's evidence records are trusted under.

        Raises:
            EnvironmentFailedError: `renewal_damaged`.
        """
        with self._archive.db.read() as session:
            renewals = recorded(session, self._archive.about)
        return {stamp.authority for renewal in renewals for stamp in renewal.stamps}

    # -- renewing -----------------------------------------------------------------------------

    def renew(
        self, who: Principal, *, due_only: bool = False, days: int = DAYS_AHEAD, progress: Progress | None = None
    ) -> Outcome:
        """Hash the whole history anew and have it time-stamped; renew the time stamps of older trees that are due.

        Args:
            who: the actor.
            due_only: do nothing that is not due.
            days: how long before an expiry something is due.
            progress: told (events read, of how many).

        Raises:
            DeniedError: `not_allowed`.
            ConflictError: `renewal_running`, `no_tsa`.
            EnvironmentFailedError: `tsa_unreachable`, `log_damaged`, `renewal_damaged`; what was recorded
                before stays.
            EvidenceStoreError: `storage_full` and others.
        """
        self._access.require(who, "renewal.run")
        with self._alone():
            now = standing(self._archive, days)
            outcome = Outcome(now.due)
            numbers = {due.renewal for due in now.due}
            if numbers or not due_only:
                self._need_authorities()
            for renewal in now.renewals:
                if renewal.number in numbers:
                    self._try_to_lengthen(who.actor, renewal, outcome)
            if not due_only or None in numbers:
                self._make_tree(who.actor, outcome, progress)
        return outcome

    def _try_to_lengthen(self, actor: Actor, renewal: Renewal, outcome: Outcome) -> None:
        """A renewal that is damaged must not keep the others, and a fresh tree, from being made."""
        try:
            self._lengthen(actor, renewal, outcome)
        except (CatenaError, EvidenceStoreError) as error:
            if error.code != "renewal_damaged" and not error.code.startswith(_OF_ONE_RENEWAL):
                raise
            outcome.problems.append(f"renewal {renewal.number} cannot be renewed: {error}")

    def _lengthen(self, actor: Actor, renewal: Renewal, outcome: Outcome) -> None:
        """Renew the time stamp of an older tree (RFC 4998, section 5.2)."""
        tokens = renewal.tokens(self._folder)
        imprint = renewal_imprint(ALGORITHM, tokens)
        answers = self._ask(imprint, tokens, renewal.stamps[-1].gen_time, outcome)
        if answers.given[-1].holds_until <= renewal.holds_until:
            outcome.problems.append(
                f"no authority gave renewal {renewal.number} a time stamp that holds beyond "
                f"{renewal.holds_until.date().isoformat()}: configure one with a newer certificate ('catena tsa add')"
            )
            return
        names = [*(stamp.authority for stamp in renewal.stamps), *(each.authority for each in answers.given)]
        verify_chain(bytes.fromhex(renewal.root), [*tokens, *_ders(answers.given)], *self._trust(names))
        stamps, written = self._write_stamps(renewal.number, len(tokens), answers.given)
        with self._archive.db.write() as session:
            details = _details(renewal.number, stamps, written)
            self._archive.custody.record(session, self._archive.about, EVENT, actor, details=details)
        outcome.stamps[renewal.number] = stamps

    def _make_tree(self, actor: Actor, outcome: Outcome, progress: Progress | None) -> None:
        renewed = self._renewed_checkpoint()
        number = self._free_number()
        folder = self._folder / folder_name(number)
        try:
            made = make_files(self._archive.db, folder, renewed, progress)
            answers = self._ask(made.root, [], None, outcome)
            verify_chain(made.root, _ders(answers.given), *self._trust([each.authority for each in answers.given]))
            stamps, written = self._write_stamps(number, 0, answers.given)
            row = RenewalRow(
                id=number,
                created_at=self._archive.custody.now(),
                tree_size=renewed.checkpoint.size,
                checkpoint=renewed.note,
                root=made.root.hex(),
                leaves=made.leaves,
            )
            details = self._tree_details(number, renewed, made, stamps, written)
            with self._archive.db.write() as session:
                custody = self._archive.custody
                at = custody.record(session, self._archive.about, EVENT, actor, details=details, rows=[row])
        except BaseException:
            if not self._is_recorded(number):
                shutil.rmtree(folder, ignore_errors=True)  # made by this very call
            raise
        outcome.tree = Renewal.of_row(row)
        outcome.tree.leaf_index = at.leaf_index
        outcome.tree.stamps += stamps

    def _renewed_checkpoint(self) -> Renewed:
        """The log's signed state as of now, with the tokens over it that come soon enough."""
        checkpoint, note = self._checkpoint()
        subject = checkpoint_subject(checkpoint.size)
        with self._archive.db.write() as session:
            self._timestamps.request(session, subject, hashlib.sha256(note).hexdigest())
        self._timestamps.obtain(subject, WAIT_SECONDS)
        return Renewed(checkpoint, note, self._timestamps.tokens(subject))

    def _need_authorities(self) -> None:
        found = self._timestamps.configured.all()
        if not found.usable:
            none = "a renewal needs a time-stamping authority: 'catena tsa add' tells the archive of one"
            raise ConflictError("no_tsa", found.why_none or none)

    def _ask(self, imprint: bytes, tokens: Sequence[bytes], last: datetime | None, outcome: Outcome) -> Answers:
        found = self._timestamps.configured.all()
        answers = stamp_in_turn(found.usable, imprint, tokens, last)
        outcome.silent |= {**found.unusable, **answers.silent}
        return answers

    def _write_stamps(self, number: int, before: int, given: Sequence[Given]) -> tuple[list[Stamp], dict[str, Digests]]:
        stamps, written = [], {}
        for place, each in enumerate(given, start=before + 1):
            name = stamp_name(place, each.authority)
            written[name] = write_stamp(self._folder / folder_name(number), name, each.token.der)
            stamps.append(Stamp(each.authority, name, each.token.gen_time, each.holds_until))
        return stamps, written

    @staticmethod
    def _tree_details(
        number: int, renewed: Renewed, made: Made, stamps: list[Stamp], written: dict[str, Digests]
    ) -> dict[str, JsonValue]:
        return {
            **_details(number, stamps, {**made.files, **written}),
            "tree_size": renewed.checkpoint.size,
            "algorithm": ALGORITHM,
            "root": made.root.hex(),
            "groups": made.leaves,
        }

    def _trust(self, names: Iterable[str]) -> tuple[list[x509.Certificate], list[x509.Certificate]]:
        """Roots and intermediates of some authorities, those that are asked no more included."""
        trusts = [self._timestamps.configured.trust(name) for name in sorted(set(names))]
        roots = [root for trust in trusts if trust is not None for root in trust.roots]
        return roots, [each for trust in trusts if trust is not None for each in trust.intermediates]

    def _free_number(self) -> int:
        """One that neither a row nor a folder has: what a crash left is not written over."""
        with self._archive.db.read() as session:
            taken = [renewal.number for renewal in recorded(session, self._archive.about)]
        taken += [int(path.name) for path in self._folder.iterdir() if path.name.isdecimal()]
        return max(taken, default=0) + 1

    def _is_recorded(self, number: int) -> bool:
        with self._archive.db.read() as session:
            return session.get(RenewalRow, number) is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_directories(self._folder, 0o700)
        with coded_errors("lock the renewals"):
            descriptor = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError("renewal_running", "another renewal is running") from None
            yield
        finally:
            os.close(descriptor)


def _ders(given: Sequence[Given]) -> list[bytes]:
    return [each.token.der for each in given]


def _details(number: int, stamps: Sequence[Stamp], files: dict[str, Digests]) -> dict[str, Any]:
    """What every event of a renewal says."""
    return {
        "renewal": number,
        "stamps": [stamp.as_json() for stamp in stamps],
        "outputs": [output("renewal", made, file=name) for name, made in files.items()],
    }
