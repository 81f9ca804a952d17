# Defines proved, which proves that a disk is blank: tools that look for signatures find nothing on a disk full of raw
# data.

# proved DEVICE prints "blank" if its first and last 16 MiB and 256 MiB in between are zero, of a small disk all of it;
# otherwise "data N" if there is another byte in, or nothing can be read of, what begins at N MiB.
proved() {
  m=$(($(blockdev --getsize64 "$1") / 1048576))
  if [ "$(places $m | while read -r at count; do read_at "$1" "$at" "$count"; done | other)" = 0 ]; then
    echo blank
  else
    places $m | while read -r at count; do
      [ "$(read_at "$1" "$at" "$count" | other)" = 0 ] || { echo "data $at"; break; }
    done
  fi
}

# places MIB prints where a disk of this size is read, and how much, in MiB.
places() {
  i=0
  if [ "$1" -lt 304 ]; then
    while [ $i -le "$1" ]; do echo $i 16; i=$((i + 16)); done
    return
  fi
  echo 0 16; echo $(($1 - 16)) 17
  while [ $i -lt 256 ]; do
    echo $((16 + (i * 7919 + i * i * 31 + 13) % ($1 - 32))) 1
    i=$((i + 1))
  done
}

# read_at DEVICE AT COUNT prints what is there; what cannot be read is not zero.
read_at() { dd if="$1" bs=1048576 skip="$2" count="$3" 2>/dev/null </dev/null || echo unread; }

# other prints 0 if its input is only zeros, otherwise 1.
other() { tr -d '\0' | head -c 1 | wc -c; }
