"""What to do about an error of the system (OSError): each cause has its own remedy, whichever step met it."""

from __future__ import annotations

import errno

from repro_tui.support.regular import NotRegularError
from repro_tui.support.space import ROOM
from repro_tui.support.text import show

_RIGHTS = "check its owner and permissions, and those of the folders above it, or run this as a user who may access it"
_NETWORK = "check the network, and that the server is running, and try again"
_LOCAL = "use a folder on a local disk (REPRO_TUI_CACHE and REPRO_TUI_AUDITS name those of repro-tui)"
_DISK = "check the disk and its file system (dmesg reports their errors), and try again"
_REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "mount its file system for writing, or name another place",
    errno.ENOENT: "correct the path; if it is right, something else removed this during the command, so run it again",
    errno.EEXIST: "move it away, or name another place",
    errno.ENOTEMPTY: "end the program that is writing to it, and try again",
    errno.ENOTDIR: "correct the path: a part of it is a file, not a folder",
    errno.EISDIR: "name a file, not a folder",
    errno.ELOOP: "correct the path: a link in it leads back to itself",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.EMFILE: "raise the limit on open files (ulimit -n), and try again",
    errno.ENFILE: "end other programs, or raise fs.file-max: this machine has no more open files",
    errno.ENOMEM: "free some memory of this machine, and try again",
    errno.EAGAIN: "end other programs, or raise the limit on processes (ulimit -u), and try again",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or use another file system",
    errno.EIO: _DISK,
    errno.EUCLEAN: _DISK,
    errno.EBADMSG: _DISK,
    errno.ENODEV: _DISK,
    errno.ENXIO: _DISK,
    errno.ESTALE: "mount the network file system again, and try again",
    errno.ENOTCONN: "mount the network file system again, and try again",
    errno.ENOLCK: _LOCAL,
    errno.ENOSYS: _LOCAL,
    errno.EOPNOTSUPP: _LOCAL,
    errno.EXDEV: _LOCAL,
    errno.EBUSY: "end the program that is using it, and try again",
    errno.ETXTBSY: "end the program that is using it, and try again",
    errno.ENOEXEC: "install the program for this machine's processor",
    errno.ECONNREFUSED: _NETWORK,
    errno.ECONNRESET: _NETWORK,
    errno.ECONNABORTED: _NETWORK,
    errno.ETIMEDOUT: _NETWORK,
    errno.EHOSTUNREACH: _NETWORK,
    errno.ENETUNREACH: _NETWORK,
    errno.EPIPE: _NETWORK,
}
_ANY = "check it, and the disk that it is on, and try again"
_REGULAR = "name a regular file"


def system_remedy(error: OSError) -> str:
    """The remedy for this cause, as the end of a sentence."""
    if isinstance(error, NotRegularError):
        return "name a smaller file, without holes" if error.errno == errno.EFBIG else _REGULAR
    return _REMEDIES.get(error.errno or 0, _ANY)


def system_reason(error: OSError, place: str = "the system") -> str:
    """The place of an error, `place` if it has none of its own, and what the system says; in one line."""
    named = error.filename2 or error.filename
    named = named.decode("utf-8", "surrogateescape") if isinstance(named, bytes) else named
    return f"{show(str(named), 300) if named else place}: {show(str(error.strerror or error), 300)}"


def system_message(error: OSError, place: str = "the system") -> str:
    """What happened, to which thing, and the remedy, in one line."""
    return f"{system_reason(error, place)}: {system_remedy(error)}"
