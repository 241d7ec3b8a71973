"""The dossier in a bundle that keeps something back: which records go out, what is shown of the others. Pure.

1. A record that names an item of which anything is withheld does not go out, whatever else it says; nor does one that
   holds a withheld value, or the digest of a withheld record. All versions of an entry stay together: an older one
   beside a newer one that is withheld would be read as what stands.
2. Of a withheld record is shown what kind it is and on which side it stands: words of the catalogue and of fixed lists,
   never a reason, a source or a name. Of an incident those fields, too, in which nothing withheld stands.
3. Views (matrix, file of incidents) are made again: what is withheld has its place in the matrix, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, cast, get_args

from app.assessment.records import REVIEW_ROLE, ROLES, SEAL_ROLE
from app.disclosure.exculpatory import FINDINGS
from app.incidents.dossier import Given, put_together
from app.incidents.statement_kinds import earlier_along, why_along
from evidence_store.bundle.plan import ExtraFile
from evidence_store.canonical import JsonInput
from schemas.records.v1.incident import EntryKind

ENTRY, CLAIM, VIEW, MATRIX = "entry", "claim", "dossier", "matrix"
RECORDS: Final = frozenset({ENTRY, CLAIM, *ROLES.values(), REVIEW_ROLE, SEAL_ROLE})
VIEWS: Final = frozenset({VIEW, MATRIX})
KINDS: Final = tuple(f"{kind}:" for kind in get_args(EntryKind))
"""How objects of the log begin that are entries of a dossier."""

_SHOWN: Final = ("withdrawn", "direction", "outcome", "decision", "answer", "panel", "state", "kind", "standard")
_MARKED: Final = (
    "entry", "statement", "direction", "side", "element", "provision", "decision", "outcome", "answer", "state",
    "goes_along",
)  # fmt: skip
_NAMES: Final = ("entry", "thread", "statement", "review")
_DERIVED: Final = frozenset({"suggestion", "suggestions", "tasks", "applicability"})
"""Parts of a matrix that rules make of facts: they would tell what a withheld entry or claim states."""

Clean = Callable[[bytes], bool]


def is_entry(about: str) -> bool:
    """Whether an object of the log is an entry of a dossier."""
    return about.startswith(KINDS)


def together(file: ExtraFile) -> str:
    """What is withheld whole or not at all: the versions of an entry, those of a thread; of others the file alone."""
    if file.role == ENTRY:
        return f"{file.object}"
    return f"thread:{_read(file)['thread']}" if file.role in ROLES.values() else file.path


def names_of(file: ExtraFile) -> set[str]:
    """The ids by which views know a record."""
    if file.role == SEAL_ROLE:
        return set()
    record = _read(file)
    keys = {ENTRY: ("entry",), CLAIM: ("claim",), REVIEW_ROLE: ("review",)}.get(file.role, ("entry", "thread"))
    return {str(record[key]) for key in keys}


def is_against(file: ExtraFile, against: Collection[str]) -> bool:
    """Whether a record speaks against; `against` are the links that the matrix has on that side."""
    if file.role == SEAL_ROLE:
        return False
    record = _read(file)
    if file.role == ENTRY:
        return record["kind"] == "statement" and why_along([record["body"]]) is not None
    found = any(record.get(name) in words for name, words in FINDINGS.values())
    said = record.get("direction") == "contradicts" or record.get("decision") == "reject"
    return found or said or record.get("entry") in against


def against_in(matrices: Iterable[ExtraFile]) -> set[str]:
    """UUIDs of the links that matrices have on the side against."""
    found = (one for file in matrices for one in _objects(_read(file)))
    return {str(one["entry"]) for one in found if one.get("side") == "against" and "entry" in one}


def values_of(file: ExtraFile) -> tuple[dict[str, JsonInput], dict[str, JsonInput]]:
    """Named values of a withheld record, beside the file itself.

    Returns:
        Those that stay withheld, and those that are shown where they hold nothing withheld.
    """
    if file.role == SEAL_ROLE:
        return {}, {}
    record = _read(file)
    if file.role == CLAIM:
        return {}, {f"{CLAIM}/{record['claim']}": {"kind": record["kind"]}}
    if file.role != ENTRY:
        identity = record["review" if file.role == REVIEW_ROLE else "entry"]
        said: dict[str, JsonInput] = {name: record[name] for name in _SHOWN if name in record}
        said |= {name: record[name]["id"] for name in ("provision", "element") if name in record}
        return {}, {f"{file.role}/{identity}": said}
    head = f"{ENTRY}/{record['number']}"
    fields: dict[str, JsonInput] = {f"{head}/body/{name}": value for name, value in record["body"].items()}
    fields[f"{head}/ref"] = record["ref"]
    kept: dict[str, JsonInput] = {f"{head}/standing": record["standing"]}
    told: dict[str, JsonInput] = {"kind": record["kind"], "number": record["number"]}
    if record["kind"] == "statement":
        told["goes_along"] = why_along([record["body"]])
    if record["kind"] == "incident":
        return kept, {head: told, **fields}
    return kept | fields, {head: told}


def views_without(
    files: Sequence[ExtraFile], views: Iterable[ExtraFile], gone: set[str], clean: Clean
) -> list[ExtraFile]:
    """The views of what goes out.

    Args:
        files: all records of the dossier.
        views: as they were made of all of them.
        gone: paths of the records that are withheld.
        clean: whether bytes hold nothing withheld.
    """
    lost = [file for file in files if file.path in gone]
    names = {name for file in lost for name in names_of(file)}
    told = any(file.role in {ENTRY, CLAIM} for file in lost)
    made: list[ExtraFile] = []
    for view in views:
        if view.role == MATRIX:
            document = _matrix(_read(view), names, clean, derived=not told)
            text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
        else:
            text = (
                json.dumps(_file([one for one in files if one.path not in gone]), ensure_ascii=False, indent=1) + "\n"
            )
        made.append(ExtraFile(view.path, text.encode(), view.role, view.object))
    return made


def _matrix(document: dict[str, Any], gone: set[str], clean: Clean, *, derived: bool) -> dict[str, Any]:
    made = cast("dict[str, Any]", _without(document, gone, clean, derived=derived))
    if document["incident"]["id"] in gone:
        made["incident"] = {"id": document["incident"]["id"], "withheld": True}
    for provision in made["provisions"]:
        if any(one.get("withheld") for one in provision["assessments"]):  # this gap names their authors
            provision["gaps"] = [
                one | {"about": {}, "text": "withheld"} if one["code"] == "basis_changed" else one
                for one in provision["gaps"]
            ]
    return made


def _without(value: Any, gone: set[str], clean: Clean, *, derived: bool) -> Any:  # noqa: ANN401 - JSON
    """A part of a matrix: what is withheld is replaced by a mark, in its place."""
    if isinstance(value, list):
        return [_without(one, gone, clean, derived=derived) for one in value]
    if not isinstance(value, dict):
        return value if not isinstance(value, str) or clean(value.encode()) else "withheld"
    named = {str(value[name]) for name in _NAMES if name in value}
    plain = json.dumps({name: one for name, one in value.items() if not isinstance(one, list)}, ensure_ascii=False)
    if named & gone or (named and not clean(plain.encode())):
        return {"withheld": True, **{name: value[name] for name in _MARKED if isinstance(value.get(name), str)}}
    return {
        name: {"withheld": True} if name in _DERIVED and not derived else _without(one, gone, clean, derived=derived)
        for name, one in value.items()
    }


def _file(files: Iterable[ExtraFile]) -> dict[str, Any]:
    """A file of incidents with the newest versions and the claims among these records, in their order."""
    versions: dict[str, list[Given]] = {}
    claims: list[dict[str, Any]] = []
    for file in files:
        record = _read(file) if file.role in {ENTRY, CLAIM} else {}
        if file.role == ENTRY:
            versions.setdefault(record["entry"], []).append(Given(record["kind"], record["ref"], record["body"]))
        elif file.role == CLAIM:
            claims.append(record)
    given = [known[-1] for known in versions.values()]
    said = [{**one, "incident": versions[one["incident"]][-1].ref} for one in claims if one["incident"] in versions]
    earlier = [
        known[place]
        for known in versions.values()
        if known[-1].kind == "statement"
        for place in earlier_along([one.body for one in known])
    ]
    return put_together(given, said, earlier=earlier)


def _objects(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


def _read(file: ExtraFile) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(file.data))
