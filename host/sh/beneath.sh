# Prints what the directory of a mount point is, which is hidden while something is mounted there: its attributes,
# and what is in it. In a mount namespace of its own the script can unmount what hides it, for itself alone.
#
# path
# shellcheck disable=SC2154 # the caller prepends it
# shellcheck disable=SC2016 # for the inner shell
unshare -m sh -c '
while umount -l -- "$1" 2>/dev/null; do :; done
if [ -d "$1" ]; then
  if a=$(lsattr -d -- "$1" 2>&1); then echo "attributes ${a%% *}"; else echo "unknown $a"; fi
  ls -A -- "$1" | head -n 100 | sed "s/^/entry /"
else echo missing; fi' lab "$path"
