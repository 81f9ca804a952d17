# Prints what is mounted at a path when it is another device than the source, as far as the source can be found.
#
# source, path
# shellcheck disable=SC2154 # they are set in front of this text
is=$(findmnt -n -v -f -o SOURCE -M "$path") || exit 0
findmnt -n -S "$source" -M "$path" >/dev/null && exit 0
case $source in /dev/*) [ -b "$source" ] ;; *) blkid -o device -t "$source" >/dev/null 2>&1 ;; esac && printf %s "$is"
