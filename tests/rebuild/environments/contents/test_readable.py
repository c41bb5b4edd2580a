"""Which files of an image only some users may read, and who is chosen to read them."""

from __future__ import annotations

import io

import pytest

from repro_tui.execute.docker_user import choose_user
from repro_tui.model.inventory import Inventory
from repro_tui.rebuild.environments.contents.image_files import ImageView
from repro_tui.rebuild.environments.contents.readable import MOST_CLOSED, accounts_of, closed_files

PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\napp:x:1000:1000::/home/app:\nodd\n"
)


def view(files: dict[str, str], folders: dict[str, str] | None = None) -> ImageView:
    """An image with these files and folders, by their mode and owner."""
    seen = ImageView(every=True)
    for name, marks in {"etc/passwd": "0644 0:0", **files}.items():
        content = (PASSWD if name == "etc/passwd" else "x").encode()
        seen.add_file(name, io.BytesIO(content), len(content), marks)
    for name, marks in (folders or {}).items():
        seen.add_folder(name, marks)
    return seen


def inventory(seen: ImageView, user: str = "") -> Inventory:
    return Inventory(image={"user": user} if user else {}, closed=closed_files(seen), accounts=accounts_of(seen))


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        ({"app/model.bin": "0644 0:0"}, {"app": "0755 0:0"}),
        ({"etc/shadow": "0640 0:42", "var/log/apt/term.log": "0640 0:4", "etc/ssl/private/x.key": "0640 0:108"}, {}),
        ({"root/.bashrc": "0644 0:0", "root/.cache/pip/http/a": "0600 0:0"}, {"root": "0700 0:0"}),
        ({"usr/bin/sudo": "4111 0:0", "etc/crontabs/root": "0600 0:0", "root/anaconda-ks.cfg": "0600 0:0"}, {}),
        ({}, {"root": "0700 0:0", "var/cache/apt/archives/partial": "0700 42:0"}),
    ],
)
def test_what_no_step_needs_leaves_it_to_nobody(files: dict[str, str], folders: dict[str, str]) -> None:
    seen = view(files, folders)
    assert closed_files(seen) == {}
    assert choose_user(inventory(seen), "auto", lambda: False).user == "65534:65534"


def test_a_closed_folder_closes_the_files_in_it() -> None:
    seen = view({"root/models/a.bin": "0644 0:0", "root/.profile": "0644 0:0"}, {"root": "0700 0:0", "opt": "0700 0:0"})
    assert closed_files(seen) == {"/root/": "0700 0:0"}
    user = choose_user(inventory(seen), "auto", lambda: False)
    assert (user.user, user.unread, user.variables["HOME"], user.variables["USER"]) == ("0:0", {}, "/root", "root")


@pytest.mark.parametrize(
    ("marks", "user", "unread"),
    [
        (("0600 1000:1000", "0640 1000:0"), "1000:1000", 0),
        (("0600 0:0", "0640 1000:0"), "0:0", 0),
        (("0600 0:0", "0600 1000:1000"), "0:0", 1),
        (("0040 0:7",), "0:0", 1),
        (("0640 5:65534",), "65534:65534", 0),
    ],
)
def test_the_user_who_reads_most(marks: tuple[str, ...], user: str, unread: int) -> None:
    seen = view({f"app/{number}": mark for number, mark in enumerate(marks)})
    chosen = choose_user(inventory(seen), "auto", lambda: False)
    assert (chosen.user, len(chosen.unread)) == (user, unread)


@pytest.mark.parametrize(
    ("own", "requested", "user", "uid", "gid", "home"),
    [
        ("app", "auto", "app", 1000, 1000, "/home/app"),
        ("1000", "auto", "1000", 1000, 1000, "/home/app"),
        ("1234:5", "auto", "1234:5", 1234, 5, "/tmp"),
        ("app:7", "auto", "app:7", 1000, 7, "/home/app"),
        ("root", "auto", "0:0", 0, 0, "/tmp"),
        ("app", "root", "root", 0, 0, "/tmp"),
    ],
)
def test_the_images_own_user_and_the_given_one(
    own: str, requested: str, user: str, uid: int, gid: int, home: str
) -> None:
    seen = view({"home/app/model": "0600 1000:1000", "app/x": "0600 0:0"})
    chosen = choose_user(inventory(seen, own), requested, lambda: False)
    assert (chosen.user, chosen.uid, chosen.gid, chosen.variables["HOME"]) == (user, uid, gid, home)


def test_where_the_engine_remaps_users_root_is_taken() -> None:
    chosen = choose_user(inventory(view({"app/x": "0600 1000:1000"})), "auto", lambda: True)
    assert chosen.user == "0:0"
    assert "maps to an unprivileged user" in chosen.why


def test_many_closed_files_are_cut_but_for_one_of_each_owner() -> None:
    files = {f"app/{number:05}": "0600 0:0" for number in range(MOST_CLOSED + 10)} | {"zz/last": "0600 9:9"}
    closed = closed_files(view(files))
    assert len(closed) == MOST_CLOSED + 1
    assert closed["/zz/last"] == "0600 9:9"


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("PermissionError: [Errno 13] Permission denied: '/app/x'", "/app/x has mode and owner 0600 0:0"),
        ("open model/y: permission denied", ""),
        ("PermissionError: [Errno 13] Permission denied: 'model/y'", "/app/model/ has mode and owner 0700 0:0"),
        ("cannot open shared object file", None),
    ],
)
def test_a_denial_is_explained(line: str, place: str | None) -> None:
    seen = view({"app/x": "0600 0:0", "app/model/y": "0644 0:0"}, {"app/model": "0700 0:0"})
    listed = inventory(seen)
    denial = choose_user(listed, "nobody", lambda: False).denial(("before", line), "/app", listed)
    assert (denial == "") == (place is None)
    assert (place or "") in denial
    assert place is None or denial.startswith("it ran as nobody (given by --user)")
