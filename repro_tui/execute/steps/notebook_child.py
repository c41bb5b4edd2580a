"""Runs a notebook of the audited code from top to bottom: `notebook_child.py JOB.json`. Part of repro-tui.

The Python of the audited environment runs it, 3.6 or later, with the environment's own nbclient, which papermill has
too. The parameters follow papermill's convention: they are assigned in a cell of their own, after the cell with the
tag `parameters`, or else first. The kernel is reached through sockets in the file system, so no network is needed. A
mistake is one line on standard error, and exit status 1.
"""

import json
import os
import re
import sys

TAG, INJECTED = "parameters", "injected-parameters"
COLOUR = re.compile("\x1b\\[[0-9;]*m")
NEEDED = "add nbclient and ipykernel to it (papermill has both)"


class NotebookMistake(Exception):
    """The step cannot go on; the message is one line that says why."""


def packages():
    """The modules nbformat and nbclient, and traitlets' Config."""
    try:
        import ipykernel  # noqa: F401
        import nbclient
        import nbformat
        from traitlets.config import Config
    except ImportError as error:
        name = getattr(error, "name", None) or str(error)
        raise NotebookMistake("the environment cannot run notebooks, it has no {}: {}".format(name, NEEDED))
    return nbformat, nbclient, Config


def assignments(job):
    """The source of the injected cell: the recorded parameters, and where the inputs and the output are."""
    values = of_all_files(job["parameters"]) if job["per_file"] else dict(job["parameters"])
    values.update(inputs=job["inputs"], output=job["output"])
    names = [name for name in values if not str(name).isidentifier()]
    for name in names:
        sys.stderr.write("the parameter {!r} is not a valid variable name: it was not passed on\n".format(name))
    lines = ["{} = {}".format(name, literal(value)) for name, value in values.items() if name not in names]
    return "\n".join(["# Parameters", *lines])


def of_all_files(files):
    """The parameters of several files under their own names; a name that two files have with two values is left out."""
    values, places = {}, {}
    for place, parameters in files.items():
        for name, value in parameters.items() if isinstance(parameters, dict) else ():
            if name in values and repr(values[name]) != repr(value):
                message = "the parameter {!r} has one value in {} and another in {}: it was not passed on\n"
                sys.stderr.write(message.format(name, places[name], place))
                places[name] = None
            elif name not in values:
                values[name], places[name] = value, place
    return {name: value for name, value in values.items() if places[name] is not None}


def literal(value):
    """A value as Python writes it; the floats that are not finite have no literal of their own."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return 'float("{!r}")'.format(value)
    if isinstance(value, list):
        return "[{}]".format(", ".join(map(literal, value)))
    if isinstance(value, dict):
        return "{{{}}}".format(", ".join("{!r}: {}".format(key, literal(item)) for key, item in value.items()))
    return repr(value)


def inject(notebook, nbformat, source):
    """Puts the cell with the parameters into the notebook; one that an earlier run has injected is replaced."""
    cells = [cell for cell in notebook.cells if INJECTED not in tags(cell)]
    place = next((number for number, cell in enumerate(cells, 1) if TAG in tags(cell)), 0)
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [INJECTED]})
    if notebook.nbformat_minor < 5:
        cell.pop("id", None)
    notebook.cells = [*cells[:place], cell, *cells[place:]]


def tags(cell):
    """The tags of a cell."""
    return cell.get("metadata", {}).get("tags", [])


def show_outputs(cell):
    """Copies what a cell printed to the log."""
    for output in cell.get("outputs", []):
        if output.get("output_type") == "stream":
            sys.stdout.write(output.get("text", ""))
    sys.stdout.flush()


def main(path):
    """Does the job in the file `path`."""
    with open(path, encoding="ascii") as stream:
        job = json.load(stream)
    nbformat, nbclient, config = packages()
    name = job["notebook"]
    try:
        notebook = nbformat.read(name, as_version=4)
    except OSError as error:
        raise NotebookMistake("{} cannot be read: {}".format(name, error.strerror))
    except Exception as error:  # nbformat raises many types
        raise NotebookMistake("{} is not a notebook: {}".format(name, first_line(error)))
    kernel = notebook.metadata.get("kernelspec", {})
    language = kernel.get("language") or notebook.metadata.get("language_info", {}).get("name", "python")
    if language.lower() != "python":
        raise NotebookMistake("{} is written in {}: only Python notebooks can be run".format(name, language))
    inject(notebook, nbformat, assignments(job))
    execute(notebook, nbclient, config, name)


def execute(notebook, nbclient, config, name):
    """Runs the notebook's cells with the environment's own Python kernel, in the folder of the notebook."""
    settings = config()
    settings.KernelManager.transport = "ipc"
    settings.KernelManager.ip = os.path.join(os.environ.get("TMPDIR", "/tmp"), "kernel-{}".format(os.getpid()))  # noqa: S108
    folder = os.path.dirname(os.path.abspath(name))
    client = nbclient.NotebookClient(
        notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": folder}}, config=settings
    )
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        raise NotebookMistake("a cell of {} failed: {}".format(name, last_line(error)))
    finally:
        for cell in notebook.cells:
            show_outputs(cell)


def first_line(error):
    """The first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def last_line(error):
    """The last line of an error's message that is not blank, which names the exception."""
    text = COLOUR.sub("", str(error))
    return ([line for line in text.splitlines() if line.strip()] or [type(error).__name__])[-1]


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except NotebookMistake as mistake:
        sys.stdout.flush()
        sys.stderr.write("notebook: {}\n".format(mistake))
        sys.exit(1)
