# Gives the partition of a file system that is complete its name, after the power failed just before.
#
# disk: its path below /dev/disk/by-id. device: what that was at the time of the plan. label. unfinished: the name of
# the partition until now
# shellcheck disable=SC2154 # the caller prepends them
[ "$(readlink -f -- "$disk")" = "$device" ]
p=$(lsblk -n -r -p -o NAME,LABEL,PARTLABEL "$device" | sed -n "s/ $label $unfinished\$//p")
[ -b "$p" ] || { echo 'the disk has no such partition any more' >&2; exit 1; }
sfdisk -q --part-label "$device" "${p##*[!0-9]}" "$label"
udevadm settle
