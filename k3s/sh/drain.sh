# Drains a node. What it was drained for is noted first: a run that is cut off anywhere is known to be ours.
#
# node. mark: the annotation; empty for a node that somebody else has cordoned. timeout: "600s"
# shellcheck disable=SC2154 # the caller prepends them
set -e
kubectl() { /usr/local/bin/k3s kubectl "$@" </dev/null >/dev/null; }
[ -z "$mark" ] || kubectl annotate node "$node" "$mark" --overwrite
kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout="$timeout"
