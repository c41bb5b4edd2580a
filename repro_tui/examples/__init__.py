"""The project that `repro-tui demo` audits."""
