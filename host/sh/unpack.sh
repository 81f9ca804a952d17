# Unpacks a tar archive into a directory. The stamp is removed first and written last, when everything else is
# on disk, so a directory that is partly unpacked has none. A directory that was created for the archive is removed
# if that cannot be unpacked, for instance because the disk is full.
#
# temp: the archive, which is removed. dir: the directory. stamp: the file with the checksum of the unpacked
# archive. sum: that checksum. strip: leading components to remove from names. owner: OWNER:GROUP of
# everything; empty for root, who owns it anyway. created: set if the directory was created.
# shellcheck disable=SC2154 # the caller prepends them
rm -f -- "$stamp"; sync -- "$dir"
( umask 022; tar -x -f "$temp" -C "$dir" --strip-components="$strip" --no-same-owner ) || {
  rm -f -- "$temp"
  [ -z "$created" ] || rm -rf --one-file-system -- "$dir"
  exit 1
}
rm -f -- "$temp"
[ -z "$owner" ] || chown -R -h -- "$owner" "$dir"
# Another file system may be mounted somewhere below the directory.
if [ "$(find "$dir" -type d -printf '%D\n' | sort -u | wc -l)" = 1 ]; then sync -f -- "$dir"; else sync; fi
printf '%s\n' "$sum" >"$stamp"; chmod 0644 "$stamp"; sync -- "$stamp"
