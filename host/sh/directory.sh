# Makes a directory. Those above it have mode 0755. Made under another mode than mkdir's, it would be open for a moment.
#
# dir, owner, mode
# shellcheck disable=SC2154 # they are set in front of this text
[ -d "${dir%/*}/" ] || ( umask 022; mkdir -p -- "${dir%/*}" )
[ -d "$dir" ] || mkdir -m 0700 -- "$dir"
chown -- "$owner" "$dir"; chmod -- "$mode" "$dir"
