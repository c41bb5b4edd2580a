"""Asks a server over HTTP: asker.py JOB.json. Written by repro-tui; needs a Python of 3.7 or later and nothing else.

It runs on this machine to ask a live endpoint, and inside a container to ask the server of an image. The job says
where to ask, what, and into which files answers go; `result.json` beside them tells how it ended. No redirect is
followed, no proxy is used, and no answer is read further than the job allows.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

Job = Dict[str, Any]
Place = Tuple[str, int]
RETRIED = (429, 502, 503, 504)
CONNECT_S = 10.0
LONGEST_WAIT_S = 30.0
ERROR_BYTES = 65536
LISTENING = "0A"


class Failed(Exception):
    """The job cannot go on: the message says why."""


class Broken(Exception):
    """One attempt failed in a way that another may not."""


class Connection:
    """One connection to the server, made when it is first used and anew after a fault."""

    def __init__(self, job: Job, host: str, port: int) -> None:
        self.job, self.host, self.port = job, host, port
        self.open: Optional[http.client.HTTPConnection] = None

    def ask(self, ask: Job, target: Path) -> Tuple[int, int, str]:
        """One attempt: status, bytes written to `target`, and when to ask again. Raises Broken or Failed."""
        try:
            return self._ask(ask, target)
        except ssl.SSLCertVerificationError as error:
            raise Failed(f"the certificate cannot be verified ({error.verify_message})") from error
        except ssl.SSLError as error:
            raise Failed(f"it does not speak TLS as it should ({error.reason})") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(_words(error)) from error

    def _ask(self, ask: Job, target: Path) -> Tuple[int, int, str]:
        connection = self._opened()
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "repro-tui"}
        headers.update(self.job["headers"])
        body = Path(ask["body"]).read_bytes() if ask["body"] else None
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(ask["method"], ask["path"], body=body, headers=headers)
        answer = connection.getresponse()
        size = self._read(answer, target)
        if answer.will_close:
            self.close()
        return answer.status, size, answer.headers.get("Retry-After", "")

    def _read(self, answer: http.client.HTTPResponse, target: Path) -> int:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise Failed("it answers in a compressed form that was not asked for")
        size, most = 0, self.job["most"] if answer.status == 200 else ERROR_BYTES
        with target.open("wb") as stream:
            while True:
                chunk = answer.read(65536)
                if not chunk:
                    break
                size += len(chunk)
                if size > most:
                    self.close()
                    if answer.status != 200:
                        return size
                    raise Failed(f"the answer has more than {most:,} bytes")
                stream.write(chunk)
        if answer.length:  # the server promised more than it sent
            raise http.client.IncompleteRead(b"", answer.length)
        return size

    def _opened(self) -> http.client.HTTPConnection:
        if self.open is None:
            if self.job["scheme"] == "https":
                context = ssl.create_default_context()
                made: http.client.HTTPConnection = http.client.HTTPSConnection(
                    self.host, self.port, timeout=CONNECT_S, context=context
                )
            else:
                made = http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_S)
            self.open = made
            made.connect()
            made.sock.settimeout(self.job["timeout_s"])
        return self.open

    def close(self) -> None:
        """Gives the connection up."""
        if self.open is not None:
            self.open.close()
            self.open = None


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection is refused"
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "it does not answer in time"
    if isinstance(error, (http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionError)):
        return "it ended the connection before it had answered"
    return f"the connection failed ({getattr(error, 'strerror', None) or type(error).__name__})"


class Asker:
    """Works through a job."""

    def __init__(self, job: Job) -> None:
        self.job, self.host, self.port = job, job["host"], job["port"]
        self.folder = Path(job["folder"])
        self.statuses = [0] * len(job["asks"])
        self.next, self.lock = 0, threading.Lock()
        self.failed: Optional[Job] = None
        self.silence = ""

    def run(self) -> None:
        """The whole job; what failed is in `failed`."""
        try:
            self.find()
            most = min(self.job["concurrency"], len(self.job["asks"]))
            workers = [threading.Thread(target=self.work, daemon=True) for _ in range(most)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        except Failed as error:
            self.failed = {"words": "", "what": str(error), "status": 0}

    # -- the server -------------------------------------------------------------------------------------------------

    def find(self) -> None:
        """Waits until the server is ready; where no port was given, finds the one that it listens at."""
        deadline, pause = time.monotonic() + self.job["wait_s"], 0.05
        while self.job["ready"]:
            seen, place = self.look()
            if place:
                self.host, self.port = place
                (self.folder / "found").touch()
                print(f"the server at port {self.port} is ready", flush=True)
                return
            if time.monotonic() > deadline:
                raise Failed(seen)
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)

    def look(self) -> Tuple[str, Optional[Place]]:
        """What is seen of the server now, and its place where it is ready."""
        seen, silent = "nothing listens there", None
        for place in self.places():
            statuses, seen = self.statuses_of(*place)
            if 200 in statuses:
                return "", place
            if statuses and all(status in (404, 405) for status in statuses):
                silent = silent or place  # it speaks HTTP, and has no word for ready
            elif statuses and self.job["port"] and statuses[-1] not in RETRIED:
                raise Failed(seen)
        if silent and self.job["strict"] and self.job["port"]:
            raise Failed(seen)
        return seen, (None if self.job["strict"] else silent)

    def places(self) -> List[Place]:
        """Where it may listen: the given port, else every port that something listens at, the usual ones first."""
        if self.job["port"]:
            return [(self.host, self.job["port"])]
        usual = self.job["ports"]
        return sorted(listening(), key=lambda at: (usual.index(at[1]) if at[1] in usual else len(usual), at))

    def statuses_of(self, host: str, port: int) -> Tuple[List[int], str]:
        """What the server there answers when it is asked whether it is ready, also in words."""
        connection = Connection(self.job, host, port)
        found: List[int] = []
        words = ""
        try:
            for path in self.job["ready"]:
                found.append(connection.ask({"method": "GET", "path": path, "body": None}, self.folder / "ready")[0])
                words = f"asked whether it is ready ({path.partition('?')[0]}), it answers with status {found[-1]}"
                if found[-1] == 200:
                    break
        except Broken as error:
            words = str(error)
        finally:
            connection.close()
        return found, words

    # -- the questions ----------------------------------------------------------------------------------------------

    def work(self) -> None:
        """One worker: takes the next question until there is none, or one has failed."""
        connection = Connection(self.job, self.host, self.port)
        try:
            while True:
                with self.lock:
                    number = self.next
                    self.next += 1
                if number >= len(self.job["asks"]) or self.failed:
                    return
                self.one(number, self.job["asks"][number], connection)
        except Exception as error:  # noqa: BLE001
            self.fail("", f"{type(error).__name__}: {error}", 0)
        finally:
            connection.close()

    def one(self, number: int, ask: Job, connection: Connection) -> None:
        """One question, asked again where that may help."""
        status, told = 0, ""
        for attempt in range(1, self.job["attempts"] + 1):
            began, after = time.monotonic(), ""
            try:
                status, size, after = connection.ask(ask, self.folder / ask["answer"])
                told = f"status {status}"
                if status not in RETRIED or ask["optional"]:
                    self.statuses[number] = status
                    print(f"{ask['words']}: {told}, {size:,} bytes, {time.monotonic() - began:.3f} s", flush=True)
                    if status != 200 and not ask["optional"]:
                        self.fail(ask["words"], told, status, ask["answer"])
                    return
            except Broken as error:
                status, told = 0, str(error)
            except Failed as error:
                self.fail(ask["words"], str(error), 0)
                return
            print(f"{ask['words']}: {told} (attempt {attempt} of {self.job['attempts']})", flush=True)
            if attempt < self.job["attempts"]:
                time.sleep(pause_of(attempt, after))
        tried = f"{told}, in {self.job['attempts']} attempts"
        if ask["optional"]:
            self.silence = told
            return
        self.fail(ask["words"], tried, status, ask["answer"] if status else "")

    def fail(self, words: str, what: str, status: int, answer: str = "") -> None:
        """The first failure is what is told; the others stop."""
        with self.lock:
            if self.failed is None:
                self.failed = {"words": words, "what": what, "status": status, "answer": answer}

    def result(self) -> Job:
        """How it ended."""
        return {
            "host": self.host,
            "port": self.port,
            "statuses": self.statuses,
            "failed": self.failed,
            "silence": self.silence,
        }


def pause_of(attempt: int, after: str) -> float:
    """Seconds until the next attempt: what the server asks for, else twice as long each time."""
    if after.isdigit():
        return min(LONGEST_WAIT_S, float(after))
    return min(LONGEST_WAIT_S, 0.25 * 2.0 ** (attempt - 1))


def listening(root: Path = Path("/proc/net")) -> Set[Place]:
    """Where something listens on this machine's loopback, from the kernel's own tables."""
    found: Set[Place] = set()
    for name, here in (("tcp", "127.0.0.1"), ("tcp6", "::1")):
        try:
            lines = (root / name).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 3 and fields[3] == LISTENING:
                address, _, port = fields[1].partition(":")
                both = name == "tcp6" and not address.strip("0")
                found.update({(here, int(port, 16))} | ({("127.0.0.1", int(port, 16))} if both else set()))
    return found


def main() -> int:
    """Works through the job that the first argument names."""
    asker = Asker(json.loads(Path(sys.argv[1]).read_text("ascii")))
    asker.run()
    (asker.folder / "result.json").write_text(json.dumps(asker.result()), "ascii")
    return 1 if asker.failed else 0


if __name__ == "__main__":
    sys.exit(main())
