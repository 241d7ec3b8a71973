"""The crash-point table: every step at which a crash may come, what it leaves, and what is there after recovery.

The table and the trace of an undisturbed run are compared in both directions, so no step of the program is missing here
and no row speaks of a step that is not taken. `docs/crash-points.md` is this table for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tests.crash.held import Place


@dataclass(frozen=True)
class Point:
    """One row.

    Attributes:
        play: which work is interrupted.
        what: the step in words.
        calls: patterns of the steps, as in `Place.step`.
        left: how far the work has come when it is killed before one of these calls; several where the same call is
            made at several moments.
        unit: the function whose unit of work is open.
    """

    play: str
    what: str
    calls: tuple[str, ...]
    left: tuple[str, ...]
    unit: str = ""

    @property
    def name(self) -> str:
        """A name that no other row has."""
        return f"{self.play}: {self.what}"

    def covers(self, place: Place) -> bool:
        """Whether a step belongs to this row."""
        return place.unit == self.unit and any(fnmatchcase(place.step, call) for call in self.calls)


@dataclass(frozen=True)
class Section:
    """The rows of one play.

    Attributes:
        title: what is interrupted.
        after: what is there after recovery and the client's retry.
        states: what each word of `left` means.
    """

    title: str
    after: str
    states: dict[str, str]
    points: tuple[Point, ...]


_OPENING: Final = ("create catena.db", "create catena.db-*", "truncate catena.db-shm", "write catena.db-shm")
_CLOSING: Final = (
    "sync catena.db-wal",
    "write catena.db",
    "truncate catena.db",
    "sync catena.db",
    "remove catena.db-*",
)


class _Rows:
    """Writes down the rows of one play."""

    def __init__(self, play: str, first: str) -> None:
        self.play = play
        self.points: list[Point] = []
        self.step("the database is opened", first, *_OPENING)

    def step(self, what: str, left: str, *calls: str, unit: str = "") -> _Rows:
        """One row; several states are separated by a bar."""
        self.points.append(Point(self.play, what, calls, tuple(left.split("|")), unit))
        return self

    def transaction(self, what: str, unit: str, before: str, after: str) -> _Rows:
        """A unit of work: nothing of it is on disk before the commit, all of it after the last page is written."""
        self.step(f"{what}: begin, statements", before, "sql *", unit=unit)
        self.step(f"{what}: commit, pages into the write-ahead log", before, "write catena.db-wal", unit=unit)
        # The first transaction of a process also syncs the header of the write-ahead log, and its folder.
        left = "|".join(dict.fromkeys((*before.split("|"), *after.split("|"))))
        return self.step(
            f"{what}: commit, the write-ahead log is synced", left, "sync catena.db-wal", "sync .", unit=unit
        )

    def replaced(self, what: str, file: str, before: str, after: str, *, sync: bool = True) -> _Rows:
        """A file is replaced as a whole: written beside, synced, renamed over the old one."""
        folder, _, name = file.rpartition("/")
        beside = f"{folder}/.{name}.HEX" if folder else f".{name}.HEX"
        self.step(f"{what}: written and synced under another name", before, *_written(beside))
        self.step(f"{what}: renamed into place", before, f"rename {beside} to {file}")
        self.step(f"{what}: is in place, the other name is removed", after, f"remove {beside}")
        return self.step(f"{what}: the folder is synced", after, f"sync {folder or '.'}") if sync else self

    def linked(self, what: str, file: str, before: str, after: str) -> _Rows:
        """A new file appears as a whole: written beside, synced, linked into place."""
        folder, _, name = file.rpartition("/")
        beside = f"{folder}/.{name}.HEX"
        self.step(f"{what}: written and synced under another name", before, *_written(beside))
        self.step(f"{what}: linked into place", before, f"link {beside} to {file}")
        return self.step(f"{what}: is in place, the other name is removed", after, f"remove {beside}")

    def blob(self, before: str, after: str) -> _Rows:
        """Bytes into the store."""
        part, blob = "blobs/staging/HEX.part", "blobs/sha256/ab/cd/SHA256"
        self.step("the staging file is made", before, f"create {part}")
        self.step("bytes into the staging file", before, f"write {part}")
        self.step("the staging file is made read-only and synced", before, f"chmod {part}", f"sync {part}")
        self.step(
            "the blob's folders are made and synced",
            before,
            "make blobs/sha256/*",
            "sync blobs/sha256",
            "sync blobs/sha256/ab",
        )
        self.step("linked into place", before, f"link {part} to {blob}")
        return self.step(
            "the blob's folder is synced, the staging name removed", after, "sync blobs/sha256/ab/cd", f"remove {part}"
        )

    def close(self, left: str, title: str, after: str, **states: str) -> Section:
        """The end of the play."""
        self.step("all is done and told; the database is closed", left, *_CLOSING)
        named = {state.replace("_", " "): meaning for state, meaning in states.items()}
        return Section(title, after, named, tuple(self.points))


def _written(path: str) -> tuple[str, ...]:
    return tuple(f"{verb} {path}" for verb in ("create", "write", "chmod", "sync"))


def _init() -> Section:
    rows = _Rows("init", "no archive")
    rows.points.clear()
    rows.step("the folders are made", "no archive", "make .", "chmod .", "make *", "sync .", "sync blobs")
    rows.step("a key file: written and synced under another name", "no archive", *_written("keys/.*.HEX"))
    rows.step("a key file: linked into place", "no archive", "link keys/.*.HEX to keys/*")
    rows.step("a key file: is in place, the other name is removed", "no archive", "remove keys/.*.HEX", "sync keys")
    # What belongs to no unit of work happens once more when all is done and the database is closed.
    either = "no archive|archive"
    rows.step("the database is made", either, *_OPENING, "*catena.db-journal", "write catena.db", "sync catena.db")
    rows.step("tables: statements", "no archive", "sql *")
    rows.step("tables: commit", either, "write catena.db-wal", "sync catena.db-wal")
    for what, unit in (
        ("the founding event", "init_archive"),
        ("the keys are introduced", "Keyring.ensure_introduced"),
        ("the catalogue", "Catalogues.load"),
        ("the first user", "Access.create_user"),
        ("the first token", "Access.create_token"),
        ("the first checkpoint", "Checkpointer._sign"),
    ):
        rows.transaction(what, unit, "no archive", "no archive")
    rows.step("the head's lock is made", "no archive", "create head/lock")
    rows.replaced("the head outside the database", "head/checkpoint", "no archive", "no archive")
    rows.step("the identity: written and synced under another name", "no archive", *_written(".archive.json.HEX"))
    rows.step("the identity: linked into place", "no archive", "link .archive.json.HEX to archive.json")
    rows.step("the identity: is in place, the other name is removed", "archive", "remove .archive.json.HEX")
    rows.step("all is done; the database is closed", "archive", "truncate catena.db", "remove catena.db-[sw]*")
    return Section(
        "A new archive (`catena init`)",
        "A folder without identity is no archive and nothing opens it: it is removed and `init` is repeated. With the "
        "identity the archive is whole; if the token was not told, an administrator makes another on the machine.",
        {"no archive": "there is no identity file", "archive": "the archive is whole"},
        tuple(rows.points),
    )


def _deposits() -> dict[str, Section]:
    after = "One item with one receipt, however often the upload is repeated under its key; the same item is told."
    states = {"item": "the item is kept, its receipt is owed", "receipt": "all is there"}
    new = _Rows("deposit", "nothing").blob("nothing", "bytes")
    new.transaction("the item, its event, its jobs", "Intake._store", "bytes", "item")
    new.transaction("the receipt", "Intake.seal_item", "item", "receipt")
    again = _Rows("duplicate", "nothing").blob("nothing", "nothing")
    again.transaction("the item, its event, its jobs", "Intake._store", "nothing", "item")
    again.transaction("the receipt", "Intake.seal_item", "item", "receipt")
    return {
        "deposit": new.close(
            "receipt",
            "A deposit of new bytes",
            after,
            nothing="nothing is kept",
            bytes="the blob is whole, no item has it",
            **states,
        ),
        "duplicate": again.close(
            "receipt", "A deposit of bytes that another item has", after, nothing="there is no second item", **states
        ),
    }


def _work() -> Section:
    deposited, printed, compared = "deposited", "fingerprinted", "compared"
    rows = _Rows("work", deposited)
    rows.transaction("a job is claimed", "Jobs.claim", deposited, deposited)
    rows.blob(deposited, deposited)
    rows.transaction(
        "the analysis and the fingerprint, their events, the next job in the same hands",
        "Analysis.handle_analyse",
        deposited,
        printed,
    )
    rows.transaction("the comparison, its event", "Matching.handle_match", printed, compared)
    return rows.close(
        compared,
        "A worker analyses and compares a photo",
        "Another worker takes the job over when the lease has run out: one analysis, one fingerprint, one comparison.",
        deposited="the item is as it was deposited (a preview may be stored already)",
        fingerprinted="the analysis and the fingerprint are recorded",
        compared="all is recorded",
    )


def _checkpoint() -> Section:
    rows = _Rows("checkpoint", "unsigned")
    rows.step("the lock of the head", "unsigned", "create head/lock")
    rows.transaction("the signed checkpoint", "Checkpointer._sign", "unsigned", "stored")
    rows.replaced("the head outside the database", "head/checkpoint", "stored", "kept")
    rows.replaced("the second copy of the head", "second/checkpoint", "kept", "kept twice")
    return rows.close(
        "kept twice",
        "The log's head is signed",
        "The stored checkpoint is the one that is kept outside; whoever was given one finds it in the log. No size is "
        "signed twice.",
        unsigned="no new checkpoint",
        stored="it is in the database, not yet in the file outside",
        kept="it is in the file outside as well",
        kept_twice="it is in both files outside",
    )


def _export() -> Section:
    part = "exports/UUID.zip.part"
    rows = _Rows("export", "nothing")
    rows.step("the part file is made and locked", "nothing", f"create {part}")
    rows.transaction(
        "announce: the disclosure is logged for the export and each item", "Ledger.begin", "part", "announced"
    )
    opened = ("create catena.db", "create catena.db-wal")
    rows.step("announce: a second connection reads what is restricted", "part", *opened, unit="Ledger.begin")
    rows.step("the lock of the head", "announced", "create head/lock")
    rows.transaction("the checkpoint that covers it", "Checkpointer._sign", "announced", "covered")
    rows.replaced("the head outside the database", "head/checkpoint", "covered", "covered")
    rows.step("the report waits in a file without a name", "covered", "write exports/TEMP")
    rows.step("bytes into the part file", "covered", f"write {part}")
    rows.step("the part file is made read-only and synced", "covered", f"chmod {part}", f"sync {part}")
    rows.step("publish: linked into place", "covered", f"link {part} to exports/UUID.zip")
    rows.step("publish: the folder is synced", "published", "sync exports")
    rows.transaction("the end is recorded", "Ledger.finish", "published", "finished")
    rows.step("the part file's name is removed", "finished", f"remove {part}")
    return rows.close(
        "finished",
        "A bundle is exported",
        "An export without its end is recorded as failed at the next start and its files are gone; the exporter asks "
        "again. What stands in the folder is exactly the finished bundles, and each verifies.",
        nothing="nothing was begun",
        part="an empty part file",
        announced="the log says that it was begun",
        covered="a signed checkpoint covers that",
        published="the bundle has its name, the log does not say so",
        finished="the log says that it is finished",
    )


def _audit() -> Section:
    rows = _Rows("audit", "nothing|begun")  # a second connection is opened once the run has begun
    rows.step("the folder and lock of the reports", "nothing", "make audits", "sync .", "create audits/lock")
    rows.replaced("what was asked", "audits/UUID.run", "nothing", "nothing", sync=False)
    rows.step("each of these files: the folder is synced", "nothing|begun", "sync audits")
    rows.transaction("the run begins", "Runs.begin", "nothing", "begun")
    rows.replaced("the report", "audits/UUID.json", "begun", "begun", sync=False)
    rows.replaced("its signature", "audits/UUID.p7s", "begun", "begun", sync=False)
    rows.transaction("the end and the report's digests are recorded", "Audits._record", "begun", "recorded")
    rows.step("what was asked is removed", "recorded", "remove audits/UUID.run")
    return rows.close(
        "recorded",
        "The archive is audited",
        "The interrupted run is gone on with or settled by the next audit of all files, which finds nothing.",
        nothing="no run is known",
        begun="a run is known that has not ended",
        recorded="the report is in the log",
    )


def _rotate() -> Section:
    rows = _Rows("rotate", "nothing")
    rows.step("the lock of the head", "nothing", "create head/lock")
    rows.step(
        "a folder for the new keys",
        "nothing|prepared|recorded",
        "make keys/next",
        "sync keys",
        "remove keys/next/plan.json",
    )
    rows.step("a new key file: written and synced under another name", "prepared", *_written("keys/next/.*.HEX"))
    rows.step("a new key file: linked into place", "prepared", "link keys/next/.*.HEX to keys/next/*")
    rows.step(
        "a new key file: is in place, the other name is removed",
        "prepared|recorded",
        "remove keys/next/.*.HEX",
        "sync keys/next",
    )
    rows.transaction("the change is recorded", "Rotations._record", "prepared", "recorded")
    rows.step(
        "the old key is put away", "recorded", "make keys/retired", "link keys/* to keys/retired/*", "sync keys/retired"
    )
    rows.step("the new key takes its place", "recorded", "rename keys/next/* to keys/*")
    rows.transaction("the keys in use are told", "Rotations._tell_in_use", "recorded", "recorded")
    rows.transaction("the checkpoint by the new keys", "Checkpointer._sign", "recorded", "recorded")
    rows.replaced("the head outside the database", "head/checkpoint", "recorded", "recorded")
    rows.step("the folder of the new keys is removed", "recorded", "remove keys/next")
    return rows.close(
        "rotated",
        "A key is rotated",
        "Before the log knows of the new key, it is thrown away; from then on the next start brings the change to its "
        "end. One key of each use is in use, the log names it, and the archive can sign and seal.",
        nothing="nothing was begun",
        prepared="new key files that the log does not know",
        recorded="the log knows the new key, the folder is being changed",
        rotated="all is done",
    )


def _stamp() -> Section:
    none, one, two = "0 stamped", "1 stamped", "2 stamped"
    some = f"{none}|{one}|{two}"
    rows = _Rows("stamp", some)  # the thread of each authority opens the database too
    rows.transaction("what waits is asked for again", "Stamps.again", none, none)
    rows.transaction("the newest checkpoint shall be stamped", "Timestamps._want_newest_checkpoint", none, none)
    rows.transaction("a stamp is claimed", "Stamps._take", some, some)
    rows.transaction("the authority's answer is kept", "Stamps.done", f"{none}|{one}", some)
    return rows.close(
        two,
        "Time stamps are asked for",
        "What has no token waits, and is asked for again; a token that was told is there, one for each subject and "
        "authority.",
        **{"0_stamped": "no token", "1_stamped": "one token", "2_stamped": "two tokens"},
    )


def _renew() -> Section:
    rows = _Rows("renew", "nothing")
    rows.step("the folder and lock of renewals", "nothing", "make renewals", "sync .", "create renewals/lock")
    rows.step("the lock of the head", "nothing", "create head/lock")
    rows.transaction("the checkpoint that is renewed", "Checkpointer._sign", "nothing", "nothing")
    rows.replaced("the head outside the database", "head/checkpoint", "nothing", "nothing")
    rows.transaction("its time stamp is wanted", "Renewals._renewed_checkpoint", "nothing", "nothing")
    rows.transaction("the stamp is claimed", "Stamps._take", "nothing", "nothing")
    rows.transaction("the authority's answer is kept", "Stamps.done", "nothing", "nothing")
    rows.step("the renewal's folder is made", "nothing|files", "make renewals/001", "sync renewals")
    rows.step("a file of the renewal: written and synced", "files", *_written("renewals/001/*"))
    rows.step("a file of the renewal: linked into place", "files", "link renewals/001/.*.HEX to renewals/001/*")
    rows.step("a file of the renewal: is in place", "files", "remove renewals/001/*", "sync renewals/001")
    rows.transaction("the renewal is recorded", "Renewals._make_tree", "files", "recorded")
    return rows.close(
        "recorded",
        "The log's history is renewed",
        "Files that the log does not know are reported as strays and never used; the next renewal is whole.",
        nothing="nothing was begun",
        files="files that the log does not know",
        recorded="the log knows the renewal",
    )


_TILE_FOLDERS: Final = tuple(
    f"{verb} mirror/tile{name}"
    for verb in ("make", "sync")
    for name in ("", "/N", "/entries", "/N/N.p", "/entries/N.p")
)


def _mirror() -> Section:
    rows = _Rows("mirror", "old")
    rows.step("the mirror's folder and lock", "old", "make mirror", "sync .", "create mirror/.lock")
    rows.step("the new entries go into a file without a name", "old", "create mirror/TEMP", "write mirror/TEMP")
    rows.step("folders of tiles", "old", *_TILE_FOLDERS)
    rows.step("a tile: written and synced under another name", "old", *_written("mirror/tile/*.HEX"))
    rows.step("a tile: renamed into place", "old", "rename mirror/tile/*.HEX to mirror/tile/*")
    rows.step("a tile: is in place", "old", "remove mirror/tile/*.HEX")
    for name in ("log.vkey", "README.txt"):
        rows.step(f"{name}: written and synced under another name", "old", *_written(f"mirror/.{name}.HEX"))
        rows.step(f"{name}: renamed into place", "old", f"rename mirror/.{name}.HEX to mirror/{name}")
        rows.step(f"{name}: is in place", "old", f"remove mirror/.{name}.HEX")
    rows.step("the checkpoint: written and synced under another name", "old", *_written("mirror/.checkpoint.HEX"))
    rows.step("the checkpoint: renamed into place", "old", "rename mirror/.checkpoint.HEX to mirror/checkpoint")
    rows.step("the checkpoint: is in place", "new", "remove mirror/.checkpoint.HEX")
    rows.step("the mirror's folder is synced", "old|new", "sync mirror")
    rows.step(
        "partial tiles that were superseded are removed",
        "new",
        "remove mirror/tile/*/N.p",
        "remove mirror/tile/*/N.p/N",
    )
    return rows.close(
        "new",
        "The log is exported as files (`catena log export`)",
        "Whoever reads the mirror finds a whole log at every moment, the old one or the new one; the next run goes on.",
        old="the mirror shows the log as of the last run (or nothing yet)",
        new="the mirror shows the new log",
    )


def _witness() -> Section:
    rows = _Rows("witness", "unsigned")
    rows.points.clear()
    rows.step("the state's lock", "unsigned", "create state.lock")
    rows.replaced("the state", "state.json", "unsigned", "signed")
    return Section(
        "A witness co-signs a checkpoint",
        "What was answered is in the state, so no smaller and no other tree is ever co-signed; the log asks again and "
        "gets its line.",
        {"unsigned": "the state knows the older checkpoint", "signed": "the state knows the new one"},
        tuple(rows.points),
    )


SECTIONS: Final[dict[str, Section]] = {
    "init": _init(),
    **_deposits(),
    "work": _work(),
    "checkpoint": _checkpoint(),
    "export": _export(),
    "audit": _audit(),
    "rotate": _rotate(),
    "stamp": _stamp(),
    "renew": _renew(),
    "mirror": _mirror(),
    "witness": _witness(),
}
POINTS: Final = tuple(point for section in SECTIONS.values() for point in section.points)
