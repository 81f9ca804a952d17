# Creates a partition and a file system on a blank disk. A person has confirmed it since the plan, which
# takes time, so the disk is examined again. sfdisk refuses a disk that is in use, and mkfs without force
# refuses a partition that contains something.
#
# disk: its path below /dev/disk/by-id. device, size: what that was at the time of the plan. type: ext4 or
# xfs. label
# shellcheck disable=SC2154 # the caller prepends them
r=$(readlink -f -- "$disk"); [ "$r" = "$device" ] && [ "$(blockdev --getsize64 "$r")" = "$size" ]
# shellcheck disable=SC2015 # any of them failing means not blank
[ -z "$(lsblk -n -r -o FSTYPE,MOUNTPOINT "$r" | tr -d ' \n')" ] &&
  [ "$(lsblk -n -r -o NAME "$r" | wc -l)" = 1 ] && [ -z "$(wipefs -n "$r")" ] ||
  { echo 'the disk is no longer blank' >&2; exit 1; }
printf 'label: gpt\n,,L\n' | sfdisk -q "$r"
udevadm settle; p=$(lsblk -n -r -p -o NAME,TYPE "$r" | sed -n 's/ part$//p'); [ -b "$p" ]
[ -z "$(wipefs -n "$p")" ] || { echo 'the new partition is not blank' >&2; exit 1; }
"mkfs.$type" -q -L "$label" "$p"; udevadm settle
