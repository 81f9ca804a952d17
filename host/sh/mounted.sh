# Prints what is mounted at a path if it is a different device from the source, as far as the source can
# be found.
#
# source, path
# shellcheck disable=SC2154 # the caller prepends them
is=$(findmnt -n -v -f -o SOURCE -M "$path") || exit 0
findmnt -n -S "$source" -M "$path" >/dev/null && exit 0
case $source in /dev/*) [ -b "$source" ] ;; *) blkid -o device -t "$source" >/dev/null 2>&1 ;; esac && printf %s "$is"
