"""Reads the two-level `params.yaml` of this project without a dependency."""


def load(path):
    tree, section = {}, None
    with open(path) as stream:
        for line in stream:
            name, _, value = line.split("#")[0].rstrip().partition(":")
            if not name.strip():
                continue
            if not value.strip():
                section = tree.setdefault(name.strip(), {})
            elif line.startswith(" "):
                section[name.strip()] = float(value)
            else:
                tree[name.strip()] = value.strip()
    return tree
