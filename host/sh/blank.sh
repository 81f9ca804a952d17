# Defines proved, which proves that a disk is blank: tools that look for signatures find nothing on a disk full of raw
# data.

# proved DEVICE prints "blank" if its first and last 16 MiB and 256 MiB in between are zero, "data N" if there is another
# byte in, or nothing can be read of, what begins at N MiB.
proved() {
  m=$(($(blockdev --getsize64 "$1") / 1048576))
  zero "$1" 0 16 || return 0
  if [ $m -gt 32 ]; then zero "$1" $((m - 16)) 17 || return 0; fi
  i=0
  while [ $i -lt 256 ] && [ $m -gt 48 ]; do
    zero "$1" $((16 + (i * 7919 + i * i * 31 + 13) % (m - 32))) 1 || return 0
    i=$((i + 1))
  done
  echo blank
}

# zero DEVICE AT COUNT fails, and prints where, if one of COUNT MiB from AT on is not zero.
zero() {
  c=$({ dd if="$1" bs=1048576 skip="$2" count="$3" 2>/dev/null || echo unread; } | tr -d '\0' | head -c 1 | wc -c)
  [ "$c" = 0 ] || { echo "data $2"; return 1; }
}
