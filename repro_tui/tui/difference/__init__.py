"""The difference of a finding: as a row of a list, as lines and parts, and the pane that shows it."""
