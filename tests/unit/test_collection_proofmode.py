"""ProofMode bundles: what was signed is checked, what cannot be checked is said, and what is hostile is refused."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.errors import InvalidInputError
from app.intake.checks import validated
from app.intake.collections.entries import Entry
from app.intake.collections.opening import opened
from app.intake.collections.openpgp import judge
from app.intake.collections.proofmode import read_proofmode
from app.intake.collections.reading import read_entries
from app.intake.collections.unpacking import PREFIX, clear_left_over, folder_to_unpack
from schemas.records.v1.source import SourceContext
from tests.collectors import PgpKey, ProofBundle, pgp_key, sha256, verdicts

PHOTO = b"a photo of nobody"


@pytest.fixture(scope="module")
def key() -> Iterator[PgpKey]:
    with pgp_key() as made:
        yield made


@pytest.fixture(scope="module")
def made(key: PgpKey) -> dict[str, bytes]:
    bundle = ProofBundle(key)
    bundle.add("IMG_1.jpg", PHOTO)
    return bundle.files


@pytest.fixture
def bundle(key: PgpKey, made: dict[str, bytes]) -> ProofBundle:
    return ProofBundle(key, dict(made))


def test_a_sound_bundle_passes_where_something_was_shown_and_nowhere_else(bundle: ProofBundle, tmp_path: Path) -> None:
    with opened("proofmode", bundle.zip(tmp_path / "b.zip"), scratch=tmp_path) as collection:
        (entry,) = collection.entries
        assert entry.path.read_bytes() == PHOTO
        assert entry.name == "IMG_1.jpg"
        kinds = sorted((sidecar.kind, sidecar.path.name.replace(sha256(PHOTO), "H")) for sidecar in entry.sidecars)
    assert not entry.path.exists()
    assert collection.problems == ()
    assert verdicts(entry.checks) == {
        "proofmode_name": "passed",
        "proofmode_hash": "passed",
        "proofmode_signature_medium": "passed",
        "proofmode_signature_json": "passed",
        "proofmode_signature_csv": "passed",
        "opentimestamps": "not_checked",
        "proofmode_attestation": "not_checked",
    }
    assert {check.record["sha256"] for check in entry.checks} == {sha256(PHOTO)}
    signed = [check for check in entry.checks if "signature" in check.kind]
    assert all(str(check.record["key_vouched_for"]).startswith("no:") for check in signed)
    assert all("reason" in check.record for check in entry.checks if check.verdict != "passed")
    assert kinds == [
        ("attestation", "H.gst"),
        ("instructions", "HowToVerifyProofData.txt"),
        ("key", "pubkey.asc"),
        ("proof", "H.asc"),
        ("proof", "H.proof.csv"),
        ("proof", "H.proof.csv.asc"),
        ("proof", "H.proof.json"),
        ("proof", "H.proof.json.asc"),
        ("timestamp", "H.ots"),
    ]
    source = entry.source.as_record()
    assert (source["tool"], source["tool_version"]) == ("ProofMode", "2.0.3")
    assert source["collecting_machine"] == "google Pixel 7"
    assert not {"collected_at", "posted_at", "platform", "url"} & set(source)


def test_an_altered_medium_fails_every_check_of_it(bundle: ProofBundle, tmp_path: Path) -> None:
    bundle.files["IMG_1.jpg"] = PHOTO + b"!"
    (entry,) = read_proofmode(bundle.folder(tmp_path / "b")).entries
    told = verdicts(entry.checks)
    assert told["proofmode_name"] == told["proofmode_hash"] == told["proofmode_signature_medium"] == "failed"
    assert told["opentimestamps"] == "failed"
    assert told["proofmode_signature_json"] == "passed"


def test_an_altered_proof_fails_its_signature(bundle: ProofBundle, tmp_path: Path) -> None:
    name = f"{sha256(PHOTO)}.proof.json"
    bundle.files[name] = bundle.files[name].replace(b"48.1", b"48.2")
    (entry,) = read_proofmode(bundle.folder(tmp_path / "b")).entries
    assert verdicts(entry.checks)["proofmode_signature_json"] == "failed"
    assert verdicts(entry.checks)["proofmode_signature_medium"] == "passed"


def test_another_key_than_the_bundles_fails(bundle: ProofBundle, tmp_path: Path) -> None:
    with pgp_key() as other:
        bundle.files["pubkey.asc"] = other.public
    (entry,) = read_proofmode(bundle.folder(tmp_path / "b")).entries
    (reason,) = {str(check.record["reason"]) for check in entry.checks if "signature" in check.kind}
    assert verdicts(entry.checks)["proofmode_signature_medium"] == "failed"
    assert reason == "another key signed than the bundle's"


def test_a_signature_over_a_weak_digest_does_not_pass(tmp_path: Path) -> None:
    with pgp_key(digest="SHA1") as weak:
        made = ProofBundle(weak)
        made.add("IMG_1.jpg", PHOTO)
        (entry,) = read_proofmode(made.folder(tmp_path / "b")).entries
    assert verdicts(entry.checks)["proofmode_signature_medium"] == "not_checked"


@pytest.mark.parametrize("how", ["no key", "garbage key", "garbage signature", "no signature", "no gpgv"])
def test_what_cannot_be_verified_never_passes(
    bundle: ProofBundle, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = f"{sha256(PHOTO)}.asc"
    if how == "no key":
        del bundle.files["pubkey.asc"]
    elif how == "garbage key":
        bundle.files["pubkey.asc"] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----"
    elif how == "garbage signature":
        bundle.files[signature] = b"no signature"
    elif how == "no signature":
        del bundle.files[signature]
    else:
        monkeypatch.setattr("app.intake.collections.openpgp.shutil.which", lambda _: None)
    (entry,) = read_proofmode(bundle.folder(tmp_path / "b")).entries
    (check,) = [check for check in entry.checks if check.kind == "proofmode_signature_medium"]
    assert check.verdict == "not_checked"
    assert check.record["reason"]


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (b"", 0, "not_checked"),
        (b"[GNUPG:] GOODSIG AA x", 0, "not_checked"),
        (b"[GNUPG:] GOODSIG AA x\n[GNUPG:] VALIDSIG FP 2024-01-01 1 0 4 0 22 8 00 FP", 0, "passed"),
        (b"[GNUPG:] GOODSIG AA x\n[GNUPG:] VALIDSIG FP 2024-01-01 1 0 4 0 22 8 00 FP", 1, "not_checked"),
        (
            b"[GNUPG:] GOODSIG AA x\n[GNUPG:] VALIDSIG FP 2024-01-01 1 0 4 0 22 8 00 FP\n[GNUPG:] BADSIG BB y",
            0,
            "failed",
        ),
        (b"[GNUPG:] REVKEYSIG AA x\n[GNUPG:] VALIDSIG FP 2024-01-01 1 0 4 0 22 8 00 FP", 0, "failed"),
        (b"[GNUPG:] EXPKEYSIG AA x\n[GNUPG:] VALIDSIG FP 2024-01-01 1 0 4 0 22 8 00 FP", 0, "not_checked"),
        (b"[GNUPG:] ERRSIG AA 22 8 00 1 4 -", 2, "not_checked"),
        (b"[GNUPG:] ERRSIG AA 22 8 00 1 9 -", 2, "failed"),
    ],
)
def test_only_one_good_signature_passes(status: bytes, code: int, verdict: str) -> None:
    assert judge(status, code)[0] == verdict


def test_files_and_proofs_that_do_not_belong_together_are_told(bundle: ProofBundle, tmp_path: Path) -> None:
    bundle.files["IMG_2.jpg"] = bundle.files.pop("IMG_1.jpg") + b"cut"
    collection = read_proofmode(bundle.folder(tmp_path / "b"))
    entry, proof = collection.entries
    assert verdicts(entry.checks) == {"proofmode_hash": "not_checked"}
    assert proof.name == f"{sha256(PHOTO)}.proof.json"
    assert verdicts(proof.checks) == {
        "proofmode_hash": "not_checked",
        "proofmode_signature_medium": "not_checked",
        "proofmode_signature_json": "passed",
    }
    assert {entry.path, proof.path, *(one.path for one in proof.sidecars)} == set((tmp_path / "b").iterdir())
    assert [(problem.code, problem.where) for problem in collection.problems] == [("file_missing", sha256(PHOTO))]


def test_a_proof_that_cannot_be_read_is_told_and_nothing_passes_by_it(bundle: ProofBundle, tmp_path: Path) -> None:
    bundle.files[f"{sha256(PHOTO)}.proof.json"] = b"[" * 100_000
    bundle.files[f"{sha256(PHOTO)}.proof.csv"] = b"\xff\xfe\x00"
    collection = read_proofmode(bundle.folder(tmp_path / "b"))
    assert verdicts(collection.entries[0].checks)["proofmode_hash"] == "not_checked"
    assert {problem.code for problem in collection.problems} == {"proof_unreadable"}


def test_each_bundle_of_a_folder_is_checked_with_its_own_key(bundle: ProofBundle, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    with pgp_key() as key:
        other = ProofBundle(key)
        other.add("IMG_1.jpg", b"another photo")
    other.folder(tmp_path / "all" / "1")
    bundle.folder(tmp_path / "all" / "2")
    keyless = {name: data for name, data in bundle.files.items() if name != "pubkey.asc"}
    ProofBundle(bundle.key, keyless).folder(tmp_path / "all" / "3")  # the same photo, with a proof of its own
    collection = read_proofmode(tmp_path / "all")
    assert collection.problems == ()
    told = [verdicts(entry.checks)["proofmode_signature_medium"] for entry in collection.entries]
    assert told == ["passed", "passed", "not_checked"]
    for entry in collection.entries:
        assert {entry.path, *(one.path for one in entry.sidecars)} == set(entry.path.parent.iterdir())


def test_a_proof_is_put_on_no_other_file_of_the_same_name(bundle: ProofBundle, tmp_path: Path) -> None:
    """One phone's proof says nothing of the other phone's IMG_1.jpg, whether the proof's own file is there or not."""
    for name in ("ben", "carl"):
        (tmp_path / "all" / name).mkdir(parents=True)
        (tmp_path / "all" / name / "IMG_1.jpg").write_bytes(f"{name}'s photo".encode())
    ana = bundle.folder(tmp_path / "all" / "ana")
    moved = tmp_path / "all" / "ana" / "sorted.jpg"
    for _ in ("with its own file", "its own file renamed, another in its place"):
        mine, ben, carl = _of_folders(tmp_path / "all", "ana", "ben", "carl")
        for entry in (ben, carl):
            assert verdicts(entry.checks) == {"proofmode_hash": "not_checked"}
            assert (entry.source, entry.sidecars) == (SourceContext(), ())
        assert "failed" not in verdicts(mine.checks).values()
        if not moved.exists():
            (ana / "IMG_1.jpg").rename(moved)
            (ana / "IMG_1.jpg").write_bytes(b"a third photo")
    (third,) = [one for one in read_proofmode(tmp_path / "all").entries if one.path == ana / "IMG_1.jpg"]
    assert verdicts(third.checks) == {"proofmode_hash": "not_checked"}
    moved.unlink()
    mine, ben, carl = _of_folders(tmp_path / "all", "ana", "ben", "carl")
    assert verdicts(mine.checks)["proofmode_name"] == "failed", (
        "beside its proof, under its name: these bytes are others"
    )
    assert {*verdicts(ben.checks).values(), *verdicts(carl.checks).values()} == {"not_checked"}


def _of_folders(folder: Path, *names: str) -> list[Entry]:
    """Of each of these folders the first medium that a proof is of, or else the first."""
    entries = read_proofmode(folder).entries
    return [
        max((one for one in entries if one.path.parent.name == name), key=lambda x: len(x.checks)) for name in names
    ]


def test_a_zip_is_kept_as_it_was_handed_over(bundle: ProofBundle, tmp_path: Path) -> None:
    path = bundle.zip(tmp_path / "b.zip")
    with read_entries([path], SourceContext(collector="ana"), kind="proofmode", scratch=tmp_path) as collection:
        given, medium = collection.entries
        assert collection.unpacked is not None
        places = [collection.unpacked.place(one) for one in (path, medium.path)]
        with folder_to_unpack(tmp_path) as second:
            assert medium.path.exists(), "a folder in use is not left over"
            assert second.is_dir()
    assert places == [None, f"{path}!/IMG_1.jpg"]
    assert list(tmp_path.iterdir()) == [path]
    assert (given.path, given.source.as_record(), given.checks) == (path, {"collector": "ana"}, ())
    assert ("container", path) in [(one.kind, one.path) for one in medium.sidecars]


def test_what_is_left_over_is_removed_and_nothing_that_only_looks_like_it(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}dead" / "deep").mkdir(parents=True)
    (tmp_path / f"{PREFIX}dead" / "deep" / "photo.jpg").write_bytes(PHOTO)
    kept = [tmp_path / f"{PREFIX}file", tmp_path / "precious", tmp_path / f"{PREFIX}link"]
    kept[0].touch()
    kept[1].mkdir()
    kept[2].symlink_to(kept[1])
    clear_left_over(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


@pytest.mark.parametrize("recursive", [True, False])
def test_a_folder_of_bundles_that_is_taken_as_plain_files_says_so(
    bundle: ProofBundle, tmp_path: Path, *, recursive: bool
) -> None:
    (tmp_path / "all").mkdir()
    inside = bundle.folder(tmp_path / "all" / "1")
    with read_entries([tmp_path / "all"], SourceContext(), recursive=recursive) as collection:
        assert [(one.where, one.code) for one in collection.problems] == [(str(inside), "proofs_not_checked")]
    with read_entries([tmp_path / "all"], SourceContext(), kind="folder", recursive=recursive) as collection:
        assert collection.problems == ()


def test_a_folder_without_a_proof_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(InvalidInputError) as refused:
        read_proofmode(tmp_path)
    assert refused.value.code == "not_proofmode"


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def bomb(archive: zipfile.ZipFile) -> None:
    with archive.open("zeros", "w") as stream:
        for _ in range(80):
            stream.write(bytes(1 << 20))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda archive: archive.writestr("../out", b"x"), "outside_collection"),
        (lambda archive: archive.writestr("/abs", b"x"), "outside_collection"),
        (lambda archive: archive.writestr("a\\..\\b", b"x"), "outside_collection"),
        (lambda archive: archive.writestr("a/" * 20 + "b", b"x"), "outside_collection"),
        (lambda archive: archive.writestr("a\x1b", b"x"), "outside_collection"),
        (link, "outside_collection"),
        (lambda archive: [archive.writestr(name, b"x") for name in ("A.jpg", "a.jpg")], "bad_zip"),
        (lambda archive: [archive.writestr(name, b"x") for name in ("a", "a/b")], "bad_zip"),
        (bomb, "zip_bomb"),
        (lambda archive: [archive.writestr(str(number), b"") for number in range(20_001)], "zip_bomb"),
    ],
)
def test_a_hostile_zip_is_refused_and_leaves_nothing(
    tmp_path: Path, spoil: Callable[[zipfile.ZipFile], object], code: str
) -> None:
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        spoil(archive)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(InvalidInputError) as refused, opened("proofmode", path, scratch=scratch):
        pass
    assert refused.value.code == code
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_bytes_that_are_no_zip_or_a_damaged_one_are_refused(bundle: ProofBundle, tmp_path: Path) -> None:
    whole = bundle.zip(tmp_path / "b.zip").read_bytes()
    spoiled = [b"", b"PK\x05\x06", whole[:-40], whole.replace(PHOTO[:4], b"XXXX"), b"\x00" * 1_000]
    middle = len(whole) // 3
    spoiled.append(whole[:middle] + bytes(64) + whole[middle + 64 :])
    for number, data in enumerate(spoiled):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(data)
        if data == whole:
            continue
        with pytest.raises(InvalidInputError) as refused, opened("proofmode", path, scratch=tmp_path):
            pass
        assert refused.value.code in {"bad_zip", "zip_bomb", "outside_collection"}, number


def test_symbolic_links_are_not_followed(bundle: ProofBundle, tmp_path: Path) -> None:
    folder = bundle.folder(tmp_path / "b")
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "IMG_9.jpg").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    collection = read_proofmode(folder)
    assert [entry.name for entry in collection.entries] == ["IMG_1.jpg"]
    assert [problem.code for problem in collection.problems] == ["symbolic_link", "symbolic_link"]
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    with pytest.raises(InvalidInputError):
        read_proofmode(linked)
    shutil.rmtree(folder)


def test_names_and_statements_that_are_no_text_stop_no_deposit(bundle: ProofBundle, tmp_path: Path) -> None:
    """A check that could not be recorded would stop the deposit of what it is of."""
    name = f"{sha256(PHOTO)}.proof.json"
    told = {"File Hash SHA256": "\ud800" * 9, "Hardware": "\ud800", "File Path": "/\udcff.jpg"}
    bundle.files[name] = json.dumps(told).encode()
    folder = bundle.folder(tmp_path / "b")
    (folder / "IMG_1.jpg").rename(folder / "\udcff.jpg")
    (entry,) = read_proofmode(folder).entries
    assert validated(entry.checks) == entry.checks
    assert verdicts(entry.checks)["proofmode_hash"] == "failed"
    assert entry.source.as_record() == {"tool": "ProofMode"}
