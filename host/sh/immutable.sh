# Makes the directory of a mount point immutable, also while something is mounted there.
#
# path
# shellcheck disable=SC2154 # the caller prepends it
# shellcheck disable=SC2016 # for the inner shell
( umask 022; mkdir -p -- "$path" )
unshare -m sh -c '
set -e
while umount -l -- "$1" 2>/dev/null; do :; done
chattr +i -- "$1"
sync -- "$1"' lab "$path"
