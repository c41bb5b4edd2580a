"""The sandboxes of this machine: which is chosen, what a child sees in it, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from repro_tui.model.errors import Refused
from repro_tui.model.request import Settings
from repro_tui.model.run import IsolationKind
from repro_tui.support import isolation
from repro_tui.support.cancel import CancelToken
from repro_tui.support.isolation import choose, failure, inside, sandboxed
from repro_tui.support.process import Completed, run
from tests.conftest import need

KINDS: tuple[IsolationKind, ...] = ("bubblewrap", "namespace")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> IsolationKind:
    works: IsolationKind = request.param
    need("bubblewrap", not failure(works), failure(works))
    return works


def executed(kind: IsolationKind, script: str, *mounts: tuple[str, str, bool], network: bool = False) -> Completed:
    command = inside({"PATH": PATH}, "/", ["sh", "-c", script])
    started = [*sandboxed(kind, mounts, network=network), *command]
    return run(started, environment={"PATH": PATH}, cancel=CancelToken(), timeout_s=60)


def test_a_trial_that_was_begun_early_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever needs the sandbox waits for the trial that is under way, and gets what it found."""
    need("bubblewrap", not failure("bubblewrap"), failure("bubblewrap"))
    trials, trial = list[IsolationKind](), isolation._failure

    def counted(kind: IsolationKind) -> str:
        trials.append(kind)
        return trial(kind)

    monkeypatch.setattr(isolation, "_working", set())
    monkeypatch.setattr(isolation, "_failure", counted)
    isolation.try_early(Settings(isolation="bubblewrap"))
    assert choose(Settings(isolation="bubblewrap")) == "bubblewrap"
    assert trials == ["bubblewrap"]


# -- which ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH, in a process that has tried no sandbox yet."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{PATH}")
    monkeypatch.setattr(isolation, "_working", set())
    return tmp_path


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/bash\n{script}\n")
    (folder / name).chmod(0o755)


# A bubblewrap that leaves out one of its walls, and how that is noticed.
WEAKER = {
    '[ "$word" = --unshare-all ] && kept+=(--unshare-user --unshare-pid) && word=--unshare-uts': "interfaces: ",
    '[ "$word" = --remount-ro ] && word=--chmod && kept+=(--chmod 0755 /) && skip=1 && continue': "root: writable",
    '[ "$word" = --seccomp ] && skip=1 && continue': "system calls: not filtered",
    '[ "$word" = /proc/sys ] && word=/mnt': "kernel settings: writable",
    '[ "$word" = --proc ] && kept+=(--ro-bind /tmp /seen)': "",
}
SCRIPT = """kept=(); skip=
for word; do
  if [ -n "$skip" ]; then skip=; continue; fi
  if [ "$word" = -- ]; then plain=1; fi
  if [ -z "$plain" ]; then {weakness}; fi
  kept+=("$word")
done
exec /usr/bin/bwrap "${{kept[@]}}"
"""


@pytest.mark.parametrize(("weakness", "noticed"), WEAKER.items())
def test_a_bubblewrap_that_leaves_something_open_is_not_chosen(programs: Path, weakness: str, noticed: str) -> None:
    need("bubblewrap", shutil.which("bwrap") is not None, "bubblewrap is not installed")
    put(programs, "bwrap", SCRIPT.format(weakness=weakness))
    assert noticed in failure("bubblewrap")
    assert bool(failure("bubblewrap")) == bool(noticed)
    assert choose(Settings()) == ("namespace" if noticed else "bubblewrap")


def test_no_isolation_at_all_is_noticed(programs: Path) -> None:
    put(programs, "bwrap", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    reason = failure("bubblewrap")
    for shortcoming in ("host files: visible", "root: writable", "new privileges: possible", "interfaces: "):
        assert shortcoming in reason


def test_where_none_holds_it_is_refused_with_the_reasons_and_what_to_install(programs: Path) -> None:
    put(programs, "bwrap", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1")
    put(programs, "unshare", "echo 'unshare: unshare failed: Operation not permitted' >&2; exit 1")
    with pytest.raises(Refused) as refused:
        choose(Settings())
    text = str(refused.value)
    assert "bubblewrap: bwrap: No permissions" in text
    assert "namespace: unshare: unshare failed" in text
    assert "allow unprivileged user namespaces" in text


def test_programs_that_are_not_installed_are_named(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(Refused, match="apt install bubblewrap"):
        choose(Settings())
    assert failure("bubblewrap") == "bwrap is not installed"
    assert failure("namespace") == "unshare is not installed"


def test_a_processor_without_a_filter_has_no_sandbox(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    with pytest.raises(Refused, match="x86_64 or aarch64"):
        choose(Settings())
    for kind in KINDS:
        if shutil.which({"bubblewrap": "bwrap", "namespace": "unshare"}[kind]):
            assert failure(kind) == "system calls cannot be filtered on s390x"


PYTHON = "/usr/bin/python3"
OF_A_USER = """
import os, sys
from repro_tui.support.isolation import failure
print(os.getuid(), [failure(kind) for kind in ("bubblewrap", "namespace")] if sys.version_info >= (3, 11) else "")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs the other tests already")
@pytest.mark.skipif(not Path(PYTHON).exists(), reason="the machine's own Python is not installed")
def test_both_sandboxes_hold_for_an_ordinary_user() -> None:
    """Root may do more in its namespaces than others: that is no measure of what works for them."""
    need("bubblewrap", not any(map(failure, KINDS)), ", ".join(map(failure, KINDS)))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(Path(isolation.__file__).parents[1], Path(folder, "repro_tui"))
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        command = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", PYTHON, "-c", OF_A_USER]
        variables = {"PATH": PATH, "PYTHONPATH": folder}
        done = run(command, environment=variables, cancel=CancelToken(), folder=Path("/"), timeout_s=60)
    if done.text.strip() == "1000":
        pytest.skip("the machine's own Python is older than 3.11")
    assert done.text == "1000 ['', '']\n"


# -- what is seen ---------------------------------------------------------------------------------------------------


def test_both_sandboxes_look_the_same() -> None:
    """So that a run gives the same on machines with and without bubblewrap."""
    script = (
        "id; hostname; pwd; umask; ls -1 / /dev /etc /tmp /proc/sys | grep -v core; cat /proc/net/dev | cut -d: -f1;"
        "cat /etc/passwd; readlink /bin /lib /dev/stdin /proc/self/fd/0; env; stat -c '%n %a %F' /dev/* /tmp / /etc;"
        "ulimit -a; cut -d' ' -f5,6 /proc/self/mountinfo | grep -v -E ' rw.*relatime|/proc' | sort"
    )
    texts = []
    for kind in KINDS:
        need("bubblewrap", not failure(kind), failure(kind))
        done = executed(kind, script)
        assert done.exit_code == 0, done.text
        texts.append(done.text.splitlines())
    assert texts[0] == texts[1]


def test_what_is_mounted_beneath_a_mount_is_read_only_too(kind: IsolationKind, tmp_path: Path) -> None:
    outer, name = tmp_path / "a folder", 'b\\ "c"'
    (outer / name).mkdir(parents=True)
    if os.geteuid():
        pytest.skip("only root can mount a file system outside of a sandbox")
    prefix = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs probe "$1" && touch "$1/file" && shift && exec "$@"',
        "sh",
    ]
    script = (
        'ls /shown/*; for path in /shown/x /shown/*/x /shown/*/file; do (: > "$path") 2>/dev/null && echo "$path"; done'
    )
    command = [*sandboxed(kind, [(str(outer), "/shown", False)]), *inside({"PATH": PATH}, "/", ["sh", "-c", script])]
    done = run([*prefix, str(outer / name), *command], environment={"PATH": PATH}, cancel=CancelToken(), timeout_s=60)
    assert done.text.splitlines() == ["file"]


def test_a_mount_that_may_be_written_to_is_written_to(kind: IsolationKind, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    (tmp_path / "file").write_text("shown")
    shown = (str(tmp_path / "file"), "/deep/down/file", False)
    done = executed(kind, "cat /deep/down/file > /out/copy", (str(tmp_path / "link"), "/out", True), shown)
    assert done.exit_code == 0, done.text
    assert (tmp_path / "out" / "copy").read_text() == "shown"


def test_a_mount_of_what_does_not_exist_is_said(kind: IsolationKind) -> None:
    done = executed(kind, "true", ("/does/not/exist", "/shown", False))
    assert done.exit_code != 0
    assert "/does/not/exist" in done.text
    assert "Traceback" not in done.text


# -- how it ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("kill -ABRT $$", 128 + signal.SIGABRT), ("kill -TERM $$", 128 + 15)]
)
def test_the_end_of_the_command_is_that_of_the_sandbox(kind: IsolationKind, script: str, status: int) -> None:
    assert executed(kind, script).exit_code == status


def test_no_orphan_is_left_unattended(kind: IsolationKind) -> None:
    """The first process collects what has lost its parent."""
    script = "for i in 1 2 3; do (sleep 0.1 &); done; sleep 1; grep -h '^State' /proc/[0-9]*/status | grep -c Z"
    assert executed(kind, script).text.strip() == "0"


def test_a_command_that_does_not_exist_is_said(kind: IsolationKind) -> None:
    done = run(
        [*sandboxed(kind, ()), *inside({"PATH": PATH}, "/", ["no-such-program"])],
        environment={"PATH": PATH},
        cancel=CancelToken(),
        timeout_s=60,
    )
    assert done.exit_code == 127
    assert "no-such-program" in done.text
