# Reverts what was done to a unit with --runtime, until the next reboot, which systemctl does not revert
# otherwise.
#
# unit. state: what is-enabled reports of it then. verb: unmask or disable
# shellcheck disable=SC2154 # the caller prepends them
if [ "$(systemctl is-enabled -- "$unit" 2>/dev/null)" = "$state" ]; then systemctl "$verb" --runtime -- "$unit"; fi
