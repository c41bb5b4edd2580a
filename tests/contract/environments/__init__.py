"""The cases of the builders of environments: `cases_NAME.py` has that of the builder NAME."""
