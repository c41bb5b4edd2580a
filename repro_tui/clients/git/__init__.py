"""Reads git repositories through our own bare clones in the cache; the user's repositories are never changed.

`clone` keeps the clone, `repository` reads commits, trees and history from it, and `checkout` writes a commit out as a
plain checkout would have it.
"""

from repro_tui.clients.git.commits import Commit, Log
from repro_tui.clients.git.location import check_location, clone_folder, show_location
from repro_tui.clients.git.repository import Repository

__all__ = ["Commit", "Log", "Repository", "check_location", "clone_folder", "show_location"]
