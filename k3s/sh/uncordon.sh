# Lets pods onto a node again, and removes the note of why it was drained, in this order.
#
# node. mark: the annotation, and a hyphen
# shellcheck disable=SC2154 # the caller prepends them
set -e
kubectl() { /usr/local/bin/k3s kubectl "$@" </dev/null >/dev/null; }
kubectl uncordon "$node"
kubectl annotate node "$node" "$mark"
