# Writes the authorized keys of an account. It runs as the account itself: the directory belongs to the
# account, which could make root write elsewhere with a link.
#
# user, temp: the new content. before: the hash of the old. script: what the account runs.
# shellcheck disable=SC2154 # the caller prepends them
h=$(getent passwd -- "$user" | cut -d: -f6)
r=0; runuser -u "$user" -- sh -c "$script" lab "$h" "$before" <"$temp" || r=$?
rm -f -- "$temp"; exit $r
