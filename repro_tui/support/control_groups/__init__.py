"""Control groups (cgroups): what the kernel limits, counts and ends as one, whatever a program inside it starts.

`places` finds where groups can be made here, `group` makes one and ends it, and `scope` asks systemd for a subtree of
our own. Both versions of cgroups are known, also beside each other.
"""
