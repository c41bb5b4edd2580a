"""What to install where a package is missing: the extra of repro-tui that brings it, or the package itself."""

from __future__ import annotations

# The extra that brings a module. MLflow's and fsspec's clients of one store come with one extra.
_EXTRAS = {
    **dict.fromkeys(("mlflow", "sqlalchemy", "alembic"), "mlflow"),
    **dict.fromkeys(("boto3", "botocore", "aiobotocore", "s3fs"), "s3"),
    **dict.fromkeys(("google", "gcsfs"), "gs"),
    **dict.fromkeys(("azure", "adlfs"), "azure"),
    **dict.fromkeys(("sshfs", "asyncssh"), "ssh"),
    "cryptography": "attest",
    "cyclonedx": "sbom",
    "rattler": "conda",
    "wandb": "wandb",
    "zstandard": "sif",
}
# The extra that reads URLs of a scheme.
_SCHEMES = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gs"),
    **dict.fromkeys(("azure", "az", "abfs", "abfss", "adl", "wasb", "wasbs"), "azure"),
    **dict.fromkeys(("ssh", "sftp"), "ssh"),
}


def reinstall(extra: str) -> str:
    """How to install an extra."""
    return f"reinstall repro-tui with the extra {extra}; in its checkout: pipx install --force '.[{extra}]'"


def bring_module(module: str) -> str:
    """How to install a module that could not be imported, by its dotted name."""
    name = module.partition(".")[0]
    return reinstall(_EXTRAS[name]) if name in _EXTRAS else f"install {name or 'it'} in the environment of repro-tui"


def bring_scheme(scheme: str) -> str:
    """How to install what reads URLs of a scheme; "" where no extra does."""
    return reinstall(_SCHEMES[scheme]) if scheme in _SCHEMES else ""
