"""Access lists for brokers: the hub may do anything, a device may touch `devices/{its id}/#` and nothing else.

A device signs in with its id as user name. Sources: mosquitto.conf(5), EMQX 5 "ACL file".
"""

from __future__ import annotations

from pathlib import Path

HUB = "ohmstead"
_HEAD = "Made by Ohmstead. The hub signs in as {hub}, each device with its id as user name."


def mosquitto(hub: str = HUB) -> str:
    """What `acl_file` of Mosquitto names. Whatever is not allowed there is denied."""
    return f"# {_HEAD.format(hub=hub)}\nuser {hub}\ntopic readwrite #\n\npattern readwrite devices/%u/#\n"


def emqx(hub: str = HUB) -> str:
    """What goes into `etc/acl.conf` of EMQX 5, with `authorization.no_match = deny`."""
    rules = [f'{{allow, {{username, "{hub}"}}, all, ["#"]}}.', '{allow, all, all, ["devices/${username}/#"]}.', "{deny, all}."]
    return "\n".join([f"%% {_HEAD.format(hub=hub)}", *rules, ""])


def write(folder: Path, hub: str = HUB) -> list[Path]:
    """Write both files into a folder; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / "mosquitto.acl": mosquitto(hub), folder / "emqx-acl.conf": emqx(hub)}
    for path, text in files.items():
        path.write_text(text)
    return list(files)
