# Makes the certificates of a node again. k3s starts whatever happens.
# shellcheck disable=SC2154 # unit is prepended
set -e
# A shell that a signal ends does not run the other trap.
trap 'systemctl reset-failed "$unit" 2>/dev/null || :; systemctl start "$unit"' EXIT
trap 'exit 1' HUP INT TERM
systemctl stop "$unit"
/usr/local/bin/k3s certificate rotate >/dev/null </dev/null
