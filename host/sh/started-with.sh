# Notes what a unit was started with: its invocation ID, and the fingerprints of what it is restarted and
# reloaded on.
#
# unit. restart, reload: the fingerprints. stamp: the file
# shellcheck disable=SC2154 # the caller prepends them
( umask 022; mkdir -p -- "${stamp%/*}" )
printf '%s %s %s\n' "$(systemctl show -p InvocationID --value -- "$unit")" "$restart" "$reload" >"$stamp"
