"""An example of a third-party package: a source, a runner and a reporter for repro-tui."""
