# Creates a directory, and its parents with mode 0755. With a wider mode than 0700 it would be accessible
# to others before its owner and mode are set.
#
# dir, owner, mode
# shellcheck disable=SC2154 # the caller prepends them
[ -d "${dir%/*}/" ] || ( umask 022; mkdir -p -- "${dir%/*}" )
[ -d "$dir" ] || mkdir -m 0700 -- "$dir"
chown -- "$owner" "$dir"; chmod -- "$mode" "$dir"
