# Prints the facts from which Disk decides. A place that cannot be read counts as data. The disk is only searched for
# data, which takes seconds, if nothing else keeps it from being initialised.
#
# disk: its path below /dev/disk/by-id. label: of the wanted file system. unfinished: the name of a partition whose
# file system is not complete
# shellcheck disable=SC2154 # the caller prepends them
# shellcheck disable=SC2015 # either of the two failing means missing
r=$(readlink -f -- "$disk") && [ -b "$r" ] || { echo 'missing'; exit 0; }
echo "device $r"; echo "size $(blockdev --getsize64 "$r")"; echo "readonly $(blockdev --getro "$r")"
echo lsblk; lsblk -J -b -o NAME,PATH,TYPE,FSTYPE,LABEL,UUID,PARTLABEL,SERIAL,MOUNTPOINT; echo .
# a link that two disks claim leads to either
for o in $(lsblk -n -r -d -p -o NAME); do
  if [ "$o" != "$r" ] &&
    udevadm info -q symlink -n "$o" 2>/dev/null | tr ' ' '\n' | grep -q -x -F -e "${disk#/dev/}"
  then echo "twin $o"; fi
done
# in fstab, the disk or a partition of it may have another name
grep -o '^[[:space:]]*/dev/[^[:space:]]*' /etc/fstab 2>/dev/null | while read -r s; do
  case $(readlink -f -- "$s") in "$r" | "$r"[0-9]* | "$r"p[0-9]*) echo "fstab $s" ;; esac
done
if lsblk -n -r -o LABEL "$r" | grep -q -F -x -e "$label"; then exit 0; fi
# shellcheck disable=SC2012 # kernel names are plain words
n=${r##*/}; h=$(ls "/sys/class/block/$n/holders" 2>/dev/null); [ -z "$h" ] || echo "holders $(echo "$h" | tr '\n' ' ')"
grep -q "^$r " /proc/swaps && echo swap
p=$(lsblk -n -r -p -o NAME,PARTLABEL "$r" | sed -n "s/ $unfinished\$//p")
w=$(wipefs -n -J "${p:-$r}" 2>&1); echo "wipefs $(printf %s "$w" | tr -d '\n')"
# of a partition, blkid also prints its place in the table
b=$(blkid -p -s TYPE -s PTTYPE -o value "${p:-$r}" 2>&1); echo "blkid $? $(printf %s "$b" | tr '\n' ' ')"
if [ "$(lsblk -n -r -o NAME "$r" | wc -l)" = 1 ] && [ -z "$b" ]; then proved "$r"; fi
