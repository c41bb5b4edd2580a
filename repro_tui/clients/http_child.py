"""Sends HTTP requests to a server: `asker.py JOB.json`. Part of repro-tui; needs only Python 3.7 or later.

It runs on this machine to query a live endpoint, and inside a container (where it is copied as asker.py) to query the
server of an image. The job file names the server, the requests, and the files that the responses are written to;
`result.json` in the same folder records how the job ended. Redirects are not followed, no proxy is used, and no
response is read beyond the size that the job allows.
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
Address = Tuple[str, int]
RETRIED = (429, 502, 503, 504)
CONNECT_S = 10.0
LONGEST_WAIT_S = 30.0
ERROR_BYTES = 65536
LISTENING = "0A"


class Failed(Exception):
    """The job cannot continue; the message gives the reason."""


class Broken(Exception):
    """One attempt failed, but another attempt may succeed."""


class Connection:
    """One connection to the server, opened on first use and reopened after a fault."""

    def __init__(self, job: Job, host: str, port: int) -> None:
        self.job, self.host, self.port = job, host, port
        self.open: Optional[http.client.HTTPConnection] = None

    def send(self, request: Job, target: Path) -> Tuple[int, int, str]:
        """Makes one attempt; returns the status, the bytes written to `target`, and the server's Retry-After header.

        Raises Broken if another attempt may succeed, and Failed if none can.
        """
        try:
            return self._send(request, target)
        except ssl.SSLCertVerificationError as error:
            raise Failed(f"the certificate cannot be verified ({error.verify_message})") from error
        except ssl.SSLError as error:
            raise Failed(f"the TLS handshake failed ({error.reason})") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(_fault_text(error)) from error

    def _send(self, request: Job, target: Path) -> Tuple[int, int, str]:
        connection = self._opened()
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "repro-tui"}
        headers.update(self.job["headers"])
        body = Path(request["body"]).read_bytes() if request["body"] else None
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(request["method"], request["path"], body=body, headers=headers)
        answer = connection.getresponse()
        size = self._read(answer, target)
        if answer.will_close:
            self.close()
        return answer.status, size, answer.headers.get("Retry-After", "")

    def _read(self, answer: http.client.HTTPResponse, target: Path) -> int:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise Failed("the response is compressed, although no compression was requested")
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
                    limit = f"{most >> 20:,} MiB" if most >= 1 << 20 else f"{most:,} bytes"
                    raise Failed(f"the response is larger than {limit}")
                stream.write(chunk)
        if answer.length:  # the server promised more than it sent
            raise http.client.IncompleteRead(b"", answer.length)
        return size

    def _opened(self) -> http.client.HTTPConnection:
        if self.open is None:
            if self.job["scheme"] == "https":
                context = ssl.create_default_context()
                connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                    self.host, self.port, timeout=CONNECT_S, context=context
                )
            else:
                connection = http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_S)
            self.open = connection
            connection.connect()
            connection.sock.settimeout(self.job["timeout_s"])
        return self.open

    def close(self) -> None:
        """Closes the connection; the next request opens a new one."""
        if self.open is not None:
            self.open.close()
            self.open = None


def _fault_text(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, socket.gaierror):
        return "the host name cannot be resolved"
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "it did not respond in time"
    if isinstance(error, (http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionError)):
        return "it closed the connection before it had responded"
    return f"the connection failed ({getattr(error, 'strerror', None) or type(error).__name__})"


class JobRunner:
    """Works through the requests of one job, several at a time; the first failure stops the rest."""

    def __init__(self, job: Job) -> None:
        self.job, self.host, self.port = job, job["host"], job["port"]
        self.folder = Path(job["folder"])
        self.statuses = [0] * len(job["requests"])
        self.next, self.lock = 0, threading.Lock()
        self.failed: Optional[Job] = None
        self.silence = ""

    def run(self) -> None:
        """Runs the whole job; the first failure is recorded in `failed`."""
        try:
            self.find()
            most = min(self.job["concurrency"], len(self.job["requests"]))
            workers = [threading.Thread(target=self.work, daemon=True) for _ in range(most)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        except Failed as error:
            self.failed = {"label": "", "reason": str(error), "status": 0}

    # -- the server -------------------------------------------------------------------------------------------------

    def find(self) -> None:
        """Waits until the server is ready. Without a given port, it also finds the port that the server listens on."""
        deadline, pause = time.monotonic() + self.job["wait_s"], 0.05
        while self.job["ready"]:
            seen, address = self.look()
            if address:
                self.host, self.port = address
                (self.folder / "found").touch()
                print(f"the server on port {self.port} is ready", flush=True)
                return
            if time.monotonic() > deadline:
                raise Failed(seen)
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)

    def look(self) -> Tuple[str, Optional[Address]]:
        """The server's state now as text, and its address if it is ready (else None)."""
        seen, undecided = "nothing is listening", None
        for address in self.places():
            statuses, seen = self.statuses_of(*address)
            if 200 in statuses:
                return "", address
            if statuses and all(status in (404, 405) for status in statuses):
                undecided = undecided or address  # it speaks HTTP, but has no readiness route
            elif statuses and self.job["port"] and statuses[-1] not in RETRIED:
                raise Failed(seen)
        if undecided and self.job["strict"] and self.job["port"]:
            raise Failed(seen)
        return seen, (None if self.job["strict"] else undecided)

    def places(self) -> List[Address]:
        """The addresses to try: the given port, else every listening port, with the usual ports first."""
        if self.job["port"]:
            return [(self.host, self.job["port"])]
        usual = self.job["ports"]
        return sorted(listening(), key=lambda at: (usual.index(at[1]) if at[1] in usual else len(usual), at))

    def statuses_of(self, host: str, port: int) -> Tuple[List[int], str]:
        """The statuses of the readiness routes at this address, and the last one as text."""
        connection = Connection(self.job, host, port)
        statuses: List[int] = []
        seen = ""
        try:
            for path in self.job["ready"]:
                statuses.append(
                    connection.send({"method": "GET", "path": path, "body": None}, self.folder / "ready")[0]
                )
                seen = f"its readiness check ({path.partition('?')[0]}) returned status {statuses[-1]}"
                if statuses[-1] == 200:
                    break
        except Broken as error:
            seen = str(error)
        finally:
            connection.close()
        return statuses, seen

    # -- the requests -----------------------------------------------------------------------------------------------

    def work(self) -> None:
        """One worker thread: sends the next request until none is left or one has failed."""
        connection = Connection(self.job, self.host, self.port)
        try:
            while True:
                with self.lock:
                    number = self.next
                    self.next += 1
                if number >= len(self.job["requests"]) or self.failed:
                    return
                self.send_request(number, self.job["requests"][number], connection)
        except Exception as error:  # noqa: BLE001
            self.fail("", f"{type(error).__name__}: {error}", 0)
        finally:
            connection.close()

    def send_request(self, number: int, request: Job, connection: Connection) -> None:
        """Sends one request, and retries it if that may help."""
        status, outcome = 0, ""
        for attempt in range(1, self.job["attempts"] + 1):
            began, after = time.monotonic(), ""
            try:
                status, size, after = connection.send(request, self.folder / request["answer"])
                outcome = f"status {status}"
                if status not in RETRIED or request["optional"]:
                    self.statuses[number] = status
                    print(
                        f"{request['label']}: {outcome}, {size:,} bytes, {time.monotonic() - began:.3f} s", flush=True
                    )
                    if status != 200 and not request["optional"]:
                        self.fail(request["label"], outcome, status, request["answer"])
                    return
            except Broken as error:
                status, outcome = 0, str(error)
            except Failed as error:
                self.fail(request["label"], str(error), 0)
                return
            print(f"{request['label']}: {outcome} (attempt {attempt} of {self.job['attempts']})", flush=True)
            if attempt < self.job["attempts"]:
                time.sleep(pause_of(attempt, after))
        tried = f"{outcome}, in {self.job['attempts']} attempts"
        if request["optional"]:
            self.silence = outcome
            return
        self.fail(request["label"], tried, status, request["answer"] if status else "")

    def fail(self, label: str, reason: str, status: int, answer: str = "") -> None:
        """Records the first failure; later ones are ignored, and the other workers stop."""
        with self.lock:
            if self.failed is None:
                self.failed = {"label": label, "reason": reason, "status": status, "answer": answer}

    def result(self) -> Job:
        """The content of result.json: the server's address, the statuses, and the first failure."""
        return {
            "host": self.host,
            "port": self.port,
            "statuses": self.statuses,
            "failed": self.failed,
            "silence": self.silence,
        }


def pause_of(attempt: int, after: str) -> float:
    """Seconds until the next attempt: the server's Retry-After, else an exponential backoff from 0.25 s."""
    if after.isdigit():
        return min(LONGEST_WAIT_S, float(after))
    return min(LONGEST_WAIT_S, 0.25 * 2.0 ** (attempt - 1))


def listening(root: Path = Path("/proc/net")) -> Set[Address]:
    """The loopback addresses with a listening socket, from the kernel's own tables."""
    addresses: Set[Address] = set()
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
                addresses.update({(here, int(port, 16))} | ({("127.0.0.1", int(port, 16))} if both else set()))
    return addresses


def main() -> int:
    """Runs the job file named by the first argument."""
    runner = JobRunner(json.loads(Path(sys.argv[1]).read_text("ascii")))
    runner.run()
    (runner.folder / "result.json").write_text(json.dumps(runner.result()), "ascii")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
