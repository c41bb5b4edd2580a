"""Misbehaving servers on real sockets: each ends the run in time, with a message, and without any guessed value."""

from __future__ import annotations

import csv
import resource
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from repro_tui.audit.redaction import learn_record
from repro_tui.execute.endpoint import EndpointRunner
from repro_tui.model.errors import Cancelled, Inconclusive, Refused
from repro_tui.model.record import Predict, Record, Validation
from repro_tui.model.run import Run
from repro_tui.rebuild.workspace import rebuild
from repro_tui.sources.endpoint import settled
from repro_tui.sources.resolve import load_record
from repro_tui.support.context import Context
from repro_tui.support.redact import Redactor
from tests.ports import closed_port
from tests.systems.endpoint.servers import Stub, hanging, rows_of, stub, triple

ROWS = 1_700
LONG_S = 240  # longer than anything takes here, and shorter than a test's limit


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return written_inputs(tmp_path, ROWS)


def written_inputs(folder: Path, rows: int) -> Path:
    path = folder / "inputs.csv"
    with path.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["id", "x", "town"])
        out.writerows([f"r{number}", number / 8, "Köln"] for number in range(rows))
    return path


def ask(server: Stub | str, inputs: Path, context: Context, timeout_s: float = LONG_S, **predict: Any) -> Run:
    """One run of a live endpoint, as in an audit."""
    url = server if isinstance(server, str) else server.url
    record = Record(
        "live", url, predict=Predict(protocol="mlflow", url=url, timeout_s=timeout_s, **predict),
        validation=Validation(str(inputs), ("id",)),
    )  # fmt: skip
    learn_record(record, context.redactor)
    return EndpointRunner().run(rebuild(record, context), inputs, 1, context)


def table(run: Run) -> list[dict[str, Any]]:
    return pq.read_table(run.predictions).to_pylist()  # type: ignore[no-any-return]


def test_every_row_is_asked_for_once_and_at_most_four_at_a_time(tmp_path: Path, context: Context) -> None:
    rows = 3_500  # 500 per request
    together = threading.Event()

    def held(path: str, document: dict[str, Any], number: int) -> Any:
        if number == 4:
            together.set()
        together.wait(LONG_S)  # the first four are handled at the same time,
        time.sleep(0.5)  # and a fifth would be counted during this time, if it were sent
        return triple(path, document, number)

    with stub(held) as server:
        run = ask(server, written_inputs(tmp_path, rows), context)
    assert (run.status, run.rows) == ("succeeded", rows), run.what
    asked = [row for document in server.batches() for row in rows_of(document)]
    assert sorted(row["x"] for row in asked) == [number / 8 for number in range(rows)]
    assert set(asked[0]) == {"x", "town"}  # the key identifies a row, and is not a feature
    assert server.most == 4
    for number, row in enumerate(table(run)):
        x = number / 8
        assert row == {"id": f"r{number}", "score": x * 3, "label": "yes" if x > 1 else "no"}
    assert not list(context.folder.glob("output-*"))


def test_runs_of_one_server_have_one_digest(inputs: Path, context: Context) -> None:
    with stub(triple) as server:
        assert len({ask(server, inputs, context).output_sha256 for _ in range(2)}) == 1


def test_the_columns_that_are_sent_are_the_records_where_it_says(inputs: Path, context: Context) -> None:
    with stub(triple) as server:
        run = ask(server, inputs, context, columns=("x", "id"), names={"score": "value"})
        assert server.batches()[0]["dataframe_split"]["columns"] == ["x", "id"]
        assert list(table(run)[0]) == ["id", "value", "label"]
        with pytest.raises(Inconclusive, match="lack the columns y"):
            ask(server, inputs, context, columns=("y",))


def test_a_busy_server_is_asked_again(inputs: Path, context: Context) -> None:
    def busy(path: str, document: dict[str, Any], number: int) -> Any:
        return ((503, 429, 502)[number - 1], b"busy") if number <= 3 else triple(path, document, number)

    with stub(busy) as server:
        run = ask(server, inputs, context)
    assert run.status == "succeeded"
    assert len(server.batches()) == 4 + 3
    assert "status 503 (attempt 1 of 5)" in Path(run.log).read_text()


def test_a_server_that_stays_busy_is_told(inputs: Path, context: Context) -> None:
    with stub(lambda *_: (503, b'{"error": "overloaded"}')) as server:
        run = ask(server, inputs, context)
    assert run.status == "failed"
    assert "status 503, in 5 attempts: overloaded" in run.what
    assert len(server.batches()) <= 4 * 5


def test_a_refusal_is_not_asked_again(inputs: Path, context: Context) -> None:
    with stub(lambda *_: (400, b'{"error_code": "BAD", "message": "column z is missing \\u001b[31m"}')) as server:
        run = ask(server, inputs, context)
    assert run.status == "failed"
    assert len(server.batches()) <= 4
    assert r"status 400: column z is missing \u{1b}[31m" in run.what
    assert "it received the columns x, town" in run.do


def test_a_server_that_hangs_is_timed_out(inputs: Path, context: Context) -> None:
    with hanging() as server:
        run = ask(server, inputs, context, timeout_s=2)
    assert run.status == "timed-out"
    assert run.seconds >= 2
    assert "within the time limit of 2 s" in run.what
    assert "predict.timeout_s" in run.do


def test_a_server_that_drips_is_timed_out(inputs: Path, context: Context) -> None:
    """Each byte arrives in time, but the response never ends."""
    stop = threading.Event()

    def drip(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not stop.wait(0.1):
            handler.wfile.write(b"x")

    with stub(lambda *_: drip) as server:
        run = ask(server, inputs, context, timeout_s=2)
        stop.set()
    assert run.status == "timed-out"


def test_a_server_that_dies_midway_is_told(inputs: Path, context: Context) -> None:
    def dies(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b'{"predictions": [')
        handler.close_connection = True

    def once(path: str, document: dict[str, Any], number: int) -> Any:
        return triple(path, document, number) if number == 1 else dies

    with stub(once) as server:
        run = ask(server, inputs, context)
    assert run.status == "failed"
    assert "it closed the connection before it had responded, in 5 attempts" in run.what
    assert run.predictions == ""


def test_nobody_there_is_told_without_waiting_for_the_limit(inputs: Path, context: Context) -> None:
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}"
        run = ask(url, inputs, context)  # would time out if it were retried for the whole time limit
    assert (run.status, run.what) == ("failed", f"{url} cannot be queried: the connection was refused")
    assert "check that the server is running there" in run.do


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, b"<html><body>Sign in</body></html>"), "the response is not JSON; it begins with: <html><body>Sign in"),
        ({"predictions": [1, 2, 3]}, "predictions has 3 values for 500 rows"),
        ({"outputs": []}, 'the response has no "predictions"'),
    ],
)
def test_an_answer_that_is_none_is_told_with_its_rows(inputs: Path, context: Context, answer: Any, reason: str) -> None:
    with stub(lambda *_: answer) as server:
        run = ask(server, inputs, context)
    assert run.status == "unreadable-output"
    assert f"rows 1 to 500: {reason}" in run.what


def test_nan_is_a_value_and_no_failure(inputs: Path, context: Context) -> None:
    def gaps(path: str, document: dict[str, Any], number: int) -> Any:
        values = ", ".join("NaN" if row["x"] % 1 else "null" for row in rows_of(document))
        return 200, f'{{"predictions": [{values}]}}'.encode()

    with stub(gaps) as server:
        run = ask(server, inputs, context)
    predictions = [row["prediction"] for row in table(run)]
    assert predictions[0] is None
    assert str(predictions[1]) == "nan"


def test_an_endless_answer_takes_no_memory_of_ours(inputs: Path, context: Context) -> None:
    def endless(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            handler.wfile.write(b"100000\r\n" + b"[" * 0x100000 + b"\r\n")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with stub(lambda *_: endless) as server:
        run = ask(server, inputs, context)
    assert run.status == "failed"
    assert "the response is larger than 64 MiB" in run.what
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
    assert not list(context.folder.glob("output-*"))


def test_an_answer_that_unfolds_in_memory_ends_its_reader_and_not_us(inputs: Path, context: Context) -> None:
    bomb = b'{"predictions": [' + b"[[[[]]]]," * 7_000_000 + b"1]}"
    assert len(bomb) < 64 << 20
    inputs.write_text("id,x\nr1,1\n")
    with stub(lambda *_: (200, bomb)) as server:
        run = ask(server, inputs, context)
    assert run.status == "unreadable-output"
    assert "values for 1 rows" in run.what or "memory" in run.what


def test_a_redirect_is_not_followed(inputs: Path, context: Context) -> None:
    with stub(triple) as target:

        def away(handler: Any) -> None:
            handler.reply((307, b""), Location=f"{target.url}/invocations")

        with stub(lambda *_: away) as server:
            run = ask(server, inputs, context)
    assert run.status == "failed"
    assert "status 307" in run.what
    assert target.asked == []


def test_a_compressed_answer_is_refused(inputs: Path, context: Context) -> None:
    def zipped(handler: Any) -> None:
        handler.reply((200, b"\x1f\x8b"), Content_Encoding="gzip")

    with stub(lambda *_: zipped) as server:
        assert "compressed, although no compression was requested" in ask(server, inputs, context).what


def test_no_proxy_of_the_environment_is_used(inputs: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as port, stub(triple) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        assert ask(server, inputs, context).status == "succeeded"


def test_a_cancelled_run_stops_while_the_server_is_silent(inputs: Path, context: Context) -> None:
    with hanging(lambda: context.cancel.cancel(15)) as server, pytest.raises(Cancelled):
        ask(server, inputs, context)  # would time out and fail if it were not cancelled
    assert not list(context.folder.glob("output-*"))


def test_credentials_are_handed_over_and_written_nowhere(inputs: Path, context: Context) -> None:
    context = replace(context, redactor=Redactor())

    def echo_credentials(path: str, document: dict[str, Any], number: int) -> Any:
        return 401, b"who is ada c4n4ry:passw0rd, YWRhOmM0bjRyeTpwYXNzdzByZA=="

    with stub(echo_credentials) as server:
        url = server.url.replace("//", "//ada:c4n4ry%3Apassw0rd@") + "/base/invocations?token=c4n4ry-t0ken"
        run = ask(url, inputs, context)
    paths = [path for path, _, _ in server.asked]
    assert paths[0] == "/base/ping?token=c4n4ry-t0ken"
    assert paths[-1] == "/base/invocations?token=c4n4ry-t0ken"
    assert {headers["Authorization"] for _, _, headers in server.asked} == {"Basic YWRhOmM0bjRyeTpwYXNzdzByZA=="}
    written = "".join(path.read_text("utf-8", "replace") for path in context.folder.iterdir() if path.is_file())
    for secret in ("c4n4ry", "YWRhOmM0bjRyeTpwYXNzdzByZA"):
        assert secret not in written
        assert secret not in context.redactor.scrub(run.what + run.do)
        assert secret not in str(run.isolation)


# -- what a server speaks ---------------------------------------------------------------------------------------------


def test_what_a_server_speaks_is_never_guessed(context: Context) -> None:
    with stub(triple) as server:  # ready for both protocols
        for url in (server.url, f"{server.url}/elsewhere"):
            with pytest.raises(Refused, match=r"--protocol mlflow or --protocol open-inference"):
                settled(load_record(url, context))
        for url, protocol, model in (
            (f"{server.url}/x/invocations", "mlflow", ""),
            (f"{server.url}/v2/models/a%20b/infer", "open-inference", "a b"),
            (f"{server.url}/v2/models/m/versions/3", "open-inference", "m/versions/3"),
        ):
            predict = settled(load_record(url, context)).predict
            assert predict is not None
            assert (predict.protocol, predict.model) == (protocol, model)
    with closed_port() as port, pytest.raises(Refused, match="the connection was refused"):
        settled(load_record(f"http://127.0.0.1:{port}", context))


@pytest.mark.parametrize(
    "reference",
    ["http://", "http://h:99999", "http://a b", "https://ä.example", "http://[::1", "http://x/" + "y" * 5000],
)
def test_what_is_no_url_is_refused(reference: str, context: Context) -> None:
    with pytest.raises(Refused):
        load_record(reference, context)


def test_two_workspaces_of_one_endpoint_are_never_the_same(context: Context) -> None:
    record = Record("live", "http://h", predict=Predict(protocol="mlflow", url="http://h"))
    assert rebuild(record, context).key != rebuild(record, context).key
