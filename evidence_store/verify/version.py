"""Which verifier this is: every report says so."""

from __future__ import annotations

NAME = "catena verify"
VERSION = "0.1.0"
