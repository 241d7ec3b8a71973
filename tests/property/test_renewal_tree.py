"""The hash tree on disk is the one in memory, whatever the groups; sorting outside memory changes nothing."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import EnvironmentFailedError
from app.renewal.sorting import Sorter
from app.renewal.tree import OBJECTS, TREE, TreeFiles, write_tree
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.hash_tree import RootBuilder, group_hash, path, root_from
from tests.evidence_records import levels_over

NAMES = st.from_regex(r"[a-z]{1,8}:[0-9a-f-]{1,36}", fullmatch=True)
GROUPS = st.dictionaries(
    NAMES, st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=6, unique=True), min_size=1, max_size=20
)


def digest(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def written(folder: Path, members: Sequence[tuple[str, bytes]], run: int) -> tuple[int, bytes]:
    with Sorter(folder, run) as sorter:
        for name, member in members:
            sorter.add(name, member)
        return write_tree(folder, sorter.groups(), sorter.longest)


@settings(max_examples=60)
@given(GROUPS, st.integers(1, 9), st.randoms(use_true_random=False))
def test_tree_on_disk_proves_each_group(groups: dict[str, list[bytes]], run: int, random: object) -> None:
    members = [(name, member) for name, held in groups.items() for member in held]
    random.shuffle(members)  # type: ignore[attr-defined]
    names = sorted(groups)
    leaves = [group_hash("sha512", [digest(each) for each in (name.encode(), *groups[name])]) for name in names]
    levels = levels_over("sha512", leaves)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        assert written(folder, members, run) == (len(names), levels[-1][0])
        assert (folder / TREE).read_bytes() == b"".join(node for level in levels for node in level)
        assert [line.rstrip() for line in (folder / OBJECTS).read_text().splitlines()] == names
        assert sorted(each.name for each in folder.iterdir()) == [OBJECTS, TREE]
        with TreeFiles(folder, len(names)) as tree:
            for index, name in enumerate(names):
                assert tree.find(name) == index
                assert root_from("sha512", leaves[index], tree.path(index)) == tree.root == levels[-1][0]
            for absent in ("", "zzzzzzzzz:", "a", f"{names[0]} ", names[0][:-1], f"{names[-1]}0"):
                assert (tree.find(absent) is None) is (absent not in groups)


@given(st.lists(st.binary(min_size=64, max_size=64), min_size=1, max_size=70))
def test_root_is_the_same_with_one_hash_a_level(leaves: list[bytes]) -> None:
    builder = RootBuilder("sha512")
    for leaf in leaves:
        builder.add(leaf)
    levels = levels_over("sha512", leaves)
    assert (builder.leaves, builder.root()) == (len(leaves), levels[-1][0])
    assert path(0, len(leaves), lambda level, index: levels[level][index]) is not None


def test_tree_without_a_leaf_has_no_root() -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        RootBuilder("sha512").root()
    assert caught.value.code == "ers_leaf_range"


@pytest.mark.parametrize("name", ["", "two words", "a\nb", "\x7f", "\N{EM DASH}", "x" * 101, "\ud800"])
def test_name_that_no_object_has_is_refused(name: str, tmp_path: Path) -> None:
    with Sorter(tmp_path) as sorter, pytest.raises(EnvironmentFailedError) as caught:
        sorter.add(name, b"event")
    assert caught.value.code == "log_damaged"


@pytest.mark.parametrize("run", [1, 100])
def test_event_that_is_there_twice_is_refused(run: int, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailedError) as caught:
        written(tmp_path, [("item:1", b"event"), ("item:1", b"event")], run)
    assert caught.value.code == "log_damaged"


def test_name_of_a_group_as_its_own_member_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailedError):
        written(tmp_path, [("item:1", b"item:1")], 5)


def test_sorting_holds_no_more_in_memory_than_asked(tmp_path: Path) -> None:
    with Sorter(tmp_path, 10) as sorter:
        for number in range(1_000):
            sorter.add(f"item:{number % 7}", b"%d" % number)
            assert len(sorter._members) < 10
        assert len(sorter._files) == 100
        assert sum(1 for _, hashes in sorter.groups() for _ in hashes) == 1_000 + 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path, [(f"item:{number}", b"event") for number in range(5)], 100)
    return tmp_path


@pytest.mark.parametrize("leaves", [4, 6])
def test_tree_of_another_size_is_refused(folder: Path, leaves: int) -> None:
    with pytest.raises(EnvironmentFailedError) as caught:
        TreeFiles(folder, leaves)
    assert caught.value.code == "renewal_damaged"


@pytest.mark.parametrize("name", [OBJECTS, TREE])
def test_tree_whose_file_is_gone_or_cut_is_refused(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).unlink()
    for content in (None, data[:-1], b"", data + b"\n"):
        if content is not None:
            (folder / name).write_bytes(content)
        with pytest.raises(EnvironmentFailedError) as caught:
            TreeFiles(folder, 5)
        assert caught.value.code == "renewal_damaged"


def test_list_of_objects_without_lines_is_refused(folder: Path) -> None:
    data = (folder / OBJECTS).read_bytes()
    (folder / OBJECTS).chmod(0o600)
    (folder / OBJECTS).write_bytes(data.replace(b"\n", b" "))
    with pytest.raises(EnvironmentFailedError) as caught:
        TreeFiles(folder, 5)
    assert caught.value.code == "renewal_damaged"
