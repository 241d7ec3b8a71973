"""`catena sun`: an aid to telling when or where a picture was taken; nothing of an archive is opened."""

from __future__ import annotations

import click

from app.cli.common import Context, command_options
from schemas.api.aids import SunShown


@click.command("sun")
@command_options
@click.option("--lat", type=float, required=True, help="Latitude, decimal degrees (WGS84), north positive.")
@click.option("--lon", type=float, required=True, help="Longitude, decimal degrees, east positive.")
@click.option("--at", required=True, metavar="TIME", help="RFC 3339 with offset: 2024-06-21T12:00:00Z.")
def sun_command(context: Context, lat: float, lon: float, at: str) -> None:
    """Where the sun stood for a place and a moment: altitude, azimuth, shadows, sunrise and sunset."""
    from app.analysis.aids import moment_of, shown
    from app.analysis.sun import sun_at

    found = shown(sun_at(lat, lon, moment_of(at)))
    context.show(found.model_dump(mode="json"), lambda: _readable(found))


def _readable(sun: SunShown) -> str:
    lines = [
        f"sun at {sun.lat:g}, {sun.lon:g} on {sun.at}: {sun.phase}",
        f"  altitude {sun.altitude:.2f} deg (without refraction {sun.altitude_geometric:.2f})",
        f"  azimuth {sun.azimuth:.2f} deg",
    ]
    if sun.shadow_direction is not None and sun.shadow_ratio is not None:
        lines.append(f"  shadows point to {sun.shadow_direction:.2f} deg, {sun.shadow_ratio:.2f} times as long as high")
    else:
        lines.append("  no shadow to speak of")
    if sun.day == "rises_and_sets":
        lines.append(f"  sunrise {sun.sunrise or '-'}, noon {sun.noon}, sunset {sun.sunset or '-'}")
    else:
        lines.append(
            f"  {'the sun does not set' if sun.day == 'up_all_day' else 'the sun does not rise'}; noon {sun.noon}"
        )
    return "\n".join([*lines, f"  {sun.note}"])


COMMANDS = (sun_command,)
