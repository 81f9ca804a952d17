# Notes what a unit was started with: its invocation ID, or - if it has ended and systemd has forgotten it, and the
# fingerprints of what it is restarted and reloaded on.
#
# unit. restart, reload: the fingerprints. stamp: the file
# shellcheck disable=SC2154 # the caller prepends them
( umask 022; mkdir -p -- "${stamp%/*}" )
i=$(systemctl show -p InvocationID --value -- "$unit")
printf '%s %s %s\n' "${i:--}" "$restart" "$reload" >"$stamp"
