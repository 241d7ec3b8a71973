"""`catena items track`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.common import Context, command_options
from app.errors import InvalidInputError
from evidence_store.durable import coded_errors

if TYPE_CHECKING:
    from app.analysis.tracks import OfferedTrack


@click.command("track")
@command_options
@click.argument("item_id", metavar="ID")
@click.option("--gpx", "form", flag_value="gpx", help="The whole track as GPX 1.1.")
@click.option("--geojson", "form", flag_value="geojson", help="The whole track as GeoJSON.")
@click.option("--at", type=float, default=None, metavar="SECONDS", help="The position at a second of the video.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, metavar="FILE")
def items_track(context: Context, item_id: str, form: str | None, at: float | None, output: Path | None) -> None:
    """Where the recorder was: a summary, the position at one second, or the whole track as a file."""
    from app.api.tracks import LONGEST_S, position_shown, track_shown

    if form is not None and at is not None:
        raise InvalidInputError("bad_usage", "give either a form of the whole track or --at SECONDS")
    if form is None and output is not None:
        raise InvalidInputError("bad_usage", "-o goes with --gpx or --geojson")
    if at is not None and not 0 <= at <= LONGEST_S:
        raise InvalidInputError("bad_second", f"a second of the video is 0 to {LONGEST_S:.0f}")
    if output is not None and output.exists():
        raise InvalidInputError("output_exists", f"{output} exists and is never overwritten")
    track = context.services.tracks.read(context.who, item_id)
    if form is not None:
        _write(context, track, form, output)
    elif at is not None:
        position = position_shown(track, at).model_dump(mode="json")
        context.show(position, lambda: _position_text(position))
    else:
        document = track_shown(track).model_dump(mode="json")
        context.show(document, lambda: _summary_text(document))


def _write(context: Context, track: OfferedTrack, form: str, output: Path | None) -> None:
    from app.analysis.track_files import geojson, gpx

    data = (gpx if form == "gpx" else geojson)(track.record, track.owner.id)
    if output is None:
        if context.as_json and form == "gpx":
            raise InvalidInputError("bad_usage", "GPX is no JSON: give -o FILE")
        click.echo(data.decode(), nl=False)
        return
    try:
        with coded_errors("write the track"), output.open("xb") as target:
            target.write(data)
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    document = {"item": track.item.id, "track_of": track.owner.id, "path": str(output), "size": len(data)}
    context.show(document, f"{output}: {len(data)} bytes, {track.record.summary.points} positions")


def _position_text(position: dict[str, Any]) -> str:
    """One line; what is not known never reads as a place."""
    if position["point"] is None:
        return f"no position at second {position['at']:g}: {position['reason']}"
    point = position["point"]
    text = f"{point['lat']:.7f} {point['lon']:.7f}"
    for name, label in (("alt", "alt"), ("alt_relative", "above take-off"), ("alt_ellipsoid", "above the ellipsoid")):
        if point[name] is not None:
            text += f", {label} {point[name]:g} m"
    told = position["certainty"]
    if position["between"]:
        told += f", between seconds {position['between'][0]:g} and {position['between'][1]:g}"
    clock = point["utc"] or (f"{point['time']} (the recorder's own clock)" if point["time"] else "")
    return f"{text} ({told}) {clock}".rstrip()


def _summary_text(document: dict[str, Any]) -> str:
    summary = document["summary"]
    lines = [
        f"{summary['points']} positions in {summary['samples']} samples: {summary['dialect']} ({summary['source']})",
        f"certainty: {summary['certainty']}; times: {summary['timing']}",
    ]
    if document["basis"]:
        lines.append(f"track of {document['track_of']}, which belongs to the item: {document['basis']}")
    for name in ("first", "last"):
        point = summary[name]
        if point:
            second = "" if point["t"] is None else f" at second {point['t']:g}"
            lines.append(f"{name}: {point['lat']:.7f} {point['lon']:.7f}{second}")
    lines += [f"finding [{one['severity']}] {one['code']}: {one['text']}" for one in document["findings"]]
    return "\n".join(lines)
