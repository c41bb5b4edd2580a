"""Finds a protocol by name."""

from __future__ import annotations

from typing import cast

from repro_tui.execute.protocols.base import Codec


def codec_of(protocol: str) -> Codec:
    """The codec of the protocol with that name (`mlflow` or `open-inference`)."""
    if protocol == "mlflow":
        from repro_tui.execute.protocols.mlflow import Mlflow

        return cast(Codec, Mlflow())
    from repro_tui.execute.protocols.open_inference import OpenInference

    return cast(Codec, OpenInference())
