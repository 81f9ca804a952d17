# Creates a symbolic link. ln -f removes the old one first; a rename replaces it atomically.
#
# temp, target, path. validate: a command that must accept what the link $1 points to; empty means none.
# shellcheck disable=SC2154 # the caller prepends them
rm -f -- "$temp"; ln -s -- "$target" "$temp"
[ -z "$validate" ] || sh -c "$validate" lab "$temp" || { rm -f -- "$temp"; exit 1; }
mv -fT -- "$temp" "$path"
