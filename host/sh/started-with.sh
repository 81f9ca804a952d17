# Notes what a unit was started with: its invocation, and the fingerprints of what it is restarted and reloaded on.
#
# unit, restart, reload, stamp: the file
# shellcheck disable=SC2154 # they are set in front of this text
( umask 022; mkdir -p -- "${stamp%/*}" )
printf '%s %s %s\n' "$(systemctl show -p InvocationID --value -- "$unit")" "$restart" "$reload" >"$stamp"
