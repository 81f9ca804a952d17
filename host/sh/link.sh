# Creates a symbolic link. ln -f removes the old one first; a rename replaces it atomically.
#
# temp, target, path
# shellcheck disable=SC2154 # the caller prepends them
rm -f -- "$temp"; ln -s -- "$target" "$temp"; mv -fT -- "$temp" "$path"
