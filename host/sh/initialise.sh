# Creates a partition and a file system on a blank disk. A person has confirmed it since the plan, which
# takes time, so the disk is examined again. sfdisk refuses a disk that is in use, and mkfs without force
# refuses a partition that contains something.
#
# Until the file system is complete the partition has a name that says so. If the power fails meanwhile, the next run
# knows what it finds there.
#
# disk: its path below /dev/disk/by-id. device, size, serial: what that was at the time of the plan. type: ext4 or
# xfs. label. unfinished: the name. resume: not empty if there is a partition with this name
# shellcheck disable=SC2154 # the caller prepends them
# shellcheck disable=SC2015 # refuse ends the script
refuse() { echo "$1" >&2; exit 1; }
r=$(readlink -f -- "$disk")
[ "$r" = "$device" ] && [ "$(blockdev --getsize64 "$r")" = "$size" ] &&
  [ "$(lsblk -n -d -o SERIAL "$r")" = "$serial" ] || refuse 'it is a different disk than at the time of the plan'
[ -z "$(lsblk -n -r -o FSTYPE,MOUNTPOINT "$r" | tr -d ' \n')" ] || refuse 'the disk is no longer blank'
if [ -z "$resume" ]; then
  [ "$(lsblk -n -r -o NAME "$r" | wc -l)" = 1 ] && [ -z "$(wipefs -n "$r")" ] && [ "$(proved "$r")" = blank ] ||
    refuse 'the disk is no longer blank'
  printf 'label: gpt\ntype=L, name="%s"\n' "$unfinished" | sfdisk -q "$r"
  udevadm settle
fi
p=$(lsblk -n -r -p -o NAME,TYPE,PARTLABEL "$r" | sed -n "s/ part $unfinished\$//p")
[ -b "$p" ] && [ "$(lsblk -n -r -o NAME "$r" | wc -l)" = 2 ] || refuse 'the disk has other partitions than the new one'
[ -z "$(wipefs -n "$p")" ] || refuse 'the new partition is not blank'
"mkfs.$type" -q -L "$label" "$p"
blockdev --flushbufs "$p"
udevadm settle
sfdisk -q --part-label "$r" "${p##*[!0-9]}" "$label"
udevadm settle
