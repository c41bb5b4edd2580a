"""Records and requests without secret values, as they may be written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from repro_tui.model.record import Record
from repro_tui.model.request import Request
from repro_tui.model.workspace import BuiltParameters
from repro_tui.support.redact import (
    Redactor,
    hide_words,
    is_ordinary,
    is_password_name,
    is_secret_name,
    is_secret_value,
    passwords_in,
    secrets_in,
    strip_url,
    strip_urls,
)


def hidden_request(request: Request, redactor: Redactor) -> Request:
    """The request without secret values, for audit.json."""
    learn_records((request.a, request.b), redactor)
    a, b = (hidden_record(record, redactor) for record in (request.a, request.b))
    overrides = {name: redactor.scrub(strip_urls(value)) for name, value in request.overrides.items()}
    return replace(request, a=a, b=b, overrides=overrides)


def hidden_record(record: Record, redactor: Redactor) -> Record:
    """The record without secret values: variables that are not shown, parameters by name, URLs without credentials."""
    learn_record(record, redactor)
    environment = replace(
        record.environment,
        command=tuple(redactor.scrub(strip_urls(word)) for word in record.environment.command),
        variables={name: redactor.variable(name, value) for name, value in record.environment.variables.items()},
        build_args={name: redactor.variable(name, value) for name, value in record.environment.build_args.items()},
    )
    code = record.code and replace(record.code, repository=_location(record.code.repository))
    data = tuple(replace(item, source=strip_urls(item.source)) for item in record.data)
    command = tuple(redactor.scrub(strip_urls(word)) for word in record.predict.command) if record.predict else ()
    return replace(
        record,
        reference=strip_urls(record.reference),
        description=redactor.scrub(strip_urls(record.description)),
        environment=environment,
        code=code,
        data=data,
        parameters=replace(record.parameters, values=redactor.value("", record.parameters.values)),
        predict=record.predict and replace(record.predict, command=command, url=_location(record.predict.url)),
    )


def learn_records(records: Iterable[Record], redactor: Redactor) -> None:
    """Registers the secret values of all records of an audit: what one of them hides, the others do not show."""
    records = tuple(records)
    for record in records:
        redactor.add_patterns(record.environment.show_variables)
    for record in records:
        learn_record(record, redactor)


def learn_record(record: Record, redactor: Redactor) -> None:
    """Registers this record's secret values with the redactor, so that logs and errors lose them too.

    A variable whose name does not suggest a secret is not registered if its value is a name that the record itself
    shows, such as that of the model or of a column: hiding it would hide what the audit is about.
    """
    redactor.add_patterns(record.environment.show_variables)
    shown = "\n".join(_shown(record))
    for name, value in record.environment.variables.items():
        if not redactor.shows_variable(name, value) and (is_secret_name(name) or value not in shown):
            redactor.learn_setting(name, value)
    for name, value in record.environment.build_args.items():
        if is_secret_name(name):
            redactor.learn(value)
        for secret in secrets_in(value):
            redactor.learn(secret)
    _learn_values(record.parameters.values, redactor)
    for command in (record.environment.command, record.predict.command if record.predict else ()):
        _learn_words(command, redactor)
    named = (record.code.repository if record.code else "", record.predict.url if record.predict else "")
    for location in (*named, record.reference, *(item.source for item in record.data)):
        _learn_url(location, redactor)


def _shown(record: Record) -> Iterator[str]:
    """The names in a record that nobody would keep secret."""
    yield record.name
    yield from (item.path for item in record.data)
    yield from (
        (record.code.repository, record.code.subdirectory)
        if record.code and "://" not in record.code.repository
        else ()
    )
    yield from (record.environment.image or "", record.environment.sif or "", *record.environment.base_images)
    yield from (record.predict.model, *record.predict.columns, *record.predict.names) if record.predict else ()
    yield from (record.validation.inputs or "", *record.validation.key, *record.validation.columns)


def _learn_words(command: tuple[str, ...], redactor: Redactor) -> None:
    def learn(value: str) -> str:
        redactor.learn(value)
        return value

    for _ in hide_words(command, learn):
        pass
    for word in command:
        _learn_passwords(word, redactor)


def _learn_passwords(text: str, redactor: Redactor) -> None:
    for password in passwords_in(text):
        redactor.learn(password)


def _learn_values(values: object, redactor: Redactor, name: str = "") -> None:
    for its_name, value in leaves_of(values, name):
        if is_secret_value(its_name, value):
            redactor.learn(str(value))
        elif isinstance(value, str):
            _learn_url(value, redactor)
            _learn_passwords(value, redactor)


def learn_parameters(parameters: BuiltParameters, redactor: Redactor) -> None:
    """Registers the secret values of parameters as the code reads them, also those that a file of the commit holds.

    Nobody has put these into a record, so a plain word under a name such as `key` is taken for what it looks like.
    """
    for values in parameters.values.values() if parameters.per_file else (parameters.values,):
        for name, value in leaves_of(values):
            if isinstance(value, str) and is_secret_name(name) and not is_password_name(name) and is_ordinary(value):
                continue
            _learn_values(value, redactor, name)


def leaves_of(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """The single values in nested ones, each with its name, or that of the outermost table with a secret's name."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves_of(item, name if is_secret_name(name) else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves_of(item, name)
    else:
        yield name, value


def _learn_url(location: str, redactor: Redactor) -> None:
    for secret in secrets_in(location) if "://" in location else ():
        redactor.learn(secret)


def _location(repository: str) -> str:
    return strip_url(repository) if "://" in repository else repository
