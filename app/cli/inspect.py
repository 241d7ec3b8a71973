"""`catena inspect`: what a file says about itself; no archive, no keys, no database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from app.cli.common import Context, command_options, exit_code_of, print_json, printable
from app.cli.inspect_report import report
from app.cli.inspect_track import Way, way_of
from app.config import Settings, load_settings
from app.errors import CatenaError, InvalidInputError
from schemas.records.v1.track import PositionTrack

_SIDECARS: Final = (".SRT", ".srt", ".Srt")
_OF_TRACKS: Final = ("track_", "telemetry_", "klv_")


@click.command("inspect")
@command_options
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE [FILE...]")
@click.option("--no-sidecar", is_flag=True, help="Leave out the flight log (.SRT) that lies beside a recording.")
def inspect_command(context: Context, files: tuple[Path, ...], no_sidecar: bool) -> int:
    """Show what files say about themselves, without an archive.

    With --json one file gives its record; several give {"files": [{"path", "record" or "error"}]}.
    """
    from app.analysis import sandbox

    sandbox.demand(context.settings.sandbox)
    settings = context.settings
    if len(files) == 1:
        record, path = inspected(files[0], sidecar=not no_sidecar, settings=settings)
        context.show(record, lambda: report(record, path))
        return 0
    return _several(context, files, settings, sidecar=not no_sidecar)


def _several(context: Context, files: Sequence[Path], settings: Settings | None, *, sidecar: bool) -> int:
    """One after the other: a file that cannot be read is told, and the rest goes on."""
    shown: list[dict[str, Any]] = []
    code = 0
    for number, path in enumerate(files):
        try:
            record, way = inspected(path, sidecar=sidecar, settings=settings)
        except (CatenaError, OSError) as error:
            told = error.detail if isinstance(error, CatenaError) else f"{path}: {error.strerror or error}"
            name = error.code if isinstance(error, CatenaError) else "environment"
            context.say(f"catena: {name}: {told}")
            shown.append({"path": str(path), "error": {"code": name, "detail": told}})
            code = max(code, exit_code_of(error))
            continue
        shown.append({"path": str(path), "record": record})
        if not context.as_json:
            click.echo(("\n" if number else "") + printable(report(record, way), keep="\n"))
    if context.as_json:
        print_json({"files": shown})
    return code


def inspected(path: Path, *, sidecar: bool = True, settings: Settings | None = None) -> tuple[dict[str, Any], Way]:
    """The record of a file, read in the sandbox as the archive reads it, and the way that its track went.

    Raises:
        InvalidInputError: `no_such_file` (also for a folder), or the code of a parser that failed.
    """
    record, way = _read(path, settings)
    beside = _sidecar_of(path) if sidecar and record["file"]["kind"] == "video" else None
    if beside is None:
        return record, way
    if record["track"]["samples"]:
        text = f"{beside.name} lies beside the file and was not read: the file has a track of its own"
        record["findings"].append(_finding("sidecar_unread", text))
        return record, way
    other, way = _read(beside, settings)
    track = other["track"]
    if track["samples"]:
        track["source"] = f"sidecar {beside.name}, a file of its own beside this one ({track['source']})"
        text = f"the track is that of {beside.name}, which lies beside the file and bears its name; it is no part of it"
        record["track"] = track
        record["findings"].append(_finding("track_from_sidecar", text))
        record["findings"] += _of_the_track(record, other["findings"])
    return record, way


def _of_the_track(record: dict[str, Any], findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the flight log's own record says of its track, and the track's length against the video's."""
    from app.analysis.rules_track import length_against_video

    track = PositionTrack.model_validate(record["track"])
    found = length_against_video(track, record["container"]["duration_s"]["value"])
    own = [one for one in findings if one["code"].startswith(_OF_TRACKS)]
    return [*own, *(one.model_dump(mode="json") for one in found)]


def _finding(code: str, text: str) -> dict[str, Any]:
    from app.analysis.findings import info

    return info(code, text).model_dump(mode="json")


def _read(path: Path, settings: Settings | None) -> tuple[dict[str, Any], Way]:
    from app.analysis.inspecting import inspect_confined
    from app.analysis.trust import load_trust

    if not path.is_file():
        raise InvalidInputError("no_such_file", f"{path} is {'not a file' if path.exists() else 'not there'}")
    with path.open("rb"):  # what may not be read is no fault of the file's content
        pass
    given = settings or load_settings()
    found = inspect_confined(path, path.name, trust=load_trust(given), exiftool=given.exiftool)
    if found.record is None:
        failure = found.failure
        raise InvalidInputError(failure.code if failure else "analysis_failed", failure.detail if failure else "")
    record: dict[str, Any] = json.loads(found.record)
    return record, way_of(found.track)


def _sidecar_of(path: Path) -> Path | None:
    return next((beside for suffix in _SIDECARS if (beside := path.with_suffix(suffix)).is_file()), None)


COMMANDS = (inspect_command,)
