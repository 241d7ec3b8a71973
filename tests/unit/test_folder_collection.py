"""A plain folder as a collection: order, sidecars, what is left out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.intake.collections.folder import read_folder
from app.intake.collections.sidecars import STEM, WHOLE_NAME
from schemas.records.v1.source import SourceContext

NOBODY = SourceContext()


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def pairs(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Sidecars and their bases, by medium."""
    found = read_folder([folder], NOBODY, recursive=True)
    return {
        str(entry.path.relative_to(folder)): [(one.path.name, one.basis) for one in entry.sidecars]
        for entry in found.entries
    }


def test_sidecars_are_found_by_name_whatever_the_case_of_its_letters(tmp_path: Path) -> None:
    made(tmp_path, "DJI_0001.MP4", "DJI_0001.SRT", "DJI_0002.MP4", "dji_0002.srt")
    made(tmp_path, "x.jpg", "x.jpg.xmp", "X.JPG.json", "y.HEIC", "y.xmp", "y.c2pa")
    assert pairs(tmp_path) == {
        "DJI_0001.MP4": [("DJI_0001.SRT", STEM)],
        "DJI_0002.MP4": [("dji_0002.srt", STEM)],
        "x.jpg": [("X.JPG.json", WHOLE_NAME), ("x.jpg.xmp", WHOLE_NAME)],
        "y.HEIC": [("y.c2pa", STEM), ("y.xmp", STEM)],
    }


def test_whole_name_comes_before_stem_and_what_is_ambiguous_says_so(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "a.dng", "a.jpg.xmp", "a.xmp")
    ambiguous = f"{STEM}; 2 files here share it, so this is ambiguous"
    assert pairs(tmp_path) == {
        "a.dng": [("a.xmp", ambiguous)],
        "a.jpg": [("a.jpg.xmp", WHOLE_NAME), ("a.xmp", ambiguous)],
    }
    for found in pairs(tmp_path).values():
        assert all(len(basis) <= 200 for _, basis in found)


def test_sidecar_without_a_medium_and_subtitles_beside_a_photo_are_media_themselves(tmp_path: Path) -> None:
    made(tmp_path, "alone.xmp", "photo.jpg", "photo.srt", "deep/DJI_0001.SRT", "DJI_0001.MP4")
    assert pairs(tmp_path) == {
        "DJI_0001.MP4": [],
        "alone.xmp": [],
        "deep/DJI_0001.SRT": [],
        "photo.jpg": [],
        "photo.srt": [],
    }


def test_named_files_belong_together_and_what_is_not_named_is_not_taken(tmp_path: Path) -> None:
    made(tmp_path, "a.mp4", "a.srt", "a.xmp")
    found = read_folder([tmp_path / "a.srt", tmp_path / "a.mp4", tmp_path / "a.mp4"], NOBODY)
    assert [(one.path.name, [s.path.name for s in one.sidecars]) for one in found.entries] == [("a.mp4", ["a.srt"])]


def test_order_is_that_of_the_paths_on_every_run(tmp_path: Path) -> None:
    made(tmp_path, "b.txt", "a/z.txt", "a/b/c.txt", "c.txt", "a.txt")
    names = [
        one.path.relative_to(tmp_path).as_posix() for one in read_folder([tmp_path], NOBODY, recursive=True).entries
    ]
    assert names == ["a/b/c.txt", "a/z.txt", "a.txt", "b.txt", "c.txt"]


def test_folders_that_are_not_gone_into_are_listed(tmp_path: Path) -> None:
    for name in ("2024", ".git"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "photo.jpg").touch()
    (tmp_path / "a.jpg").touch()
    found = read_folder([tmp_path], NOBODY)
    assert [one.path.name for one in found.entries] == ["a.jpg"]
    assert {(one.path.name, one.code) for one in found.left_out} == {("2024", "folder"), (".git", "hidden")}


def test_what_is_left_out_is_listed_with_a_reason(tmp_path: Path) -> None:
    folder = made(
        tmp_path / "in", "a.txt", ".DS_Store", "Thumbs.db", "._a.txt", ".git/config", "__MACOSX/x", "own/blob"
    )
    outside = made(tmp_path / "out", "secret.txt")
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (folder / "folder").symlink_to(folder / "own")
    (folder / "nothing").symlink_to(folder / "gone")
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "inside.txt").symlink_to(folder / "a.txt")
    os.mkfifo(folder / "pipe")
    found = read_folder([folder], NOBODY, recursive=True, avoid=[folder / "own"])
    assert [one.path.name for one in found.entries] == ["a.txt", "inside.txt"]
    assert {(one.path.name, one.code) for one in found.left_out} == {
        (".DS_Store", "system_file"),
        ("Thumbs.db", "system_file"),
        ("__MACOSX", "system_file"),
        ("._a.txt", "hidden"),
        (".git", "hidden"),
        ("link.txt", "link_outside"),
        ("folder", "link_to_folder"),
        ("nothing", "link_broken"),
        ("circle", "link_broken"),
        ("pipe", "not_a_file"),
        ("own", "archive_data"),
    }
    assert all(one.detail for one in found.left_out)
    more = read_folder([folder], NOBODY, recursive=True, hidden=True, avoid=[folder / "own"])
    assert {one.path.name for one in more.entries} == {"a.txt", "inside.txt", "._a.txt", "config"}


def test_links_that_were_named_are_taken_as_what_they_lead_to(tmp_path: Path) -> None:
    made(tmp_path / "real", "a.txt")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").symlink_to(tmp_path / "real" / "a.txt")
    found = read_folder([tmp_path / "link", tmp_path / "file"], NOBODY)
    assert [one.path for one in found.entries] == [tmp_path / "link" / "a.txt", tmp_path / "file"]


def test_folder_that_is_not_there_is_taken_for_a_file_whose_absence_is_told_later(tmp_path: Path) -> None:
    assert [one.path for one in read_folder([tmp_path / "gone"], NOBODY).entries] == [tmp_path / "gone"]


@pytest.mark.parametrize("names", [["a.jpg", "b.jpg"], ["x.json"], []])
def test_nothing_is_lost_or_doubled(tmp_path: Path, names: list[str]) -> None:
    folder = made(tmp_path, *names)
    assert sorted(pairs(folder)) == sorted(names)
