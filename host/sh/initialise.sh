# Makes a partition and a file system on a blank disk. Between the plan and now a person has confirmed it, which takes time: the disk is looked at
# again, and sfdisk itself refuses a disk that is in use. mkfs without force refuses a partition that holds something.
#
# disk: its path below /dev/disk/by-id. device, size: what that was when it was planned. type: ext4 or xfs. label
# shellcheck disable=SC2154 # they are set in front of this text
r=$(readlink -f -- "$disk"); [ "$r" = "$device" ] && [ "$(blockdev --getsize64 "$r")" = "$size" ]
# shellcheck disable=SC2015 # any of them failing means not blank
[ -z "$(lsblk -n -r -o FSTYPE,MOUNTPOINT "$r" | tr -d ' \n')" ] && [ "$(lsblk -n -r -o NAME "$r" | wc -l)" = 1 ] && [ -z "$(wipefs -n "$r")" ] ||
  { echo 'the disk is not blank any more' >&2; exit 1; }
printf 'label: gpt\n,,L\n' | sfdisk -q "$r"
udevadm settle; p=$(lsblk -n -r -p -o NAME,TYPE "$r" | sed -n 's/ part$//p'); [ -b "$p" ]
[ -z "$(wipefs -n "$p")" ] || { echo 'the new partition holds something' >&2; exit 1; }
"mkfs.$type" -q -L "$label" "$p"; udevadm settle
