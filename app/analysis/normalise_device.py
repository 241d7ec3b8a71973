"""Device and editing traces."""

from __future__ import annotations

from app.analysis.facts import Said, same_serial, same_text, text_fact
from app.analysis.gathered import Gathered
from schemas.records.v1.media_metadata import DeviceFacts, EditingTrace

_MAX_TRACES = 100


def _flir(gathered: Gathered, name: str) -> Said[str] | None:
    text = gathered.flir.texts.get(name)
    return Said(text, text, f"flir {name}") if text else None


def _serials(*said: Said[str] | None) -> list[Said[str]]:
    """Serials without the placeholders ("0", "0000") as long as one real serial is there."""
    words = [word for word in said if word is not None]
    real = [word for word in words if word.value.strip("0 .-")]
    return real or words


def _of_track(gathered: Gathered) -> tuple[Said[str] | None, Said[str] | None]:
    """Model and, of an aircraft, serial as a GoPro's or DJI's own track names them; "Camera" names no model."""
    track = gathered.track
    if track is None or not (track.dialect or "").startswith(("GPMF", "DJI djmd")):
        return None, None
    flying = any(point.alt_relative is not None for point in track.points[:100])
    model = track.device if track.device and track.device != "Camera" else None
    source = f"{track.source} device"
    return (
        Said(model, model, source, "derived") if model else None,
        Said(track.serial, track.serial, f"{track.source} serial", "derived") if track.serial and flying else None,
    )


def _gopro(gathered: Gathered, name: str) -> Said[str] | None:
    text = gathered.picture.gopro.get(name)
    return Said(text, text, f"jpeg GoPro {name}") if text else None


def _maker_serial(gathered: Gathered, *recorded: Said[str] | None) -> Said[str] | None:
    """The serial of the maker's private block.

    Where it is a number and EXIF has a serial of its own, it says nothing: newer bodies have serials that no longer
    fit into 32 bits.
    """
    text = gathered.maker_text("SerialNumber")
    if text is not None:
        return text
    number = gathered.maker.numbers("SerialNumber")
    if any(recorded) or not number or not isinstance(number[0], int) or number[0] <= 0:
        return None
    return Said(str(number[0]), str(number[0]), f"makernotes {gathered.maker.maker} SerialNumber")


def _standing_in(first: Said[str] | None, *others: Said[str] | None) -> list[Said[str] | None]:
    """A text of another wording for the same thing: only where the first is not there."""
    return [first] if first is not None else list(others)


def device(gathered: Gathered) -> DeviceFacts:
    """Who made the file: EXIF first, then XMP, the maker's record, and the movie's metadata."""
    text, xmp, movie = gathered.exif_text, gathered.xmp_text, gathered.movie_text
    track_model, track_serial = _of_track(gathered)
    software = [
        text("Software"),
        xmp("xmp:CreatorTool", "tiff:Software"),
        movie("com.apple.quicktime.software", "©swr", "FIRM"),
        _flir(gathered, "CameraSoftware"),
    ]
    return DeviceFacts(
        make=text_fact(
            [
                text("Make"),
                xmp("tiff:Make"),
                movie("com.apple.quicktime.make", "com.android.manufacturer", "©mak", "manu", "make"),
                gathered.maker_text("Make"),
            ],
            same_text,
        ),
        model=text_fact(
            [
                text("Model"),
                xmp("tiff:Model"),
                movie("com.apple.quicktime.model", "com.android.model", "©mod", "modl", "model"),
                _flir(gathered, "CameraModel"),
                *_standing_in(text("Model"), _gopro(gathered, "Model")),
                track_model,
            ],
            same_text,
        ),
        camera_serial=text_fact(_camera_serials(gathered), same_serial),
        lens=text_fact(_lenses(gathered), same_text),
        lens_serial=text_fact(
            _serials(
                text("LensSerialNumber"),
                xmp("exifEX:LensSerialNumber", "aux:LensSerialNumber"),
                _flir(gathered, "LensSerialNumber"),
                gathered.maker_text("LensSerialNumber"),
            ),
            same_serial,
        ),
        drone_serial=text_fact(
            _serials(
                xmp("drone-dji:DroneSerialNumber"),
                xmp("drone-parrot:SerialNumber"),
                *_drone_serials(gathered),
                track_serial,
            ),
            same_text,
        ),
        software=text_fact([word for word in software if word is not None][:1]),
        lens_make=text_fact(_standing_in(text("LensMake"), xmp("exifEX:LensMake"))),
        internal_serial=text_fact([gathered.maker_text("InternalSerialNumber")]),
        sensor_serial=text_fact([_sensor(gathered)]),
        unique_model=text_fact(
            _standing_in(text("UniqueCameraModel"), xmp("drone-dji:DroneModel", "drone-dji:ProductName"))
        ),
        firmware=text_fact(
            _standing_in(gathered.maker_text("Firmware"), _gopro(gathered, "FirmwareVersion"), xmp("aux:Firmware"))
        ),
        owner=text_fact(
            _standing_in(
                text("CameraOwnerName"),
                gathered.maker_text("OwnerName"),
                xmp("exifEX:CameraOwnerName", "aux:OwnerName"),
            )
        ),
        host=text_fact([text("HostComputer")]),
        maker_note=text_fact([_maker_note(gathered)]),
    )


def _camera_serials(gathered: Gathered) -> list[Said[str]]:
    text, xmp = gathered.exif_text, gathered.xmp_text
    body, camera = text("BodySerialNumber"), text("CameraSerialNumber")
    return _serials(
        body,
        camera,
        _maker_serial(gathered, body, camera),
        _flir(gathered, "CameraSerialNumber"),
        xmp("drone-dji:CameraSerialNumber"),
        xmp("exifEX:BodySerialNumber", "aux:SerialNumber"),
        xmp("MicrosoftPhoto:CameraSerialNumber", "Camera:SerialNumber"),
        _gopro(gathered, "CameraSerialNumber"),
    )


def _lenses(gathered: Gathered) -> list[Said[str] | None]:
    recorded = gathered.exif_text("LensModel")
    found = [recorded, gathered.xmp_text("exifEX:LensModel", "aux:Lens"), _flir(gathered, "LensModel")]
    return found if any(found) else [gathered.maker_text("LensModel"), gathered.xmp_text("MicrosoftPhoto:LensModel")]


def _drone_serials(gathered: Gathered) -> list[Said[str] | None]:
    """Of any other maker's drone namespace."""
    names = [
        name
        for name in gathered.xmp.properties
        if name.startswith("drone-") and name.split(":", 1)[1] in {"DroneSerialNumber", "VehicleSerialNumber"}
    ]
    return [gathered.xmp_text(name) for name in names if name != "drone-dji:DroneSerialNumber"]


def _sensor(gathered: Gathered) -> Said[str] | None:
    text = gathered.picture.sensor
    return Said(text, text, "jpeg APP7 DJI-DBG sensor_id") if text else None


def _maker_note(gathered: Gathered) -> Said[str] | None:
    name = gathered.maker.maker
    return Said(name, name, "makernotes heading", "derived") if name else None


def editing(gathered: Gathered) -> tuple[EditingTrace, ...]:
    """Programs that left their name, the XMP history, the encoder."""
    traces: list[EditingTrace] = []
    programs = (gathered.exif_text("Software"), gathered.xmp_text("xmp:CreatorTool"))
    traces += [EditingTrace(kind="software", text=said.value, source=said.source) for said in programs if said]
    for event in gathered.xmp.history:
        parts = [event.get(name, "") for name in ("action", "when", "softwareAgent", "changed")]
        text = " ".join(part for part in parts if part)
        if text:
            traces.append(EditingTrace(kind="history", text=text, source="xmp xmpMM:History"))
    origin = gathered.xmp_text("xmpMM:DerivedFrom/documentID", "xmpMM:DerivedFrom/originalDocumentID")
    if origin is not None:
        traces.append(EditingTrace(kind="derived_from", text=origin.value, source=origin.source))
    traces += [EditingTrace(kind="encoder", text=word.value, source=word.source) for word in _encoders(gathered)]
    return tuple(traces[:_MAX_TRACES])


def _encoders(gathered: Gathered) -> list[Said[str]]:
    found = [gathered.movie_text("encoder", "©too", "ENCODER", "©enc")]
    if gathered.video is not None:
        for stream in gathered.video.streams:
            text = stream.metadata.get("encoder") or stream.metadata.get("ENCODER")
            if text:
                found.append(Said(text, text, f"PyAV stream {stream.index} encoder"))
    return [said for said in found if said is not None]
