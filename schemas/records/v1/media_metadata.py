"""Record of what one media file says about itself, version 1.

Every fact keeps what was read (`raw`), where (`source`, tool and tag) and how far to trust it
(`certainty`). An unknown has `value` null and certainty "absent"; nothing is ever filled in by guess.

Units: positions are signed decimal degrees on WGS84, heights and errors metres, angles degrees,
speeds metres per second, durations seconds. Local times are ISO 8601 without an offset
("2014-09-16T14:05:12", with a fraction only where one is recorded); UTC times end in "Z".
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.records.v1.c2pa_facts import C2paFacts
from schemas.records.v1.thumbnail_facts import ThumbnailFacts
from schemas.records.v1.track import Certainty, PositionTrack

__all__ = ["Certainty"]  # of what is imported here, this is part of the interface

Kind = Literal["photo", "video", "other"]
Severity = Literal["info", "warning", "error"]

Real = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Conflict(_Record):
    """Another place in the same file that says something else."""

    value: str | int | Real
    raw: str
    source: str


class _Fact(_Record):
    """One value with its evidence.

    Attributes:
        raw: the text as recorded, before interpretation; null when there is none.
        unit: "deg", "m", "m/s", "s", "mm" ...; null where a unit makes no sense.
        source: tool and tag, such as "exifread EXIF DateTimeOriginal"; derived values name their parents.
        certainty: recorded (stands so in the file), derived (computed from recorded values),
            inferred (rests on an assumption that `source` names), conflicting (see `conflicts`), absent.
    """

    raw: str | None = None
    unit: str | None = None
    source: str | None = None
    certainty: Certainty = "absent"
    conflicts: tuple[Conflict, ...] = ()


class TextFact(_Fact):
    """A fact whose value is text."""

    value: str | None = None


class NumberFact(_Fact):
    """A fact whose value is a real number."""

    value: Real | None = None


class IntegerFact(_Fact):
    """A fact whose value is a whole number."""

    value: int | None = None


class FileFacts(_Record):
    """What the bytes are, decided by their content and never by the file's name."""

    original_name: str
    size: int
    kind: Kind
    media_type: str
    format: str


class DeviceFacts(_Record):
    """Which device and program made the file.

    Attributes:
        internal_serial: a serial that the maker writes for its own use and that is not printed on the body.
        sensor_serial: of the sensor alone, where the maker numbers it apart.
        unique_model: DNG's UniqueCameraModel, or the maker's own word for the model.
        owner: the name that was entered into the camera.
        host: EXIF HostComputer.
        maker_note: whose private block the file holds.
    """

    make: TextFact = TextFact()
    model: TextFact = TextFact()
    camera_serial: TextFact = TextFact()
    lens: TextFact = TextFact()
    lens_serial: TextFact = TextFact()
    drone_serial: TextFact = TextFact()
    software: TextFact = TextFact()
    camera_serial_hash: TextFact = TextFact()
    android_version: TextFact = TextFact()
    lens_make: TextFact = TextFact()
    internal_serial: TextFact = TextFact()
    sensor_serial: TextFact = TextFact()
    unique_model: TextFact = TextFact()
    firmware: TextFact = TextFact()
    owner: TextFact = TextFact()
    host: TextFact = TextFact()
    maker_note: TextFact = TextFact()


class TimeFacts(_Record):
    """When: each clock apart, because each can be wrong on its own.

    `utc_offset.source` says where the offset comes from; `digitized_local` is EXIF DateTimeDigitized,
    `metadata_changed` XMP MetadataDate.
    """

    capture_local: TextFact = TextFact()
    utc_offset: TextFact = TextFact()
    capture_utc: TextFact = TextFact()
    gps_utc: TextFact = TextFact()
    container_created: TextFact = TextFact()
    container_modified: TextFact = TextFact()
    modified: TextFact = TextFact()
    digitized_local: TextFact = TextFact()
    metadata_changed: TextFact = TextFact()


class PositionFacts(_Record):
    """Where: WGS84 degrees; the three kinds of height are kept apart.

    Attributes:
        rtk_flag: DJI RtkFlag as recorded: 0 no fix, 16 single point, 34 float, 50 fixed.
        rtk_std_lat, rtk_std_lon, rtk_std_alt: standard deviations of an RTK fix, metres.
        status: EXIF GPSStatus or the drone's word for its fix.
        measure_mode: EXIF GPSMeasureMode, "2" or "3" dimensions.
        track: direction of movement.
    """

    lat: NumberFact = NumberFact()
    lon: NumberFact = NumberFact()
    alt_gps: NumberFact = NumberFact()
    alt_absolute: NumberFact = NumberFact()
    alt_relative: NumberFact = NumberFact()
    image_direction: NumberFact = NumberFact()
    horizontal_error: NumberFact = NumberFact()
    vertical_error: NumberFact = NumberFact()
    dop: NumberFact = NumberFact()
    speed: NumberFact = NumberFact()
    map_datum: TextFact = TextFact()
    track: NumberFact = NumberFact()
    dest_bearing: NumberFact = NumberFact()
    satellites: TextFact = TextFact()
    status: TextFact = TextFact()
    measure_mode: TextFact = TextFact()
    processing_method: TextFact = TextFact()
    differential: IntegerFact = IntegerFact()
    rtk_flag: IntegerFact = IntegerFact()
    rtk_std_lat: NumberFact = NumberFact()
    rtk_std_lon: NumberFact = NumberFact()
    rtk_std_alt: NumberFact = NumberFact()


class AttitudeFacts(_Record):
    """How the aircraft and the camera were turned, in degrees, and how the aircraft moved along its axes, in m/s."""

    flight_yaw: NumberFact = NumberFact()
    flight_pitch: NumberFact = NumberFact()
    flight_roll: NumberFact = NumberFact()
    gimbal_yaw: NumberFact = NumberFact()
    gimbal_pitch: NumberFact = NumberFact()
    gimbal_roll: NumberFact = NumberFact()
    speed_x: NumberFact = NumberFact()
    speed_y: NumberFact = NumberFact()
    speed_z: NumberFact = NumberFact()


class ExposureFacts(_Record):
    """How the picture was exposed; choices are EXIF's words for them, `raw` their numbers.

    Attributes:
        capture_mode: how the camera says that it took the picture (HDR, panorama, portrait, burst, survey ...).
    """

    exposure_time: NumberFact = NumberFact()
    f_number: NumberFact = NumberFact()
    iso: IntegerFact = IntegerFact()
    focal_length: NumberFact = NumberFact()
    focal_length_35mm: NumberFact = NumberFact()
    exposure_bias: NumberFact = NumberFact()
    max_aperture: NumberFact = NumberFact()
    brightness: NumberFact = NumberFact()
    subject_distance: NumberFact = NumberFact()
    digital_zoom: NumberFact = NumberFact()
    program: TextFact = TextFact()
    mode: TextFact = TextFact()
    metering: TextFact = TextFact()
    flash: TextFact = TextFact()
    white_balance: TextFact = TextFact()
    light_source: TextFact = TextFact()
    scene: TextFact = TextFact()
    rendering: TextFact = TextFact()
    capture_mode: TextFact = TextFact()


class QuantisationTable(_Record):
    """A quantisation table of a JPEG (ITU-T T.81 B.2.4.1).

    Attributes:
        sha256: of the 64 values in the order of the file, one byte each, two (big endian) where any is above 255.
        quality: 1 to 100 when it is the example table of T.81 annex K scaled as libjpeg scales it; null when it is not.
    """

    id: int
    bits: Literal[8, 16]
    sha256: str
    quality: int | None = None


class EmbeddedImage(_Record):
    """A picture or recording inside the file, beside the main one.

    Attributes:
        kind: "thumbnail", "preview", "photoshop thumbnail", "mpf", "thermal", "motion photo", "trailer".
        source: tool and place that points to it.
        offset: from the start of the file, bytes; null where it lies inside a block that is read apart.
        sha256: of its bytes; null where they are not all there, or too many to be read.
    """

    kind: str
    source: str
    size: int
    offset: int | None = None
    sha256: str | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None


class ProfileFacts(_Record):
    """The ICC profile (ISO 15076-1)."""

    description: TextFact = TextFact()
    created: TextFact = TextFact()
    color_space: TextFact = TextFact()
    device_class: TextFact = TextFact()
    manufacturer: TextFact = TextFact()
    version: TextFact = TextFact()
    sha256: TextFact = TextFact()


class ImageFacts(_Record):
    """Size as stored, before the orientation (EXIF 1 to 8) is applied.

    Attributes:
        rotation: of HEIF's `irot`, degrees anticlockwise, as stored; readers apply it instead of `orientation`.
        exif_width, exif_height: what EXIF says of the size; another size is consistent with cropping or scaling.
        sampling: JPEG's horizontal by vertical factors of each component, such as "2x2,1x1,1x1".
        quantisation_sha256: of the tables' own digests, by id: the same for pictures of the same encoder and setting.
        quality: estimate, inferred: of the example tables scaled as libjpeg does it, the nearest to the luminance's.
        trailing_bytes: after the end of the picture, whether or not something points there.
    """

    width: IntegerFact = IntegerFact()
    height: IntegerFact = IntegerFact()
    orientation: IntegerFact = IntegerFact()
    rotation: IntegerFact = IntegerFact()
    exif_width: IntegerFact = IntegerFact()
    exif_height: IntegerFact = IntegerFact()
    bits: IntegerFact = IntegerFact()
    components: IntegerFact = IntegerFact()
    coding: TextFact = TextFact()
    sampling: TextFact = TextFact()
    color_space: TextFact = TextFact()
    restart_interval: IntegerFact = IntegerFact()
    scans: IntegerFact = IntegerFact()
    quantisation_sha256: TextFact = TextFact()
    quality: IntegerFact = IntegerFact()
    trailing_bytes: IntegerFact = IntegerFact()
    unique_id: TextFact = TextFact()
    quantisation: tuple[QuantisationTable, ...] = ()
    profile: ProfileFacts = ProfileFacts()
    embedded: tuple[EmbeddedImage, ...] = ()


class DescriptionFacts(_Record):
    """What somebody wrote into the file about it: recorded text, a statement of its writer and of nobody else."""

    title: TextFact = TextFact()
    headline: TextFact = TextFact()
    caption: TextFact = TextFact()
    comment: TextFact = TextFact()
    byline: TextFact = TextFact()
    credit: TextFact = TextFact()
    source: TextFact = TextFact()
    copyright: TextFact = TextFact()
    keywords: TextFact = TextFact()
    instructions: TextFact = TextFact()
    sublocation: TextFact = TextFact()
    city: TextFact = TextFact()
    state: TextFact = TextFact()
    country: TextFact = TextFact()
    country_code: TextFact = TextFact()
    created: TextFact = TextFact()
    digitized: TextFact = TextFact()


class Edit(_Record):
    """One entry of an edit list, seconds; `start_s` is where it begins in the track's own time, null for a pause."""

    duration_s: Real
    start_s: Real | None = None
    rate: Real = 1.0


class Track(_Record):
    """One stream of a container.

    Attributes:
        id: its number in the container (track_ID, TrackNumber, PID).
        sample_entries: codes of its sample descriptions ("avc1", "gpmd", "djmd", "mebx" ...).
        handler: name of the media handler; `handler_type` its code.
        header_created, header_modified, media_created, media_modified: clocks of the track's and the medium's header.
        edits: its edit list; more than one entry, a pause or a rate other than 1 change what is shown and when.
        timecode: first label of a time code track; `drop_frame` whether labels are left out.
        first_pts_s, last_pts_s: first and last presentation time in a transport stream.
        content: what the container says that it carries, where that is no picture or sound.
    """

    index: int
    type: str
    codec: str | None = None
    codec_tag: str | None = None
    width: int | None = None
    height: int | None = None
    fps: Real | None = None
    frames: int | None = None
    duration_s: Real | None = None
    sample_rate: int | None = None
    channels: int | None = None
    rotation: Real | None = None
    handler: str | None = None
    language: str | None = None
    created: str | None = None
    encoder: str | None = None
    id: int | None = None
    sample_entries: tuple[str, ...] = ()
    handler_type: str | None = None
    compressor: str | None = None
    header_created: TextFact = TextFact()
    header_modified: TextFact = TextFact()
    media_created: TextFact = TextFact()
    media_modified: TextFact = TextFact()
    edits: tuple[Edit, ...] = ()
    timecode: str | None = None
    drop_frame: bool | None = None
    first_pts_s: Real | None = None
    last_pts_s: Real | None = None
    content: str | None = None


class ContainerPart(_Record):
    """One box, chunk or element of the file itself: code, place and length in bytes."""

    name: str
    at: int
    size: int
    large: bool = False


class RawData(_Record):
    """Data of a kind that is not read: where it stands, its length in bytes, its first bytes in hex, text if it is."""

    path: str
    size: int
    head: str
    text: str | None = None


class ProgramFacts(_Record):
    """One program of a transport stream; `pids` are those of its streams."""

    number: int
    pmt_pid: int
    pcr_pid: int | None = None
    provider: str | None = None
    service: str | None = None
    pids: tuple[int, ...] = ()


class ContainerFacts(_Record):
    """The container of a video; `codec`, `fps` and `rotation` are those of its first video track.

    Attributes:
        index_position: "before media data" or "after media data" (where the moov box stands); a player needs it first,
            a recorder can write it only last.
        fragments: number of movie fragments.
        large_boxes: boxes of the file whose size is written in 64 bits.
        encoder: program that wrote the container; `encoder_settings` what the encoder left among the pictures.
        timecode: first label of the time code.
        capture_fps: pictures a second at which a slow-motion recording was taken, where that is stated.
        unknown: data of kinds that are not read, kept by their first bytes.
    """

    brand: TextFact = TextFact()
    minor_version: IntegerFact = IntegerFact()
    compatible_brands: tuple[str, ...] = ()
    duration_s: NumberFact = NumberFact()
    codec: TextFact = TextFact()
    fps: NumberFact = NumberFact()
    rotation: NumberFact = NumberFact()
    encoder: TextFact = TextFact()
    trailing_bytes: IntegerFact = IntegerFact()
    tracks: tuple[Track, ...] = ()
    writing_application: TextFact = TextFact()
    encoder_settings: TextFact = TextFact()
    index_position: TextFact = TextFact()
    fragments: IntegerFact = IntegerFact()
    large_boxes: IntegerFact = IntegerFact()
    timecode: TextFact = TextFact()
    capture_fps: NumberFact = NumberFact()
    packet_bytes: IntegerFact = IntegerFact()
    programs: tuple[ProgramFacts, ...] = ()
    layout: tuple[ContainerPart, ...] = ()
    unknown: tuple[RawData, ...] = ()


class EditingTrace(_Record):
    """A mark that a program left."""

    kind: Literal["software", "history", "derived_from", "encoder"]
    text: str
    source: str


class RestsOn(_Record):
    """A value that a finding rests on.

    Attributes:
        fact: path in this record, such as "time.capture_local"; null for what only a parser saw.
        value: as the record has it.
        source: tool and tag, as at the fact.
    """

    fact: str | None = None
    value: str | int | Real | None = None
    source: str | None = None


class Finding(_Record):
    """A neutral remark for a lawyer or analyst; it says what a fact is consistent with, never what it proves.

    Attributes:
        rests_on: the values it was drawn from.
        docs: section of the documentation that says what else explains it, and what to ask next.
    """

    code: str
    severity: Severity
    text: str
    rests_on: tuple[RestsOn, ...] = ()
    docs: str | None = None


class MediaMetadata(_Record):
    """Everything that one file testifies to.

    Attributes:
        tools: name and version of each parser used.
        raw: tool, then tag, then text: what each tool read, bounded in size.
    """

    v: Literal[1] = 1
    type: Literal["media metadata"] = "media metadata"
    file: FileFacts
    device: DeviceFacts = DeviceFacts()
    time: TimeFacts = TimeFacts()
    position: PositionFacts = PositionFacts()
    attitude: AttitudeFacts = AttitudeFacts()
    exposure: ExposureFacts = ExposureFacts()
    image: ImageFacts = ImageFacts()
    description: DescriptionFacts = DescriptionFacts()
    container: ContainerFacts = ContainerFacts()
    editing: tuple[EditingTrace, ...] = ()
    c2pa: C2paFacts = C2paFacts()
    thumbnail: ThumbnailFacts = ThumbnailFacts()
    track: PositionTrack = PositionTrack()
    findings: tuple[Finding, ...] = ()
    tools: dict[str, str] = Field(default_factory=dict)
    raw: dict[str, dict[str, str]] = Field(default_factory=dict)
