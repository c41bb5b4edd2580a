"""Data that `dvc import` and `dvc import-url` brought: it is where it came from, and need not be in the remote.

`dvc import` records a repository and the commit `rev_lock`; DVC does not push such data. There the path is tracked by
DVC, or is in git. A commit of another machine cannot name a repository of this one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from repro_tui.clients.dvc.configuration import DvcPlace
from repro_tui.clients.dvc.objects import DvcObjects, text_md5
from repro_tui.clients.git import Repository, show_location
from repro_tui.clients.git.access import Access
from repro_tui.clients.git.checkout import check_out
from repro_tui.clients.git.location import local_git_dir
from repro_tui.clients.remote_files import fetch_object, open_system
from repro_tui.formats.dvc_files import Origin, Tracked, find_tracked
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.support.cache import Stored
from repro_tui.support.hashes import digest_file
from repro_tui.support.paths import real_path
from repro_tui.support.redact import strip_url
from repro_tui.support.regular import is_regular, open_regular
from repro_tui.support.text import show
from repro_tui.support.walks import walk

Files = dict[str, tuple[Stored, str]]  # by relative path ("" for a single file): the object, and its recorded md5


def fetch_imported(objects: DvcObjects, tracked: Tracked) -> Files:
    """The files of a path that DVC tracks, from the stores or from where they were imported. Raises Inconclusive."""
    try:
        return fetch_tracked(objects, tracked)
    except Inconclusive as error:
        if tracked.origin is None:
            raise
        try:
            return _Import(objects, tracked, tracked.origin).fetch()
        except (Inconclusive, Refused) as second:
            reason, action = (second.what, second.do) if isinstance(second, Inconclusive) else (str(second), "")
            problem = f"{error.what}; and where it was imported from: {reason}"
            raise Inconclusive(problem, action or error.do) from second


def fetch_tracked(objects: DvcObjects, tracked: Tracked) -> Files:
    """The files of a path that DVC tracks, from the stores. Raises Inconclusive."""
    if not tracked.md5.endswith(".dir"):
        return {"": (objects.file(tracked), tracked.md5)}
    return objects.folder(tracked)


class _Import:
    """One import: its entry in the `.dvc` file, and the objects of the project that imported it."""

    def __init__(self, objects: DvcObjects, tracked: Tracked, origin: Origin) -> None:
        self.objects, self.tracked, self.origin, self.context = objects, tracked, origin, objects.context

    def fetch(self) -> Files:
        self.objects.cached = False
        if not self.origin.repository:
            return self._from_url()
        location = self._location()
        repository = Repository.open(location, self.context, self._access(location))
        tree = check_out(lambda: repository, self.origin.commit, self.context).folder
        path = str(PurePosixPath(self.origin.path.lstrip("/")))
        if (tree / path).exists():
            return self._from_git(tree / path)
        source = find_tracked(tree, path)
        local = Path(location) if Path(location).is_dir() else None
        place = _project(DvcPlace(tree, local, location), path)
        asked = DvcObjects(place, self.context, self.objects.warn)
        return fetch_tracked(asked, Tracked(self.tracked.md5, legacy=source.legacy))

    def _location(self) -> str:
        """The location of the source repository; a relative path begins at the local repository."""
        url, place = self.origin.repository, self.objects.place
        local = local_git_dir(place.location) is not None
        remote = url.startswith(("https://", "ssh://")) or (
            ":" in url and "://" not in url and "/" not in url[: url.index(":")]
        )
        if remote:
            return url
        if not local:
            raise Inconclusive(
                f"{show(show_location(url), 200)} is a path on another machine",
                "record a clone of the repository, and run dvc fetch in it",
            )
        return url if url.startswith(("/", "file://")) else str(real_path(Path(place.location) / url))

    def _access(self, location: str) -> Access | None:
        """The user's GIT_ASKPASS is not asked for a host that only the commit names."""
        return Access().at(location) if location.startswith("https://") and "@" not in location else None

    def _from_git(self, path: Path) -> Files:
        if path.is_symlink() or (path.is_dir() and any(entry.is_symlink() for _, entry in walk(path))):
            raise Inconclusive(f"{show(self.origin.path, 200)} has links", "import a path without links")
        if is_regular(path):
            with open_regular(path) as stream:
                return {
                    "": (self._checked(self.context.cache.add_object(stream, self.context.cancel)), self.tracked.md5)
                }
        names = sorted(name for name, entry in walk(path) if entry.is_file())
        return {name: self._kept(path / name) for name in names} if self._same_folder(path, names) else {}

    def _kept(self, file: Path) -> tuple[Stored, str]:
        with open_regular(file) as stream:
            stored = self.context.cache.add_object(stream, self.context.cancel)
        return stored, stored.md5 or ""

    def _same_folder(self, folder: Path, names: list[str]) -> bool:
        import json

        entries = [{"md5": digest_file(folder / name, md5=True).md5, "relpath": name} for name in names]
        digest = hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        if f"{digest}.dir" != self.tracked.md5:
            raise self._differs(digest + ".dir")
        return True

    def _from_url(self) -> Files:
        url = self.origin.path
        if "://" not in url or self.tracked.md5.endswith(".dir"):
            raise Inconclusive(
                f"{show(strip_url(url) if '://' in url else url, 200)} is not the URL of a file",
                "run dvc push where the data is",
            )
        system, path = open_system(url)
        return {"": (self._checked(fetch_object(system, path, url, self.context)), self.tracked.md5)}

    def _checked(self, stored: Stored) -> Stored:
        legacy = self.tracked.legacy and text_md5(stored.file) == self.tracked.md5
        if stored.md5 != self.tracked.md5 and not legacy:
            raise self._differs(stored.md5 or "")
        return stored

    def _differs(self, digest: str) -> Inconclusive:
        return Inconclusive(
            f"it has other data now: recorded md5 {self.tracked.md5}, fetched md5 {digest}",
            "restore the recorded data, or run dvc update and commit if the change is intended",
        )


def _project(place: DvcPlace, path: str) -> DvcPlace:
    """The DVC project of a path: the nearest folder above it that has a `.dvc`."""
    assert place.tree is not None
    for folder in PurePosixPath(path).parents:
        if (place.tree / folder / ".dvc").is_dir():
            return DvcPlace(place.tree / folder, place.local / folder if place.local else None, place.location)
    return place
