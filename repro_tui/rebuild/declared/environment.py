"""The declared environment: its kind and file, image, Python, variables, and the packages that its file lists."""

from __future__ import annotations

import hashlib

from repro_tui.model.declared import DeclaredEnvironment
from repro_tui.model.errors import Inconclusive, Refused
from repro_tui.model.inventory import Inventory, PythonPackage
from repro_tui.model.record import LOCAL_KINDS, Environment, Record
from repro_tui.rebuild.declared.files import DeclaredFiles
from repro_tui.rebuild.declared.packages import DeclaredPackages, declared_packages
from repro_tui.support.grammar import has_digest

UNSEEN = {
    "dockerfile": "only a build shows what the Dockerfile makes",
    "sif": "only opening the image shows what it has",
    "image": "only the engine shows which image a tag is",
}


def declared_environment(record: Record, files: DeclaredFiles | None) -> DeclaredEnvironment:
    """The environment as declared; `files` is None for a live endpoint, of which nothing is known.

    Packages are declared by the file that the environment is built from. One that cannot be read is unknown, and its
    digest is compared.
    """
    environment = record.environment
    if files is None or environment.kind == "unrecorded":
        return DeclaredEnvironment(recorded=False)
    packages, digest, unknown = _packages(environment, files)
    inventory = Inventory(
        interpreter={"version": environment.python} if environment.python else {},
        image={"name": environment.image} if environment.image else {},
        python_packages={
            name: PythonPackage(version, packages.sources.get(name, "")) for name, version in packages.versions.items()
        },
        variables=packages.variables | environment.variables,
        unknown=unknown,
    )
    facts = {**_facts(environment), **packages.projects, **({"contents": digest} if digest else {})}
    return DeclaredEnvironment(True, inventory, facts, packages.unpinned)


def _facts(environment: Environment) -> dict[str, str]:
    """What the environment is built from, and as of when."""
    kind = environment.kind
    facts = {"kind": kind, "file": str(getattr(environment, kind)) if kind != "image" else ""}
    facts["groups"] = ", ".join(sorted(environment.groups))
    facts["target"] = environment.build_target
    facts |= {f"image of {name}": image for name, image in environment.base_images.items()}
    facts["as of"] = environment.as_of or ""
    return {name: value for name, value in facts.items() if value}


def _packages(environment: Environment, files: DeclaredFiles) -> tuple[DeclaredPackages, str, dict[str, str]]:
    """The packages of the environment's file, its digest where they cannot be read, and what is unknown."""
    kind = environment.kind
    if kind == "image":
        named = has_digest(environment.image or "")
        return DeclaredPackages(), "", {} if named else {"image": UNSEEN["image"]}
    name = str(getattr(environment, kind))
    if kind == "sif":
        return DeclaredPackages(), "", {"image": UNSEEN["sif"]}
    try:
        content = files.read(name)
    except Inconclusive as error:
        return DeclaredPackages(), "", {"packages": error.what}
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if kind not in LOCAL_KINDS:
        return DeclaredPackages(), digest, {"packages": UNSEEN["dockerfile"]}
    try:
        packages = declared_packages(name, content, environment, files)
    except (Inconclusive, Refused, ValueError) as error:  # ValueError: a marker that cannot be evaluated
        return DeclaredPackages(), digest, {"packages": str(error)}
    return packages, "", {"packages": packages.left_out} if packages.left_out else {}
