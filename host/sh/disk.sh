# Prints the facts from which Disk decides. A place that cannot be read counts as data. Samples are only
# read if the disk does not have the wanted file system yet.
#
# disk: its path below /dev/disk/by-id. label: of the wanted file system.
# shellcheck disable=SC2154 # the caller prepends them
# shellcheck disable=SC2015 # either of the two failing means missing
r=$(readlink -f -- "$disk") && [ -b "$r" ] || { echo 'missing'; exit 0; }
echo "device $r"; echo "size $(blockdev --getsize64 "$r")"
echo lsblk; lsblk -J -b -o NAME,PATH,TYPE,SIZE,FSTYPE,LABEL,UUID,MOUNTPOINT,PKNAME "$r"; echo .
if [ "$(lsblk -n -r -o LABEL "$r" | grep -c -F -x -e "$label")" = 1 ]; then exit 0; fi
# shellcheck disable=SC2012 # kernel names are plain words
n=${r##*/}; h=$(ls "/sys/class/block/$n/holders" 2>/dev/null); [ -z "$h" ] || echo "holders $h"
w=$(wipefs -n -J "$r" 2>&1); echo "wipefs $(printf %s "$w" | tr -d '\n')"
b=$(blkid -p -o export "$r" 2>&1); echo "blkid $? $(printf %s "$b" | tr '\n' ' ')"
grep -q "^$r " /proc/swaps && echo swap
s=$(blockdev --getsize64 "$r"); m=$((s / 1048576))
zero() {
  c=$({ dd if="$r" bs=1048576 skip="$1" count="$2" 2>/dev/null || echo unread; } | tr -d '\0' | head -c 1 | wc -c)
  [ "$c" = 0 ] || { echo "data $1"; exit 0; }
}
zero 0 16; [ $m -gt 32 ] && zero $((m - 16)) 17
i=0; while [ $i -lt 256 ] && [ $m -gt 48 ]; do zero $((16 + (i * 7919 + i * i * 31 + 13) % (m - 32))) 1; i=$((i + 1)); done
echo blank
