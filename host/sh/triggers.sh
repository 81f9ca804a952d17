# Prints the active sockets and paths that start a unit whenever they are used.
#
# unit
# shellcheck disable=SC2154 # the caller prepends it
for t in $(systemctl show -p TriggeredBy --value -- "$unit"); do
  case $t in *.socket | *.path) if systemctl is-active -q -- "$t"; then printf '%s\n' "$t"; fi ;; esac
done
