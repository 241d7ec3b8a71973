"""Folders of auto-archiver: every form it writes, its hashes and its time stamps; altered files are told as such."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidInputError
from app.intake.checks import validated
from app.intake.collections.auto_archiver import bounded, read_auto_archiver
from app.intake.collections.auto_archiver_page import parse_page
from app.intake.collections.auto_archiver_records import parse_values
from app.intake.collections.entries import Check, Collection, Entry
from app.intake.collections.opening import opened
from tests.collectors import CONTENT, URL, AutoArchive, Stored, an_authority, ots_of, sha256, verdicts
from tests.tsa import LocalTsa

VIDEO, PHOTO = b"a video of nothing", b"a photo of nothing"


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    return LocalTsa(tmp_path_factory.mktemp("tsa"), an_authority("collectors"))


@pytest.fixture
def archive(tmp_path: Path, tsa: LocalTsa) -> AutoArchive:
    made = AutoArchive(tmp_path / "local_archive")
    made.add(
        "video.mp4",
        VIDEO,
        thumbnails=[Stored("thumb.jpg", b"thumb")],
        opentimestamp_files=[Stored("video.mp4.ots", ots_of(VIDEO))],
    )
    made.add("photo.jpg", PHOTO, "SHA3-512")
    made.add_json()
    made.stamp(tsa)
    return made


def by_name(collection: Collection) -> dict[str, Entry]:
    return {entry.name: entry for entry in collection.entries}


@pytest.mark.parametrize(("page", "database"), [(True, False), (True, True), (False, True)])
def test_media_come_with_what_is_stated_and_everything_that_belongs_to_them(
    archive: AutoArchive, tsa: LocalTsa, *, page: bool, database: bool
) -> None:
    with opened("auto_archiver", archive.write(page=page, database=database), roots=tsa.roots) as collection:
        found = by_name(collection)
    assert collection.problems == ()
    assert set(found) == {"video.mp4", "photo.jpg", *(["db.csv"] if database else [])}
    source = found["video.mp4"].source.as_record()
    assert (source["url"], source["caption"], source["tool"]) == (URL, CONTENT, "auto-archiver")
    assert source["posted_at"] == "2024-01-02T03:04:05+00:00"
    assert source["collected_at"] == "2024-01-03T08:00:00.000123+00:00"
    assert source.get("tool_version") == ("1.2.9" if page else None)
    assert "platform" not in source
    assert verdicts(found["video.mp4"].checks) == {
        "auto_archiver_hash": "passed",
        "opentimestamps": "not_checked",
        "rfc3161_timestamp": "passed",
    }
    assert verdicts(found["photo.jpg"].checks) == {"auto_archiver_hash": "passed", "rfc3161_timestamp": "passed"}
    kinds = {sidecar.path.name: sidecar.kind for sidecar in found["video.mp4"].sidecars}
    expected = {
        "thumb.jpg": "derived",
        "video.mp4.ots": "timestamp",
        "metadata.json": "json",
        "hashes.txt": "timestamp",
        "timestamp_token_tsa": "timestamp",
        "1-77.crt": "certificate",
    }
    assert kinds == expected | ({"formatted.html": "page"} if page else {})


def test_json_alone_finds_its_files_by_their_hashes(archive: AutoArchive) -> None:
    found = by_name(read_auto_archiver(archive.write(page=False)))
    assert verdicts(found["video.mp4"].checks)["auto_archiver_hash"] == "passed"
    assert found["video.mp4"].checks[0].record["found_by"] == "hash"
    unnamed = found["timestamp_token_tsa"]
    assert verdicts(unnamed.checks) == {"auto_archiver_hash": "not_checked"}
    assert unnamed.source.as_record() == {}


def test_an_altered_file_fails_its_hash_and_its_time_stamp(archive: AutoArchive, tsa: LocalTsa) -> None:
    root = archive.write()
    (root / archive.folder / "video.mp4").write_bytes(VIDEO + b"!")
    found = by_name(read_auto_archiver(root, tsa.roots))
    assert set(verdicts(found["video.mp4"].checks).values()) == {"failed"}
    assert set(verdicts(found["photo.jpg"].checks).values()) == {"passed"}


def test_a_time_stamp_passes_only_under_a_trusted_authority_and_over_these_hashes(
    archive: AutoArchive, tsa: LocalTsa
) -> None:
    root = archive.write()

    def verdict() -> tuple[str, str]:
        (check,) = [
            one
            for one in by_name(read_auto_archiver(root, roots))["photo.jpg"].checks
            if one.kind == "rfc3161_timestamp"
        ]
        return check.verdict, str(check.record.get("reason", ""))

    roots = list(tsa.roots)
    assert verdict() == ("passed", "")
    roots = list(an_authority("a stranger").roots)
    assert verdict()[0] == "not_checked"
    roots = []
    assert verdict()[0] == "not_checked"
    roots = list(tsa.roots)
    token = root / archive.folder / "timestamp_token_tsa"
    der = bytearray(token.read_bytes())
    der[-3] ^= 1  # in the signature, which stands last
    token.write_bytes(der)
    assert verdict()[0] == "failed"
    token.write_bytes(b"no token")
    assert verdict()[0] == "not_checked"
    hashes = root / archive.folder / "hashes.txt"
    hashes.write_bytes(hashes.read_bytes() + b"\n")
    token.write_bytes(bytes(archive.media[-2].properties["timestamp_authority_files"][0].data))
    assert verdict() == ("failed", "the token is over another list of hashes")


def test_what_is_named_and_not_there_is_told_and_what_is_there_and_not_named_is_taken(archive: AutoArchive) -> None:
    root = archive.write(database=True)
    (root / archive.folder / "photo.jpg").unlink()
    (root / archive.folder / "extra.png").write_bytes(b"extra")
    collection = read_auto_archiver(root)
    assert ("file_missing", f"local_archive/{archive.folder}/photo.jpg") in [
        (problem.code, problem.where) for problem in collection.problems
    ]
    assert verdicts(by_name(collection)["extra.png"].checks) == {"auto_archiver_hash": "not_checked"}


def test_a_time_without_an_offset_is_not_taken_for_utc(archive: AutoArchive) -> None:
    archive.metadata["timestamp"] = "2024-01-02 03:04:05"
    del archive.media[2]  # the JSON, which states another
    source = by_name(read_auto_archiver(archive.write()))["video.mp4"].source
    assert source.posted_at is None


def test_a_content_that_is_too_long_is_said_to_be_so_and_not_cut(archive: AutoArchive) -> None:
    archive.metadata["content"] = "x" * 20_001
    del archive.media[2]  # the JSON, which states another
    source = by_name(read_auto_archiver(archive.write()))["video.mp4"].source
    assert source.caption is None
    assert "20001 characters" in str(source.note)


def test_a_statement_that_cannot_be_is_told_and_left_out(archive: AutoArchive) -> None:
    archive.metadata["url"] = "javascript:alert(1)"
    collection = read_auto_archiver(archive.write())
    assert by_name(collection)["video.mp4"].source.url is None
    assert "statement_unreadable" in {problem.code for problem in collection.problems}


def test_an_address_of_which_only_the_page_was_kept_is_kept(tmp_path: Path) -> None:
    (entry,) = read_auto_archiver(AutoArchive(tmp_path / "local_archive").write()).entries
    assert (entry.name, entry.source.url) == ("formatted.html", URL)
    assert verdicts(entry.checks) == {"auto_archiver_hash": "not_checked"}


def hashed(data: bytes) -> str:
    return f"SHA-256:{sha256(data)}"


def medium(key: str, data: bytes, **inner: list[dict[str, Any]]) -> dict[str, Any]:
    return {"filename": key, "_key": key, "properties": {"hash": hashed(data), "id": key, **inner}}


def record(path: Path, url: str, *media: dict[str, Any]) -> None:
    path.write_text(json.dumps({"metadata": {"url": url}, "media": media}), encoding="utf-8")


def test_what_belongs_to_a_medium_that_is_missing_is_kept_by_itself(tmp_path: Path) -> None:
    (tmp_path / "thumb.jpg").write_bytes(PHOTO)
    record(tmp_path / "m.json", URL, medium("gone.mp4", VIDEO, thumbnails=[medium("thumb.jpg", PHOTO)]))
    found = by_name(read_auto_archiver(tmp_path))
    assert found["thumb.jpg"].source.url == URL
    assert verdicts(found["thumb.jpg"].checks) == {"auto_archiver_hash": "passed"}


@pytest.mark.parametrize("url", [URL, "https://example.org/other"])
def test_what_two_records_say_of_a_file_is_put_together_and_a_failed_check_stays(tmp_path: Path, url: str) -> None:
    for name, data in (("a.jpg", PHOTO), ("t1.jpg", b"1"), ("t2.jpg", VIDEO)):
        (tmp_path / name).write_bytes(data)
    record(tmp_path / "m1.json", URL, medium("a.jpg", PHOTO, thumbnails=[medium("t1.jpg", b"1")]))
    record(tmp_path / "m2.json", url, medium("a.jpg", VIDEO, thumbnails=[medium("t2.jpg", VIDEO)]))
    collection = read_auto_archiver(tmp_path)
    (entry,) = collection.entries
    assert [check.verdict for check in entry.checks] == ["passed", "failed"]
    assert {one.path.name for one in entry.sidecars} == {"t1.jpg", "t2.jpg", "m1.json", "m2.json"}
    assert [problem.code for problem in collection.problems] == ["named_twice"]


def test_a_file_goes_to_the_record_that_names_it_whole_and_not_to_the_first_that_names_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PHOTO)
    record(tmp_path / "m1.json", "https://example.org/wrong", medium("other/a.jpg", VIDEO))
    record(tmp_path / "m2.json", "https://example.org/right", medium("a.jpg", PHOTO))
    collection = read_auto_archiver(tmp_path)
    found = by_name(collection)["a.jpg"]
    assert found.source.url == "https://example.org/right"
    assert [(check.verdict, check.record["found_by"]) for check in found.checks] == [("passed", "name")]
    assert [(problem.code, problem.where) for problem in collection.problems] == [("file_missing", "other/a.jpg")]


def test_a_stated_hash_counts_for_more_than_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(VIDEO)
    (tmp_path / "a (1).jpg").write_bytes(PHOTO)
    record(tmp_path / "m.json", URL, medium("a.jpg", PHOTO))
    collection = read_auto_archiver(tmp_path)
    found = by_name(collection)
    assert found["a (1).jpg"].source.url == URL
    assert found["a (1).jpg"].checks[0].record["found_by"] == "hash"
    assert found["a.jpg"].source.url is None
    assert [(problem.code, problem.where) for problem in collection.problems] == [("named_otherwise", "a.jpg")]


def test_two_addresses_that_share_a_file_are_told(tmp_path: Path) -> None:
    root = tmp_path / "local_archive"
    for url in ("https://example.org/1", "https://example.org/2"):
        one = AutoArchive(root, "same")
        one.metadata = one.metadata | {"url": url}
        one.add("video.mp4", VIDEO)
        one.write(page=False, database=True)
    collection = read_auto_archiver(root)
    assert by_name(collection)["video.mp4"].source.url == "https://example.org/1"
    assert [problem.code for problem in collection.problems] == ["named_twice"]


@pytest.mark.parametrize("hostile", ["deep json", "deep literal", "code", "many tags", "endless list"])
def test_hostile_records_are_told_or_passed_over_at_once(tmp_path: Path, hostile: str) -> None:
    made = AutoArchive(tmp_path / "local_archive")
    made.add("video.mp4", VIDEO)
    root = made.write()
    if hostile == "deep json":
        (root / "evil.json").write_text('{"media": ' * 50_000, encoding="utf-8")
    elif hostile in {"deep literal", "code"}:
        value = "[" * 50_000 if hostile == "deep literal" else f"open('{tmp_path}/owned', 'w')"
        (root / "db.csv").write_text(f'status,metadata,media\nok,"{value}",[]\n', encoding="utf-8")
    else:
        tags = "<" * 300_000 if hostile == "many tags" else "<ul><li><b>key:</b>" * 20_000
        page = f'bellingcat/auto-archiver <span class="copy">u</span><table class="content">{tags}'
        (root / "evil.html").write_text(page, encoding="utf-8")
    begun = time.monotonic()
    collection = read_auto_archiver(root)
    assert time.monotonic() - begun < 20
    assert "video.mp4" in by_name(collection)
    assert not (tmp_path / "owned").exists()


def test_only_plain_values_are_read_of_a_row() -> None:
    assert parse_values("{'a': [1, 'x', None], 'b': datetime.datetime(2024, 1, 2, 3, 4)}") == {
        "a": [1, "x", None],
        "b": "2024-01-02T03:04:00",
    }
    assert parse_values("{'a': open('/etc/passwd'), 'b': 1 + 1}") == {"a": None, "b": None}
    for text in ("{", "[" * 50_000, "x" * (1 << 21), "\x00", "lambda: 0 +"):
        with pytest.raises(InvalidInputError) as refused:
            parse_values(text)
        assert refused.value.code == "bad_values"


def test_a_page_of_somebody_else_is_none() -> None:
    assert parse_page("<html>hello</html>", "x") is None


@pytest.mark.parametrize("name", ["a.jpg", "data.json", "list.csv"])
def test_a_folder_without_a_record_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps({"media": 1, "metadata": {}}), encoding="utf-8")
    with pytest.raises(InvalidInputError) as refused:
        read_auto_archiver(tmp_path)
    assert refused.value.code == "not_auto_archiver"


def test_of_too_many_checks_those_that_failed_are_recorded() -> None:
    passed, failed = Check("a", "passed", {}), Check("b", "failed", {"reason": "why"})
    kept = validated(bounded([*[passed] * 90, failed]))
    assert len(kept) == 50
    assert failed in kept
    assert "42 further" in str(kept[-1].record["reason"])
    assert bounded([passed] * 50) == (passed,) * 50
