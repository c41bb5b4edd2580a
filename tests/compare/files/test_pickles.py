"""Pickles and joblib files, opened without unpickling."""

from __future__ import annotations

import collections
import io
import pickle
import pickletools
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from repro_tui.compare.files.pickle_stream import _CONSTANTS, _NOTHING, _STEPS, _VALUES
from tests.compare.files.pairs import seen

X = np.random.RandomState(0).rand(60, 3)
Y = (X.sum(1) > 1.5).astype(int)


class Marker:
    """Unpickling it writes a file."""

    def __init__(self, place: Path, word: str) -> None:
        self.place, self.word = place, word

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.place, self.word))


@dataclass
class Model:
    """A model of one's own."""

    rate: float
    names: list[str]


def dumped(model: object, compress: int = 0) -> bytes:
    out = io.BytesIO()
    joblib.dump(model, out, compress=compress)
    return out.getvalue()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    a, b = (pickle.dumps(Marker(marker, word)) for word in ("old", "new"))
    result = seen(tmp_path, "m.pkl", a, b)
    assert result.values == {"arguments/1": ("old", "new")}
    assert not marker.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_values_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    def content(n: int, word: str) -> bytes:
        numbers = [1, n, 2.5, None, True, 10**30]
        value = {
            "numbers": numbers,
            "raw": b"\0\xff" + word.encode(),
            "set": {n},
            "t": (1, word),
            5: n,
            "o": Model(n, [word]),
        }
        value["array"], value["scalar"] = np.arange(6.0).reshape(2, 3) * n, np.float32(n)
        value["again"] = value["o"]
        value["ordered"] = collections.OrderedDict(a=n)
        return pickle.dumps(value, protocol)

    values = seen(tmp_path, "v.pkl", content(1, "old"), content(3, "new")).values
    assert values["numbers/1"] == (1, 3)
    assert values["raw"] == (ord("o"), ord("n"))
    assert values["t/1"] == ("old", "new")
    assert values["[5]"] == (1, 3)
    assert values["o/rate"] == (1, 3)
    assert values["o/names/0"] == ("old", "new")
    assert values["array"] == (1.0, 3.0)
    assert values["scalar"] == (1.0, 3.0)
    assert any(path.startswith("ordered/") for path in values)
    assert not any(path.startswith("again") for path in values)  # the same object, which was compared
    assert seen(tmp_path, "v.pkl", content(1, "old"), content(1, "old")).differences.count == 0


@pytest.mark.parametrize("compress", [0, 3])
def test_a_model_of_scikit_learn(tmp_path: Path, compress: int) -> None:
    models = [make_pipeline(StandardScaler(), LogisticRegression(C=c)).fit(X, Y) for c in (1.0, 2.0)]
    result = seen(tmp_path, "model.joblib", *(dumped(model, compress) for model in models))
    assert result.values["steps/1/1/C"] == (1.0, 2.0)
    first = models[0][1].coef_[0, 0], models[1][1].coef_[0, 0]
    assert result.values["steps/1/1/coef_"] == pytest.approx(first)
    assert "3 of 3 differ" in result.findings["steps/1/1/coef_"].note
    assert not any(path.startswith("steps/0") for path in result.values)  # the scalers are equal


def test_a_forest(tmp_path: Path) -> None:
    contents = [dumped(RandomForestClassifier(3, random_state=seed, max_depth=2).fit(X, Y)) for seed in (0, 1)]
    values = seen(tmp_path, "model.joblib", *contents).values
    assert values["random_state"] == (0, 1)
    assert any(path.startswith("estimators_/2/tree_/") for path in values)


def test_objects_in_an_array_of_joblib_are_compared(tmp_path: Path) -> None:
    a, b = (dumped({"names": np.array([word, None], dtype=object)}) for word in ("old", "new"))
    result = seen(tmp_path, "n.joblib", a, b)
    assert [pair for path, pair in result.values.items() if path.startswith("names/")] == [("old", "new")]


def test_another_class_is_named(tmp_path: Path) -> None:
    result = seen(tmp_path, "m.pkl", pickle.dumps(StandardScaler()), pickle.dumps(LogisticRegression()))
    [finding] = result.differences.kept
    assert (str(finding.a).rpartition(".")[2], str(finding.b).rpartition(".")[2]) == (
        "StandardScaler",
        "LogisticRegression",
    )
    assert finding.note == "other class"


def test_an_object_is_not_a_table(tmp_path: Path) -> None:
    a, b = pickle.dumps({"m": Model(1.0, [])}), pickle.dumps({"m": {"rate": 1.0, "names": []}})
    [finding] = seen(tmp_path, "m.pkl", a, b).differences.kept
    assert finding.note == "a different kind of value"


def test_equal_values_in_other_bytes_are_said_to_be_that(tmp_path: Path) -> None:
    value = {"a": [1, "x"], "b": None}
    result = seen(tmp_path, "m.pkl", pickle.dumps(value, 2), pickle.dumps(value, 4))
    assert (result.differences.count, "no difference is seen in the classes, values" in result.note) == (0, True)


def test_cycles_and_shared_values_end(tmp_path: Path) -> None:
    contents = []
    for word in ("old", "new"):
        bomb: list[object] = [word]
        for _ in range(60):
            bomb = [bomb, bomb]
        cycle: dict[str, object] = {"bomb": bomb}
        cycle["self"] = cycle
        contents.append(pickle.dumps(cycle))
    assert list(seen(tmp_path, "m.pkl", *contents).values.values()) == [("old", "new")]


def test_depth_costs_no_recursion(tmp_path: Path) -> None:
    a, b = (b"\x80\x02" + b"]" * 50_000 + end + b"a" * 49_999 + b"." for end in (b"K\1a", b"K\2a"))
    assert [*seen(tmp_path, "m.pkl", a, b).values.values()] == [(1, 2)]


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x80\x04.",
        b"\x80\x04]",
        b"\x80\x02K\x01K\x02s.",
        b"\x80\x02h\x05.",
        b"\x80\x02(lR.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x02" + b"(" * 1_000 + b"t.",
        b"\x80\x04\x93.",
    ],
)
def test_a_broken_pickle_ends_at_the_bytes(tmp_path: Path, content: bytes) -> None:
    result = seen(tmp_path, "m.pkl", content + b"\0\1", content + b"\0\2")
    assert "cannot be read as pickle" in result.note or result.differences.count
    assert result.differences.count == 1


def test_every_operation_of_pickles_is_known() -> None:
    names = {operation.name for operation in pickletools.opcodes}
    assert names == set(_CONSTANTS) | _NOTHING | set(_STEPS) | _VALUES | {"STOP"}
