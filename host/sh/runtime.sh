# Reverts what was done to a unit for the time until the reboot (--runtime), which systemctl leaves otherwise.
#
# unit, state: what is-enabled says of it then. verb
# shellcheck disable=SC2154 # they are set in front of this text
if [ "$(systemctl is-enabled -- "$unit" 2>/dev/null)" = "$state" ]; then systemctl "$verb" --runtime -- "$unit"; fi
