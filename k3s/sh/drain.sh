# Drains a node. That it is ours is noted before, and that it is done after: a run may be cut off anywhere.
#
# node. mark: the annotation and what it is drained for; empty for a node that somebody else has cordoned. timeout: "600s"
# shellcheck disable=SC2154 # the caller prepends them
set -e
kubectl() { /usr/local/bin/k3s kubectl "$@" </dev/null >/dev/null; }
[ -z "$mark" ] || kubectl annotate node "$node" "$mark, not done" --overwrite
kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout="$timeout"
[ -z "$mark" ] || kubectl annotate node "$node" "$mark" --overwrite
