"""A bill of materials of one side of an audit: its environment, its code and its data, as CycloneDX.

Source: https://cyclonedx.org/docs/1.6/json/. The document of a side is always the same: it has no random number, and
its time is that of the audit.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from repro_tui.model.errors import Refused
from repro_tui.model.inventory import Inventory
from repro_tui.support.extras import reinstall
from repro_tui.support.text import show
from repro_tui.version import __version__

if TYPE_CHECKING:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from packageurl import PackageURL

    from repro_tui.model.report import Report, SideReport

# The kind of a package URL for the packages of a Linux distribution, by its id in os-release.
DISTRIBUTIONS: Final = {
    **dict.fromkeys(("debian", "ubuntu", "raspbian", "linuxmint"), "deb"),
    **dict.fromkeys(("alpine", "wolfi", "chainguard"), "apk"),
    **dict.fromkeys(("fedora", "rhel", "centos", "rocky", "almalinux", "amzn", "opensuse-leap", "sles", "ol"), "rpm"),
}
# Endings of files that hold a trained model.
MODELS: Final = (
    *(".joblib", ".pkl", ".pickle", ".onnx", ".pt", ".pth", ".bin", ".safetensors", ".gguf", ".h5", ".keras"),
    *(".ubj", ".cbm", ".pmml", ".tflite", ".ckpt", ".model"),
)


def bill_of_materials(report: Report, side: str, inventory: Inventory) -> str:
    """The CycloneDX 1.6 document of side "a" or "b", as JSON. Raises Refused where the extra `sbom` is missing."""
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError:
        raise Refused(f"a bill of materials needs the package cyclonedx-python-lib: {reinstall('sbom')}") from None
    part: SideReport = getattr(report.sides, side)
    parts = [*_software(inventory), *_data(part.record)]
    root = _application(part)
    bom = Bom(
        serial_number=_serial_number(report, side),
        components=parts,
        metadata=BomMetaData(
            component=root,
            timestamp=_time(report.audit.started),
            tools=_tools(),
            properties=_properties(_facts(report, side, inventory)),
        ),
    )
    bom.register_dependency(root, parts)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _application(part: SideReport) -> Component:
    """The deployment itself, with the commit of its code as version."""
    from cyclonedx.model.component import Component, ComponentType

    code = _table(part.record.get("code"))
    commit = str(code.get("commit") or "")
    repository = {"repro-tui:repository": show(str(code["repository"]), 500)} if code.get("repository") else {}
    return Component(
        type=ComponentType.APPLICATION,
        name=show(part.name, 300),
        version=commit or None,
        bom_ref="deployment",
        properties=_properties(repository),
    )


def _software(inventory: Inventory) -> Iterator[Component]:
    """The system, the interpreter, and the packages of both."""
    from cyclonedx.model.component import ComponentType

    system, interpreter = inventory.system, inventory.interpreter
    if system.get("os"):
        yield _component(ComponentType.OPERATING_SYSTEM, system["os"], system.get("os version", ""))
    if interpreter.get("version"):
        name = interpreter.get("implementation", "Python")
        yield _component(ComponentType.PLATFORM, name, interpreter["version"])
    for name, package in sorted(inventory.python_packages.items()):
        kind = "conda" if package.source == "conda" else "pypi"
        url = _package_url(kind, name.lower().replace("_", "-") if kind == "pypi" else name, package.version)
        facts = {"repro-tui:installed files": package.digest, "repro-tui:source": package.source}
        yield _component(ComponentType.LIBRARY, name, package.version, url=url, facts=facts)
    kind = DISTRIBUTIONS.get(system.get("os", ""), "generic")
    namespace = system["os"] if kind != "generic" else None
    for name, version in sorted(inventory.system_packages.items()):
        url = _package_url(kind, name, version, namespace)
        yield _component(ComponentType.LIBRARY, name, version, url=url)


def _package_url(kind: str, name: str, version: str, namespace: str | None = None) -> PackageURL | None:
    """The package URL; None for a name that no registry has."""
    from packageurl import PackageURL

    try:
        return PackageURL(kind, namespace=namespace, name=show(name, 300), version=show(version, 300))
    except ValueError:
        return None


def _data(record: Mapping[str, object]) -> Iterator[Component]:
    """The data of the record; a trained model is a machine-learning model, whatever else its file holds."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import ComponentType

    for number, entry in enumerate(_tables(record.get("data"))):
        path = str(entry.get("path") or "")
        model = path.lower().endswith(MODELS) or "model" in path.lower().split("/")[0]
        kind = ComponentType.MACHINE_LEARNING_MODEL if model else ComponentType.DATA
        component = _component(kind, path, "", ref=f"data-{number}")
        for name, algorithm in (("sha256", HashAlgorithm.SHA_256), ("md5", HashAlgorithm.MD5)):
            if isinstance(entry.get(name), str):
                component.hashes.add(HashType(alg=algorithm, content=str(entry[name])))
        yield component


def _component(
    kind: ComponentType,
    name: str,
    version: str,
    *,
    url: PackageURL | None = None,
    facts: Mapping[str, str] | None = None,
    ref: str = "",
) -> Component:
    from cyclonedx.model.component import Component

    reference = ref or (url.to_string() if url else f"{kind.value}:{show(name, 300)}@{show(version, 300)}")
    return Component(
        type=kind,
        name=show(name, 300) or "(no name)",
        version=show(version, 300) or None,
        purl=url,
        bom_ref=reference,
        properties=_properties(facts or {}),
    )


def _facts(report: Report, side: str, inventory: Inventory) -> dict[str, str]:
    """Where this comes from, and what could not be read: a bill that leaves something out says so."""
    facts = {"repro-tui:audit": report.audit.id, "repro-tui:side": side.upper()}
    image = inventory.image.get("id")
    facts |= {"repro-tui:image": image} if image else {}
    return facts | {f"repro-tui:unknown:{name}": reason for name, reason in sorted(inventory.unknown.items())}


def _properties(facts: Mapping[str, str]) -> list[Property]:
    from cyclonedx.model import Property

    return [Property(name=show(name, 300), value=show(value, 1000)) for name, value in facts.items() if value]


def _tools() -> ToolRepository:
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository

    return ToolRepository(components=[Component(type=ComponentType.APPLICATION, name="repro-tui", version=__version__)])


def _serial_number(report: Report, side: str) -> uuid.UUID:
    """A number of this side of this audit, and of no other."""
    seed = json.dumps([report.audit.id, report.audit.started, side]).encode()
    return uuid.UUID(bytes=hashlib.sha256(seed).digest()[:16], version=4)


def _time(started: str) -> datetime:
    try:
        return datetime.fromisoformat(started)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _tables(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list | tuple) else []


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
