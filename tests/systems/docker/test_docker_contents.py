"""Contents of images compared: two builds of one content are the same, differences are named, secrets stay hidden."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.audit.project import Project
from tests.engines import base_image
from tests.systems.docker.conftest import AS_INPUTS, PREDICT, STEP, Build, Start, expected, scores

pytestmark = pytest.mark.docker
SITE = "/usr/lib/python3/dist-packages"
RECORD = "credit/__init__.py,,\ncredit-1.0.dist-info/METADATA,,\ncredit-1.0.dist-info/RECORD,,\n"


def environment_of(report: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(finding["path"]): finding for finding in report["areas"]["environment"]["findings"]}


def installed(content: str) -> dict[str, Any]:
    """A Python package for the image, and the Dockerfile line that installs it."""
    files = {
        "site/credit/__init__.py": content,
        "site/credit-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: credit\nVersion: 1.0\n",
        "site/credit-1.0.dist-info/RECORD": RECORD,
    }
    return {"files": files, "line": f"RUN cp -r site/. {SITE}/ && rm -r site"}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_two_builds_of_one_content_are_the_same_environment(project: Project, built: Build) -> None:
    image_a, image_b = (
        built(2.0, f"RUN : {word}", labels=STEP | {"org.opencontainers.image.revision": word * 40}) for word in "ab"
    )
    assert image_a != image_b
    result = project.run(f"image:{image_a}", f"image:{image_b}", *AS_INPUTS, "--fail-on", "environment,predictions")
    assert result.status == 0, result.stdout
    area = result.report["areas"]["environment"]
    assert area["status"] == "same"
    assert {name: area["counts"][name] for name in ("added", "removed", "changed", "unknown")} == {
        "added": 0,
        "removed": 0,
        "changed": 0,
        "unknown": 0,
    }
    findings = environment_of(result.report)
    assert {finding["change"] for finding in findings.values()} == {"same"}
    assert (findings[("image", "id")]["a"], findings[("image", "id")]["b"]) == (image_a, image_b)


def test_a_file_that_no_package_owns_is_compared(project: Project, built: Build) -> None:
    image_a, image_b = built(2.0, labels=STEP), built(3.0, labels=STEP)
    result = project.run(f"image:{image_a}", f"image:{image_b}", *AS_INPUTS)
    assert result.status == 1
    assert scores(project, "b") == expected(project, 3.0)
    files = environment_of(result.report)[("files",)]
    (child,) = files["children"]
    assert child["path"] == ["files", "/app/model/weights.json"]
    assert child["a"].split() == [sha256('{"weight": 2.0}'), "0644", "0:0"]
    assert child["b"].split()[0] == sha256('{"weight": 3.0}')


CHANGES = {
    "a cache beside the code": ("RUN mkdir -p .cache && echo 2 > .cache/model.json", "/app/.cache/model.json"),
    "the standard library": (
        "RUN echo '# changed' >> /usr/lib/python3.11/json/decoder.py",
        "/usr/lib/python3.11/json/decoder.py",
    ),
    "a scratch folder": ("RUN echo 1 > /tmp/model.bin", "/tmp/model.bin"),
    "a log that is a model": ("RUN mkdir -p /var/log/x && echo 1 > /var/log/x/model.pkl", "/var/log/x/model.pkl"),
    "bytecode without its source": (
        "RUN mkdir __pycache__ && echo 1 > __pycache__/gone.cpython-311.pyc",
        "/app/__pycache__/gone.cpython-311.pyc",
    ),
    "a mode": ("RUN chmod 700 predict.py", "/app/predict.py"),
    "an owner": ("RUN chown 7:7 predict.py", "/app/predict.py"),
    "a link": ("RUN ln -s /bin/true /usr/local/bin/tool", "/usr/local/bin/tool"),
    "the mode of a package's file": ("RUN chmod 4755 /usr/bin/env", "coreutils (package)"),
}


@pytest.mark.parametrize(("line", "path"), CHANGES.values(), ids=CHANGES)
def test_no_file_of_an_image_is_left_out(project: Project, built: Build, line: str, path: str) -> None:
    image_a, image_b = built(2.0, labels=STEP), built(2.0, line, labels=STEP)
    result = project.run(f"image:{image_a}", f"image:{image_b}", *AS_INPUTS, "--repeat", "1")
    area = result.report["areas"]["environment"]
    assert area["status"] == "different", result.stdout
    files = environment_of(result.report)[("files",)]
    assert path in {child["path"][-1] for child in files["children"]}


def test_what_is_left_out_is_counted(project: Project, built: Build) -> None:
    lines = "RUN mkdir -p __pycache__ && echo 1 > __pycache__/predict.cpython-311.pyc && echo 1 > /var/log/x.log"
    image_a, image_b = built(2.0, labels=STEP), built(2.0, lines, labels=STEP)
    result = project.run(f"image:{image_a}", f"image:{image_b}", *AS_INPUTS, "--repeat", "1")
    assert result.report["areas"]["environment"]["status"] == "same"
    findings = environment_of(result.report)
    for kind in ("bytecode next to its source", "logs"):
        finding = findings[("files left out", kind)]
        counts = [int(finding[side].replace(",", "")) for side in "ab"]
        assert counts[1] == counts[0] + 1


def test_one_version_of_a_package_with_other_files_is_named_with_their_digests(project: Project, built: Build) -> None:
    first, second = installed("LIMIT = 1\n"), installed("LIMIT = 2\n")
    image_a, image_b = (built(2.0, it["line"], labels=STEP, files=it["files"]) for it in (first, second))
    result = project.run(f"image:{image_a}", f"image:{image_b}", *AS_INPUTS)
    assert result.status == 0
    findings = environment_of(result.report)
    assert result.report["areas"]["environment"]["status"] == "different"
    credit = findings[("packages", "credit")]
    assert (credit["a"], credit["b"], credit["change"]) == ("1.0", "1.0", "changed")
    (child,) = credit["children"]
    assert child["path"] == ["packages", "credit", "credit/__init__.py"]
    assert (child["a"], child["b"]) == (sha256("LIMIT = 1\n"), sha256("LIMIT = 2\n"))
    assert ("files",) not in findings


def test_what_is_deployed_is_compared_with_what_its_record_rebuilds(
    project: Project, built: Build, running: Start
) -> None:
    package = installed("LIMIT = 1\n")
    container = running(built(2.0, package["line"], labels=STEP, files=package["files"]))
    dockerfile = f"FROM {base_image()}\nWORKDIR /app\nENV SCALE=1 KEPT=yes\nCOPY . .\n{package['line']}\n"
    package_files = installed("LIMIT = 2\n")["files"]
    files = {"predict.py": PREDICT, "model/weights.json": '{"weight": 2.0}', "Dockerfile": dockerfile} | package_files
    commit = project.repository.commit(files)
    for name in ("requirements.txt", "note.txt"):
        (project.repository.folder / name).unlink()
    commit = project.repository.commit({})
    rebuilt = project.deployment(
        code={"repository": "code", "commit": commit, "in_image": True},
        environment={"dockerfile": "Dockerfile"},
        parameters={},
        data=[],
        predict={"command": ["python3", "predict.py", "{inputs}", "{output}"]},
    )
    project.record(rebuilt=rebuilt)
    result = project.run(f"docker:{container}", "record.json#rebuilt", "--report", "--inputs", "inputs.csv")
    assert result.status == 0, result.stdout
    assert scores(project, "a") == expected(project, 2.0) == scores(project, "b")
    findings = environment_of(result.report)
    assert [child["path"][-1] for child in findings[("packages", "credit")]["children"]] == ["credit/__init__.py"]
    assert {child["path"][-1] for child in findings.get(("files",), {}).get("children", ())} <= {"/app/Dockerfile"}


def test_no_secret_of_an_image_or_a_container_is_written_anywhere(
    project: Project, built: Build, running: Start, own_folders: Path
) -> None:
    secrets = {name: f"c4n4ry-{name}-7f3a9b" for name in ("baked", "laid", "url", "word", "pair")}
    labels = STEP | {
        "org.opencontainers.image.source": f"https://ada:{secrets['url']}@127.0.0.1:1/credit.git",
        "org.opencontainers.image.revision": "1" * 40,
    }
    command = f'CMD ["serve", "--password", "{secrets["word"]}", "API_KEY={secrets["pair"]}"]'
    image = built(2.0, f"ENV DB_PASSWORD={secrets['baked']}", command, labels=labels)
    container = running(image, "--env", f"API_TOKEN={secrets['laid']}")
    html = project.folder / "report.html"
    result = project.run(f"image:{image}", f"docker:{container}", *AS_INPUTS, "--html", str(html))
    assert result.status == 0, result.stdout
    written = [path for path in (*project.audits()[-1].rglob("*"), html) if path.is_file()]
    assert any(path.name == "run-1.log" for path in written)
    texts = {str(path): path.read_bytes() for path in written} | {"out": (result.stdout + result.stderr).encode()}
    for name, secret in secrets.items():
        for form in (secret.encode(), b64encode(secret.encode()).rstrip(b"=")):
            assert [place for place, text in texts.items() if form in text] == [], name
