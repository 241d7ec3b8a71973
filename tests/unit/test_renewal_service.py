"""Renewals of a real archive: everything is covered, nothing is half done, and nothing false is recorded."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from app.errors import CatenaError, ConflictError, DeniedError, EnvironmentFailedError
from evidence_store.timestamps.ers import holds_until
from tests.archives import events_of, person
from tests.checks import assert_clean
from tests.renewals import Stage, lasting, stage
from tests.tsa import LocalTsa, authority


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Stage]:
    """An archive that asks one authority, with two items."""
    with stage(tmp_path) as made:
        made.deposit(b"a photo")
        made.deposit(b"another")
        yield made
        assert_clean(made.services)


def refused(code: str, act: Callable[[], object]) -> str:
    with pytest.raises(CatenaError) as caught:
        act()
    assert caught.value.code == code, caught.value
    return caught.value.detail


def folders(at: Stage) -> list[str]:
    return sorted(path.name for path in at.renewals.iterdir() if path.is_dir()) if at.renewals.exists() else []


def sql(at: Stage, statement: str) -> None:
    with closing(connect(at.services.archive.settings.data / "catena.db")) as connection, connection:
        assert connection.execute(statement).rowcount >= 1


# -- what is covered --------------------------------------------------------------------------


def test_every_object_of_the_log_is_covered_with_all_its_events(one: Stage) -> None:
    objects = one.objects()
    before = {about: len(one.events(about)) for about in objects}
    one.services.renewals.renew(one.admin)
    files = one.files(*objects)
    for about in objects:
        count, tokens = one.verify(files, 1, about)
        assert count == before[about]
        assert [token.imprint_algorithm for token in tokens] == ["sha512"]
    assert one.verify_checkpoint(files, 1)


def test_every_authority_stamps_over_those_before_it_shortest_life_first(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("alpha", lasting("alpha", 3000))
        at.ask("beta", lasting("beta", 1000))
        at.ask("gamma", lasting("gamma", 2000))
        item = at.deposit(b"a photo").item.id
        outcome = at.services.renewals.renew(at.admin)
        assert outcome.tree is not None
        assert [stamp.authority for stamp in outcome.tree.stamps] == ["beta", "gamma", "alpha"]
        _, tokens = at.verify(at.files(f"item:{item}"), 1, f"item:{item}")
        assert len(tokens) == 3
        assert holds_until(tokens) == outcome.tree.holds_until
        assert abs(outcome.tree.holds_until - datetime.now(UTC) - timedelta(days=3000)) < timedelta(minutes=5)
        assert_clean(at.services)


def test_the_event_names_each_file_and_the_row_is_bound(one: Stage) -> None:
    one.services.renewals.renew(one.admin)
    (details,) = one.told()
    outputs = details["outputs"]
    assert isinstance(outputs, list)
    named = {output["file"]: (output["sha256"], output["sha512"], output["size"]) for output in outputs}
    on_disk = {
        path.name: (hashlib.sha256(data).hexdigest(), hashlib.sha512(data).hexdigest(), len(data))
        for path in (one.renewals / "001").iterdir()
        for data in [path.read_bytes()]
    }
    assert named == on_disk
    assert set(named) == {"checkpoint", "checkpoint.first.tst", "objects", "tree", "stamp-001.first.tst"}
    assert details["root"] == (one.renewals / "001" / "tree").read_bytes()[-64:].hex()
    bound = details["rows"]
    assert isinstance(bound, list)
    assert bound[0][:2] == ["renewal", "1"]


def test_files_of_a_renewal_cannot_be_written_to(one: Stage) -> None:
    one.services.renewals.renew(one.admin)
    assert {path.stat().st_mode & 0o777 for path in (one.renewals / "001").iterdir()} == {0o400}


def test_bundle_gets_of_each_object_only_the_records_that_add_something(one: Stage) -> None:
    quiet, busy = (one.deposit(data).item.id for data in (b"quiet", b"busy"))
    one.services.renewals.renew(one.admin)
    one.read(busy)
    one.services.renewals.renew(one.admin)
    one.services.renewals.renew(one.admin)
    late = one.deposit(b"late").item.id
    one.services.renewals.renew(one.admin)
    files = one.files(f"item:{quiet}", f"item:{busy}", f"item:{late}", "item:none")
    records = sorted(path for path in files if path.endswith(".ers") and not path.endswith("checkpoint.ers"))
    assert records == sorted(
        [
            f"custody/renewals/001/item_{quiet}.ers",
            f"custody/renewals/001/item_{busy}.ers",
            f"custody/renewals/002/item_{busy}.ers",
            f"custody/renewals/004/item_{late}.ers",
        ]
    )
    total = len(one.events(f"item:{busy}"))
    assert one.verify(files, 1, f"item:{busy}")[0] == total - 1
    assert one.verify(files, 2, f"item:{busy}")[0] == total
    for number in (1, 2, 4):
        assert one.verify_checkpoint(files, number)


def test_bundle_of_an_earlier_checkpoint_knows_of_no_later_renewal(one: Stage) -> None:
    item = one.deposit(b"a photo").item.id
    size = one.size()
    one.services.renewals.renew(one.admin)
    assert one.services.renewals.files_for([f"item:{item}"], size) == []
    assert one.services.renewals.files_for([f"item:{item}"], one.size())
    assert one.services.renewals.files_for([], one.size()) == []


def test_standing_tells_what_is_covered_and_until_when(one: Stage) -> None:
    nothing = one.services.renewals.standing(one.admin)
    assert (nothing.renewals, nothing.due) == ([], [])
    one.services.renewals.renew(one.admin)
    now = one.services.renewals.standing(person(one.services, "ann", "auditor"))
    (renewal,) = now.renewals
    assert renewal.tree_size == renewal.leaf_index
    assert now.log_size == renewal.tree_size + 2  # the renewal's own event, and the new user's
    assert renewal.holds_until == datetime(2049, 1, 1, tzinfo=UTC)


# -- who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["investigator", "legal", "auditor"])
def test_who_is_no_administrator_may_not_renew_and_the_attempt_is_recorded(one: Stage, role: str) -> None:
    somebody = person(one.services, "sam", role)  # type: ignore[arg-type]
    with pytest.raises(DeniedError):
        one.services.renewals.renew(somebody)
    last = events_of(one.services, one.services.archive.about)[-1]
    assert (last.type, last.details) == ("access denied", {"attempted": "renewal.run"})
    assert folders(one) == []


# -- when it cannot be done -------------------------------------------------------------------


def test_without_an_authority_nothing_is_begun(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        assert "catena tsa add" in refused("no_tsa", lambda: at.services.renewals.renew(at.admin))
        assert folders(at) == []
        assert at.told() == []
        assert_clean(at.services)


def test_when_no_authority_answers_well_nothing_is_recorded_and_nothing_left(one: Stage) -> None:
    for mode in ("garbage", "error", "refuse", "other bytes", "wrong nonce", "redirect"):
        one.tsas["first"].mode = mode
        assert "first: " in refused("tsa_unreachable", lambda: one.services.renewals.renew(one.admin))
        assert folders(one) == []
    assert one.told() == []
    one.tsas["first"].mode = "up"
    assert one.services.renewals.renew(one.admin).tree is not None


def test_authority_that_is_down_is_named_and_the_other_stamps(one: Stage) -> None:
    one.ask("second").stop()
    outcome = one.services.renewals.renew(one.admin)
    assert outcome.tree is not None
    assert [stamp.authority for stamp in outcome.tree.stamps] == ["first"]
    assert "tsa_unreachable" in outcome.silent["second"]


def test_authority_whose_files_were_altered_is_named_and_the_other_stamps(one: Stage) -> None:
    one.ask("second")
    pem = one.services.archive.settings.tsas / "second.pem"
    kept = pem.read_bytes()
    pem.write_bytes(authority("stranger").roots_pem)
    outcome = one.services.renewals.renew(one.admin)
    assert outcome.tree is not None
    assert [stamp.authority for stamp in outcome.tree.stamps] == ["first"]
    assert "timestamp_authority_altered" in outcome.silent["second"]
    first = pem.with_name("first.pem")
    first.unlink()
    why = refused("no_tsa", lambda: one.services.renewals.renew(one.admin))
    assert "first: tsa_damaged" in why
    assert "second: timestamp_authority_altered" in why
    first.write_bytes(one.tsas["first"].authority.roots_pem)
    pem.write_bytes(kept)


def test_authority_that_knows_no_sha512_is_named(one: Stage) -> None:
    one.ask("old").digests = "sha256"
    outcome = one.services.renewals.renew(one.admin)
    assert outcome.tree is not None
    assert [stamp.authority for stamp in outcome.tree.stamps] == ["first"]
    assert "old" in outcome.silent


def test_authority_with_another_root_than_ours_is_not_believed(one: Stage) -> None:
    other = one.stack.enter_context(LocalTsa(one.folder / "tsa-other", authority("other")))
    roots = one.tsas["first"].authority.roots_pem
    one.services.timestamps.add(one.admin.actor, "other", other.url, roots, try_it=False)
    outcome = one.services.renewals.renew(one.admin)
    assert "timestamp_untrusted" in outcome.silent["other"]


def test_nothing_is_renewed_under_roots_that_the_log_does_not_name(one: Stage) -> None:
    pem = one.services.archive.settings.tsas / "first.pem"
    kept = pem.read_bytes()
    pem.write_bytes(authority("evil").roots_pem)
    with pytest.raises(ConflictError, match="first: timestamp_authority_altered") as caught:
        one.services.renewals.renew(one.admin)
    pem.write_bytes(kept)
    assert caught.value.code == "no_tsa"
    assert one.services.renewals.renew(one.admin).tree is not None


def test_event_changed_behind_the_logs_back_stops_the_renewal(tmp_path: Path) -> None:
    with stage(tmp_path) as at:
        at.deposit(b"a photo")
        sql(at, "UPDATE custody_event SET object = 'item:x' WHERE object LIKE 'item:%' AND object_seq = 1")
        refused("log_damaged", lambda: at.services.renewals.renew(at.admin))
        assert folders(at) == []
        assert at.told() == []


def test_two_renewals_at_a_time_are_refused(one: Stage) -> None:
    one.renewals.mkdir(mode=0o700)
    with (one.renewals / "lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused("renewal_running", lambda: one.services.renewals.renew(one.admin))
    assert one.services.renewals.renew(one.admin).tree is not None


def test_folder_that_a_killed_process_left_is_passed_over(one: Stage) -> None:
    left = one.renewals / "001"
    left.mkdir(parents=True)
    (left / "tree").write_bytes(b"half")
    outcome = one.services.renewals.renew(one.admin)
    assert outcome.tree is not None
    assert outcome.tree.number == 2
    assert (left / "tree").read_bytes() == b"half"
    strays = [f["subject"] for f in one.services.audits.run(one.admin)["findings"] if f["code"] == "renewal_stray"]
    assert strays == ["001"]


def test_failure_to_record_leaves_nothing_behind(one: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise EnvironmentFailedError("storage_full", "the database has no room left", status=507)

    with monkeypatch.context() as patch:
        patch.setattr(type(one.services.archive.custody), "record", fail)
        refused("storage_full", lambda: one.services.renewals.renew(one.admin))
    assert folders(one) == []
    assert one.services.renewals.renew(one.admin).tree is not None


def test_checkpoint_is_renewed_without_a_token_when_its_authority_is_silent(
    one: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(one.services.timestamps), "obtain", lambda *_: [])
    one.services.renewals.renew(one.admin)
    files = one.files(*one.objects())
    assert [path for path in files if path.endswith(".tst")] == []
    assert one.verify_checkpoint(files, 1)


# -- renewing what was renewed ----------------------------------------------------------------


def test_time_stamp_of_an_older_tree_is_renewed_before_its_certificate_expires(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("brief", lasting("brief", 100))
        item = at.deposit(b"a photo").item.id
        at.services.renewals.renew(at.admin)
        assert [due.renewal for due in at.services.renewals.standing(at.admin).due] == [1]
        assert at.services.renewals.standing(at.admin, days=90).due == []
        at.ask("long")
        outcome = at.services.renewals.renew(at.admin, due_only=True)
        assert outcome.tree is None
        assert [stamp.authority for stamp in outcome.stamps[1]] == ["brief", "long"]
        assert at.services.renewals.standing(at.admin).due == []
        _, tokens = at.verify(at.files(f"item:{item}"), 1, f"item:{item}")
        assert len(tokens) == 3
        assert holds_until(tokens) == datetime(2049, 1, 1, tzinfo=UTC)
        assert [sorted(told) for told in at.told()][1] == ["outputs", "renewal", "stamps"]
        assert_clean(at.services)


def test_renewal_that_gains_nothing_is_not_made(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("brief", lasting("brief", 100))
        at.services.renewals.renew(at.admin)
        outcome = at.services.renewals.renew(at.admin, due_only=True)
        assert outcome.stamps == {}
        assert "a newer certificate" in outcome.problems[0]
        assert len(at.told()) == 1
        assert_clean(at.services)


def test_everything_that_is_due_is_done_with_a_fresh_tree_beside(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("brief", lasting("brief", 100))
        at.services.renewals.renew(at.admin)
        at.ask("long")
        at.ask_no_more("brief")
        outcome = at.services.renewals.renew(at.admin)
        assert sorted(outcome.stamps) == [1]
        assert outcome.tree is not None
        assert outcome.tree.number == 2
        assert_clean(at.services)


def test_tree_whose_time_stamp_has_lapsed_is_told_and_cannot_be_renewed(tmp_path: Path) -> None:
    now = [datetime.now(UTC)]
    with stage(tmp_path, (), clock=lambda: now[0]) as at:
        at.ask("brief", lasting("brief", 100))
        at.services.renewals.renew(at.admin)
        now[0] += timedelta(days=101)
        at.ask("long")
        assert [due.renewal for due in at.services.renewals.standing(at.admin).due if due.renewal] == []
        report = at.services.audits.run(at.admin)
        assert [f["subject"] for f in report["findings"] if f["code"] == "renewal_lapsed"] == ["renewal 1"]


def test_only_what_is_due_is_done_when_only_that_is_asked(one: Stage) -> None:
    outcome = one.services.renewals.renew(one.admin, due_only=True)
    assert (outcome.tree, outcome.stamps, outcome.reasons) == (None, {}, [])
    assert folders(one) == []


def test_checkpoints_whose_certificate_expires_make_a_tree_due(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("brief", lasting("brief", 100))
        at.deposit(b"a photo")
        at.size()
        at.services.timestamps.work()
        (due,) = at.services.renewals.standing(at.admin).due
        assert due.renewal is None
        assert at.services.renewals.standing(at.admin, days=50).due == []
        at.ask("long")
        assert at.services.renewals.renew(at.admin, due_only=True).tree is not None
        assert at.services.renewals.standing(at.admin, days=120).due == []


# -- files that are not what they were --------------------------------------------------------


def damages(data: bytes) -> list[bytes | None]:
    """A file that is gone, cut, and changed in every part (the first byte of 64, and names of items)."""
    other = [bytes(each ^ 1 if place % 64 == 0 else each for place, each in enumerate(data))]
    return [None, data[:-1], *other, *([data.replace(b"item:", b"iten:")] if b"item:" in data else [])]


def test_damaged_renewal_gives_a_bundle_nothing(tmp_path: Path) -> None:
    with stage(tmp_path) as at:
        item = at.deposit(b"a photo").item.id
        at.services.renewals.renew(at.admin)
        good = at.files(f"item:{item}")
        for path in sorted((at.renewals / "001").iterdir()):
            data = path.read_bytes()
            for damage in damages(data):
                path.unlink()
                if damage is not None:
                    path.write_bytes(damage)
                refused("renewal_damaged", lambda: at.files(f"item:{item}"))
                path.write_bytes(data)
        assert at.files(f"item:{item}") == good


@pytest.mark.parametrize("damage", ["token", "roots"])
def test_damaged_renewal_does_not_keep_the_history_from_being_renewed(tmp_path: Path, damage: str) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("brief", lasting("brief", 100))
        at.services.renewals.renew(at.admin)
        at.ask("long")
        at.ask_no_more("brief")
        if damage == "token":
            (at.renewals / "001" / "stamp-001.brief.tst").unlink()
        else:
            (at.services.archive.settings.tsas / "brief.pem").unlink()
        outcome = at.services.renewals.renew(at.admin)
        assert outcome.tree is not None
        (problem,) = outcome.problems
        assert "renewal 1 cannot be renewed" in problem
        assert ("renewal_damaged" if damage == "token" else "timestamp_untrusted") in problem


def test_row_that_no_event_records_is_named(tmp_path: Path) -> None:
    with stage(tmp_path) as at:
        at.services.renewals.renew(at.admin)
        sql(at, "UPDATE custody_event SET type = 'annotation' WHERE type = 'evidence renewal'")
        refused("renewal_damaged", lambda: at.services.renewals.standing(at.admin))


def test_event_of_a_renewal_without_its_row_is_named(tmp_path: Path) -> None:
    with stage(tmp_path) as at:
        at.services.renewals.renew(at.admin)
        sql(at, "DELETE FROM renewal")
        refused("renewal_damaged", lambda: at.services.renewals.standing(at.admin))
