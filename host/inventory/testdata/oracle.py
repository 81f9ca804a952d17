"""Answers questions with ansible-core's own inventory, one JSON document per line.

{"load": FILE}      -> {"hosts": {NAME: {"groups": [...], "vars": {...}}}}
{"select": PATTERN} -> {"hosts": [...], "ignored": [...], "error": TEXT or null}
"""
import json
import os
import sys

os.environ.update(
    ANSIBLE_INVENTORY_ENABLED="yaml",
    ANSIBLE_LOCALHOST_WARNING="false",
    ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
)

from ansible.inventory import group, manager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

# Ansible iterates over the groups below a group as sets, in the order of their hashes, which are addresses by default.
# Small numbers as hashes make the order of the sets predictable.
made = [0]
plain_init = group.Group.__init__


def init(self, name=None):
    plain_init(self, name)
    self.number = made[0]
    made[0] += 1


group.Group.__init__ = init
group.Group.__hash__ = lambda self: self.number

warned = []
manager.display.warning = lambda text, **_: warned.append(text)
IGNORED = "Could not match supplied host pattern, ignoring: "


def load(path):
    made[0] = 0
    loader = DataLoader()
    inventory = manager.InventoryManager(loader=loader, sources=[path])
    variables = VariableManager(loader=loader, inventory=inventory)
    hosts = {}
    for name, host in inventory.hosts.items():
        values = variables.get_vars(host=host, include_hostvars=False)
        hosts[name] = {
            "groups": [g for g in host.get_magic_vars()["group_names"] if g != "ungrouped"],
            "vars": {k: v for k, v in values.items() if k.startswith("v_")},
        }
    return inventory, {"hosts": hosts}


def select(inventory, localhost, pattern):
    inventory.clear_caches()
    inventory._inventory.localhost = localhost
    warned.clear()
    try:
        hosts, error = [h.name for h in inventory.get_hosts(pattern)], None
    except Exception as e:
        hosts, error = [], "%s: %s" % (type(e).__name__, e)
    return {"hosts": hosts, "ignored": [w[len(IGNORED):] for w in warned if w.startswith(IGNORED)], "error": error}


inventory = localhost = None
for line in sys.stdin:
    request = json.loads(line)
    if "load" in request:
        inventory, answer = load(request["load"])
        localhost = inventory._inventory.localhost
    else:
        answer = select(inventory, localhost, request["select"])
    print(json.dumps(answer), flush=True)
