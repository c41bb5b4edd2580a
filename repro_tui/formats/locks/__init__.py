"""Lock files as data: the pinned packages of a project for one Python and platform, a file for each format."""

from repro_tui.formats.locks.base import Locked
from repro_tui.formats.locks.read import locked

__all__ = ["Locked", "locked"]
