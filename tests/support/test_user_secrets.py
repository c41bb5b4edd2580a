"""The credentials that the user's tools keep on this machine are known, so that they can be hidden."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from repro_tui.support.redact import Redactor
from repro_tui.support.user_secrets import learn_accounts

FILES = {
    ".netrc": "machine h login u password {}\n",
    ".git-credentials": "https://u:{}@github.com\n",
    ".config/git/credentials": "https://u:{}@h\n",
    ".pypirc": "[pypi]\nusername = __token__\npassword = {}\n",
    ".config/pip/pip.conf": "[global]\nindex-url = https://u:{}@index.example/simple\n",
    ".config/uv/uv.toml": '[[index]]\nurl = "https://u:{}@index.example/simple"\n',
    ".aws/credentials": "[default]\naws_secret_access_key = {}\n",
    ".mlflow/credentials": "[mlflow]\nmlflow_tracking_password = {}\n",
    ".config/dvc/config": "['remote \"r\"']\n    password = {}\n",
    ".config/gh/hosts.yml": "github.com:\n    oauth_token: {}\n",
    ".kaggle/kaggle.json": '{{"username":"u","key":"{}"}}',
    ".cache/huggingface/token": "{}\n",
    ".condarc": "channels:\n  - https://h/c?token={}\n",
}
VARIABLES = {
    "AWS_SECRET_ACCESS_KEY": "{}",
    "WANDB_API_KEY": "{}",
    "GITHUB_TOKEN": "{}",
    "UV_INDEX_URL": "https://u:{}@index.example/simple",
    "PIP_INDEX_URL": "https://u:{}@index.example/simple",
    "HTTPS_PROXY": "http://u:{}@proxy:3128",
}


@pytest.mark.parametrize("name", [*FILES, *VARIABLES])
def test_a_credential_of_the_user_is_known(tmp_path: Path, name: str) -> None:
    secret = "c4n4ry-S3cr3t-007"
    environment = {"HOME": str(tmp_path)}
    if name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(FILES[name].format(secret))
    else:
        environment[name] = VARIABLES[name].format(secret)
    redactor = Redactor()
    learn_accounts(redactor, environment)
    assert redactor.scrub(f"x {secret} y") == f"x {redactor.digest(secret)} y"


def test_the_logins_of_docker_are_known_decoded_too(tmp_path: Path) -> None:
    auth = base64.b64encode(b"someone:c4n4ry-S3cr3t").decode()
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {"registry.example": {"auth": auth}}}))
    redactor = Redactor()
    learn_accounts(redactor, {"HOME": str(tmp_path)})
    assert "c4n4ry" not in redactor.scrub("password c4n4ry-S3cr3t")
    assert auth[:12] not in redactor.scrub(f"Basic {auth}")


def test_what_is_no_secret_of_the_user_hides_nothing(tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path),
        "SSH_AUTH_SOCK": "/tmp/ssh-1/agent.1",
        "XDG_SESSION_TYPE": "wayland",
        "XDG_SESSION_ID": "12345678",
        "PATH": "/usr/bin",
        "LANG": "en_US.UTF-8",
    }
    redactor = Redactor()
    learn_accounts(redactor, environment)
    text = "wayland 12345678 /tmp/ssh-1/agent.1 en_US.UTF-8 /usr/bin"
    assert redactor.scrub(text) == text


def test_a_broken_file_of_the_user_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    for name, content in {".netrc": "machine", ".docker/config.json": '{"auths": [1', ".condarc": "\x00\xff"}.items():
        (tmp_path / name).write_text(content)
    learn_accounts(Redactor(), {"HOME": str(tmp_path), "NETRC": "/dev/null/none", "PIP_CONFIG_FILE": str(tmp_path)})
