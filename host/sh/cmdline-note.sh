# Notes in which boot a reboot was asked for, and what for.
#
# note. file
# shellcheck disable=SC2154 # the caller prepends them
( umask 022; mkdir -p -- "${file%/*}"; printf %s "$note" >"$file.tmp" )
sync -- "$file.tmp"; mv -fT -- "$file.tmp" "$file"; sync -- "${file%/*}/"
