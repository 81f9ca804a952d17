# Unpacks a tar archive into a directory. The stamp is removed before anything is unpacked and comes last: a directory that is half unpacked has
# none.
#
# temp: the archive, which is removed. dir: the directory. stamp: the file that holds the checksum of what was unpacked. sum: that checksum.
# strip: leading components that are left out. owner: OWNER:GROUP of all, empty for root, whose it is anyway.
# shellcheck disable=SC2154 # they are set in front of this text
rm -f -- "$stamp"
( umask 022; tar -x -f "$temp" -C "$dir" --strip-components="$strip" --no-same-owner ) || { rm -f -- "$temp"; exit 1; }
rm -f -- "$temp"
[ -z "$owner" ] || chown -R -h -- "$owner" "$dir"
printf '%s\n' "$sum" >"$stamp"; chmod 0644 "$stamp"; sync -- "$stamp"
