"""What a child sees in a sandbox or a container: a small probe before every run, and how its output is judged."""

from __future__ import annotations

_SCRIPT = """
while read -r line; do echo "$line"; done < /proc/net/dev
while read -r name value rest; do
  case $name in Uid:|CapEff:|CapBnd:|NoNewPrivs:|Seccomp:) echo "status $name $value" ;; esac
done < /proc/self/status
for path; do if [ -e "$path" ]; then echo host-visible; fi; done
if (: > /repro-tui) 2>/dev/null; then echo root-writable; fi
for path in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do if [ -w "$path" ]; then echo kernel-writable; fi; done
exit 0
"""
# What a sandbox must show; with a network, its interfaces may be any.
EXPECTED = {
    "interfaces": "lo",
    "capabilities": "none",
    "host files": "hidden",
    "root": "read-only",
    "kernel settings": "read-only",
    "new privileges": "none",
    "system calls": "filtered",
}


def probe_command(*canaries: str) -> list[str]:
    """The command of the probe, for any shell; `canaries` are paths on the machine that must be hidden."""
    return ["sh", "-c", _SCRIPT, "sh", *canaries, "/var/run/docker.sock"]


def observed(text: str) -> dict[str, str]:
    """Parses the output of the probe into the words of EXPECTED, and the user's number."""
    lines = text.splitlines()
    status = dict(line.split()[1:3] for line in lines if line.startswith("status "))
    others = [line for line in lines[2:] if not line.startswith("status ")]
    gained = "".join(status.get(f"{name}:", "unknown") for name in ("CapEff", "CapBnd"))
    return {
        "interfaces": " ".join(sorted(line.partition(":")[0].strip() for line in others if ":" in line)),
        "capabilities": "none" if gained.strip("0") == "" else gained,
        "host files": "visible" if "host-visible" in lines else "hidden",
        "root": "writable" if "root-writable" in lines else "read-only",
        "kernel settings": "writable" if "kernel-writable" in lines else "read-only",
        "new privileges": "none" if status.get("NoNewPrivs:") == "1" else "possible",
        "system calls": "filtered" if status.get("Seccomp:") == "2" else "not filtered",
        "user": status.get("Uid:", "unknown"),
    }


def shortcomings(seen: dict[str, str], *, network: bool) -> list[str]:
    """What is not sealed, as `name: what was seen`; `network`: the run may use the machine's."""
    asked = {name: value for name, value in EXPECTED.items() if not (network and name == "interfaces")}
    return [f"{name}: {seen[name]}" for name, value in asked.items() if seen[name] != value]
