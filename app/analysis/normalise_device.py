"""Device, exposure, image size and editing traces."""

from __future__ import annotations

from app.analysis.facts import Said, integer_fact, number_fact, same_text, text_fact
from app.analysis.gathered import Gathered
from schemas.records.v1.media_metadata import DeviceFacts, EditingTrace, ExposureFacts, ImageFacts

_ORIENTATIONS = range(1, 9)
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
            ],
            same_text,
        ),
        model=text_fact(
            [
                text("Model"),
                xmp("tiff:Model"),
                movie("com.apple.quicktime.model", "com.android.model", "©mod", "modl", "model"),
                _flir(gathered, "CameraModel"),
                track_model,
            ],
            same_text,
        ),
        camera_serial=text_fact(
            _serials(
                text("BodySerialNumber"),
                text("CameraSerialNumber"),
                _flir(gathered, "CameraSerialNumber"),
                xmp("drone-dji:CameraSerialNumber"),
                xmp("exifEX:BodySerialNumber", "aux:SerialNumber"),
                xmp("MicrosoftPhoto:CameraSerialNumber", "Camera:SerialNumber"),
            ),
            same_text,
        ),
        lens=text_fact(
            [text("LensModel"), xmp("exifEX:LensModel", "aux:Lens"), _flir(gathered, "LensModel")], same_text
        ),
        lens_serial=text_fact(
            [
                text("LensSerialNumber"),
                xmp("exifEX:LensSerialNumber", "aux:LensSerialNumber"),
                _flir(gathered, "LensSerialNumber"),
            ],
            same_text,
        ),
        drone_serial=text_fact(
            _serials(xmp("drone-dji:DroneSerialNumber"), xmp("drone-parrot:SerialNumber"), track_serial), same_text
        ),
        software=text_fact([word for word in software if word is not None][:1]),
    )


def exposure(gathered: Gathered) -> ExposureFacts:
    """Seconds, f-number, ISO speed, millimetres."""
    iso = gathered.exif_number("ISOSpeedRatings")
    return ExposureFacts(
        exposure_time=number_fact(
            [gathered.exif_number("ExposureTime"), gathered.xmp_number("exif:ExposureTime")], "s"
        ),
        f_number=number_fact([gathered.exif_number("FNumber"), gathered.xmp_number("exif:FNumber")], None),
        iso=integer_fact([Said(int(iso.value), iso.raw, iso.source) if iso else None]),
        focal_length=number_fact([gathered.exif_number("FocalLength"), gathered.xmp_number("exif:FocalLength")], "mm"),
        focal_length_35mm=number_fact([_positive(gathered.exif_number("FocalLengthIn35mmFilm"))], "mm"),
    )


def _positive(said: Said[float] | None) -> Said[float] | None:
    """0 means "unknown" for this tag (EXIF 2.32)."""
    return said if said is not None and said.value > 0 else None


def image(gathered: Gathered) -> ImageFacts:
    """Size from the format's own header; orientation from EXIF, else XMP."""
    if gathered.size_in_header is None:
        width, height = None, None
    else:
        across, down, tool = gathered.size_in_header
        width, height = Said(across, str(across), f"{tool} width"), Said(down, str(down), f"{tool} height")
    said = [gathered.exif_number("Orientation"), gathered.xmp_number("tiff:Orientation")]
    orientations = [Said(int(s.value), s.raw, s.source) for s in said if s is not None and s.value in _ORIENTATIONS]
    return ImageFacts(
        width=integer_fact([width], "px"), height=integer_fact([height], "px"), orientation=integer_fact(orientations)
    )


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
