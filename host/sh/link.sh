# Makes a symbolic link. ln -f removes before it links; a rename does not let anybody see the path without a link.
#
# temp, target, path
# shellcheck disable=SC2154 # they are set in front of this text
rm -f -- "$temp"; ln -s -- "$target" "$temp"; mv -fT -- "$temp" "$path"
