"""The protocol of a name."""

from __future__ import annotations

from typing import cast

from repro_tui.execute.protocols.base import Codec


def codec_of(protocol: str) -> Codec:
    """The codec of a protocol's name."""
    if protocol == "mlflow":
        from repro_tui.execute.protocols.mlflow import Mlflow

        return cast(Codec, Mlflow())
    from repro_tui.execute.protocols.open_inference import OpenInference

    return cast(Codec, OpenInference())
