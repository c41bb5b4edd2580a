"""Which files hold the parameters: those of a stage of DVC, those that Hydra composes, those that the step names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from repro_tui.clients.git import Repository
from repro_tui.sources.detect.data import parameter_files
from repro_tui.sources.detect.parameters import ParameterChoice, choose_parameters
from repro_tui.sources.detect.steps import find_steps
from repro_tui.sources.detect.tree import ProjectTree
from repro_tui.support.context import Context
from tests.conftest import GitRepository

Choosing = Callable[..., ParameterChoice]
HYDRA = {
    "src/predict.py": "import hydra\n@hydra.main(config_path='../conf', config_name='main')\ndef f(c): ...\n",
    "conf/main.yaml": """\
defaults:
- _self_
- train: base
- model: mlp
- optional db: none
- override hydra/launcher: joblib
- override model/act: relu
- data@source: a
seed: 1
""",
    "conf/train/base.yaml": "lr: 0.1\n",
    "conf/train/big.yaml": "lr: 1\n",
    "conf/model/mlp.yaml": "defaults:\n- act: tanh\n- /train/extra\n- mlp\nn: 1\n",
    "conf/model/act/relu.yaml": "a: 1\n",
    "conf/model/act/tanh.yaml": "a: 2\n",
    "conf/train/extra.yaml": "x: 1\n",
    "conf/data/a.yaml": "",
    "conf/experiment/e1.yaml": "seed: 2\n",
    "params.yaml": "unused: 1\n",
}
COMPOSED = ["main", "train/base", "model/mlp", "model/act/relu", "train/extra", "data/a"]


@pytest.fixture
def choose(git_repository: Callable[[str], GitRepository], context: Context) -> Choosing:
    repository = git_repository("project")

    def choose_of(files: dict[str, str], *command: str) -> ParameterChoice:
        commit = repository.commit(files)
        tree = ProjectTree.at(Repository.open(str(repository.folder), context), commit)
        step = None if command else next(iter(find_steps(tree)), None)
        return choose_parameters(tree, parameter_files(tree), step, command)

    return choose_of


def conf(*names: str) -> tuple[str, ...]:
    return tuple(f"conf/{name}.yaml" for name in names)


def test_the_groups_that_defaults_select_are_parameters(choose: Choosing) -> None:
    chosen = choose(HYDRA, "python", "src/predict.py")
    assert chosen.names == conf(*COMPOSED)
    assert not chosen.unresolved


def test_the_command_line_selects_groups(choose: Choosing) -> None:
    chosen = choose(HYDRA, "sh", "-c", "python src/predict.py train=big +experiment=e1 seed=3 '~data'")
    assert chosen.names == conf("main", "train/big", "model/mlp", "model/act/relu", "train/extra", "experiment/e1")
    assert choose(HYDRA, "python", "src/predict.py", "--config-name", "train/big").names == conf("train/big")


@pytest.mark.parametrize(
    ("line", "command", "reason"),
    [
        ("- exp: ${oc.env:EXP}\n", (), "exp in conf/main.yaml is ${oc.env:EXP}, which is only resolved at run time"),
        ("- must: ???\n", (), "must in conf/main.yaml must be chosen on the command line"),
        ("- lost: x\n", (), "conf/main.yaml names lost/x, which the commit does not have"),
        ("", ("-m", "train=base,big"), "train=base,big is a sweep over several files"),
        ("", ("--multirun",), "the command is a sweep (--multirun), which runs several configurations"),
    ],
)
def test_what_only_a_run_resolves_is_named(choose: Choosing, line: str, command: tuple[str, ...], reason: str) -> None:
    main = HYDRA["conf/main.yaml"].replace("seed: 1\n", f"{line}seed: 1\n")
    chosen = choose(HYDRA | {"conf/main.yaml": main}, "python", "src/predict.py", *command)
    assert reason in chosen.unresolved
    assert chosen.names[0] == "conf/main.yaml"


def test_a_stage_lists_its_files(choose: Choosing) -> None:
    stage = """\
vars: [shared.yaml:a]
stages:
  predict:
    cmd: python src/predict.py in.csv out.csv
    deps: [in.csv]
    outs: [out.csv]
    params: [lr, conf/model.yaml: [depth], whole.toml: , code.py: [x], other.json: [y]]
"""
    files = {"params.yaml": "lr: 1\n", "conf/model.yaml": "depth: 1\n", "whole.toml": "a = 1\n"}
    files |= {"code.py": "x = 1\n", "other.json": '{"y": 1}', "shared.yaml": "a: 1\n", "in.csv": "a\n"}
    chosen = choose({"dvc.yaml": stage, **files})
    assert chosen.names == ("params.yaml", "conf/model.yaml", "whole.toml", "other.json", "shared.yaml")
    assert chosen.unresolved == ("code.py is not a table in YAML, JSON or TOML of the commit",)


def test_files_that_the_step_names_are_parameters(choose: Choosing) -> None:
    script = "import sys, yaml\np = yaml.safe_load(open('params.yaml'))\nm = yaml.safe_load(open('conf/model.yaml'))\n"
    script += "import pandas as pd\nd = pd.read_csv(sys.argv[1])\nd.to_csv(sys.argv[2])\n"
    files = {"params.yaml": "a: 1\n", "conf/model.yaml": "b: 1\n", "conf/unread.yaml": "c: 1\n", "predict.py": script}
    assert choose(files).names == ("params.yaml", "conf/model.yaml")
    named = choose(files, "python", "predict.py", "--config=conf/unread.yaml", "environment.yml")
    assert named.names == ("params.yaml", "conf/unread.yaml")
