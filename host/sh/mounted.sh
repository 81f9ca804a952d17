# Prints what the source of a mount is: the path of a device, its number in hexadecimal and, if wanted, the UUID of what
# is on it, as far as it can be found; or for a bind mount whether the mount point shows the directory.
#
# source, path. bind: empty for a device. uuid: not empty if it is wanted
# shellcheck disable=SC2154 # the caller prepends them
if [ "$bind" ]; then
  i=$(stat -L -c %d:%i -- "$source" 2>/dev/null) || exit 0
  if [ "$i" = "$(stat -L -c %d:%i -- "$path")" ]; then echo same; else echo other; fi
else
  case $source in /*) d=$source ;; *) d=$(findfs "$source" 2>/dev/null) ;; esac
  d=$(readlink -e -- "$d") && [ -b "$d" ] && printf '%s %s' "$d" "$(stat -c '%t %T' -- "$d")" || exit 0
  if [ "$uuid" ]; then printf ' %s' "$(lsblk -n -d -o UUID -- "$d")"; fi
  echo
fi
