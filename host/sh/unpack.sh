# Unpacks a tar archive into a directory. The stamp is removed first and written last, so a directory that
# is partly unpacked has none.
#
# temp: the archive, which is removed. dir: the directory. stamp: the file with the checksum of the unpacked
# archive. sum: that checksum. strip: leading components to remove from names. owner: OWNER:GROUP of
# everything; empty for root, who owns it anyway.
# shellcheck disable=SC2154 # the caller prepends them
rm -f -- "$stamp"
( umask 022; tar -x -f "$temp" -C "$dir" --strip-components="$strip" --no-same-owner ) || { rm -f -- "$temp"; exit 1; }
rm -f -- "$temp"
[ -z "$owner" ] || chown -R -h -- "$owner" "$dir"
printf '%s\n' "$sum" >"$stamp"; chmod 0644 "$stamp"; sync -- "$stamp"
