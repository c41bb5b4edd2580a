"""The user's own configuration: theme, keys, mouse, git's credential helper and the limits of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.run import Limits
from repro_tui.support.paths import config_root

FILE_NAME = "config.toml"
LEAST_MEMORY = 64 << 20
MOST_MEMORY = 8 << 30


@dataclass(frozen=True, slots=True)
class Config:
    """The user's configuration. `keys` maps the name of an action to its keys; `limits` are complete.

    `credential_helper` is the git credential helper that may be asked for private https repositories ("" for none).
    """

    theme: str = "auto"
    mouse: bool = True
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: default_limits())
    credential_helper: str = ""
    file: Path | None = None


def default_limits() -> Limits:
    """The default limits: at most half of this machine's memory."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Limits(memory=min(MOST_MEMORY, whole // 2))


def load_config() -> Config:
    """The settings of the configuration file, else the defaults. Raises Refused with every mistake in the file."""
    file = config_root() / FILE_NAME
    if not file.is_file():
        return Config()
    from repro_tui.formats.documents import load_document
    from repro_tui.formats.wire.config import ConfigFields
    from repro_tui.formats.wire.mistakes import check

    fields = check(ConfigFields, load_document(file), str(file))
    limits = default_limits()
    from repro_tui.support.sizes import size_of

    for name in Limits.__dataclass_fields__:
        value = getattr(fields.limits, name)
        if value is not None:
            limits = replace(limits, **{name: size_of(value) if isinstance(value, str) else value})
    if limits.memory < LEAST_MEMORY:
        raise Refused(Mistake(f"{file}: limits.memory", "a run needs at least 64 MiB"))
    keys = {name: (keys,) if isinstance(keys, str) else tuple(keys) for name, keys in fields.keys.items()}
    return Config(fields.theme, fields.mouse, keys, limits, fields.git.credential_helper, file)
