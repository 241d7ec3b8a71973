"""The EXIF tags that facts are taken from, by IFD and number (EXIF 2.32 section 4.6)."""

from __future__ import annotations

from typing import Final

from app.analysis.probes.tiff import TagKey

EXIF_NAMES: Final[dict[TagKey, str]] = {
    ("IFD0", 0x0100): "ImageWidth",
    ("IFD0", 0x0101): "ImageLength",
    ("IFD0", 0x010F): "Make",
    ("IFD0", 0x0110): "Model",
    ("IFD0", 0x0112): "Orientation",
    ("IFD0", 0x0131): "Software",
    ("IFD0", 0x0132): "DateTime",
    ("IFD0", 0xC62F): "CameraSerialNumber",
    ("EXIF", 0x829A): "ExposureTime",
    ("EXIF", 0x829D): "FNumber",
    ("EXIF", 0x8827): "ISOSpeedRatings",
    ("EXIF", 0x9003): "DateTimeOriginal",
    ("EXIF", 0x9004): "DateTimeDigitized",
    ("EXIF", 0x9010): "OffsetTime",
    ("EXIF", 0x9011): "OffsetTimeOriginal",
    ("EXIF", 0x9012): "OffsetTimeDigitized",
    ("EXIF", 0x9290): "SubSecTime",
    ("EXIF", 0x9291): "SubSecTimeOriginal",
    ("EXIF", 0x9292): "SubSecTimeDigitized",
    ("EXIF", 0x920A): "FocalLength",
    ("EXIF", 0xA405): "FocalLengthIn35mmFilm",
    ("EXIF", 0xA431): "BodySerialNumber",
    ("EXIF", 0xA434): "LensModel",
    ("EXIF", 0xA435): "LensSerialNumber",
    ("GPS", 0x01): "GPSLatitudeRef",
    ("GPS", 0x02): "GPSLatitude",
    ("GPS", 0x03): "GPSLongitudeRef",
    ("GPS", 0x04): "GPSLongitude",
    ("GPS", 0x05): "GPSAltitudeRef",
    ("GPS", 0x06): "GPSAltitude",
    ("GPS", 0x07): "GPSTimeStamp",
    ("GPS", 0x0B): "GPSDOP",
    ("GPS", 0x0C): "GPSSpeedRef",
    ("GPS", 0x0D): "GPSSpeed",
    ("GPS", 0x10): "GPSImgDirectionRef",
    ("GPS", 0x11): "GPSImgDirection",
    ("GPS", 0x12): "GPSMapDatum",
    ("GPS", 0x1D): "GPSDateStamp",
    ("GPS", 0x1F): "GPSHPositioningError",
}
