# Writes the authorized keys of an account. The directory is the account's own: root writing there could be led elsewhere by a link, so the account
# writes itself.
#
# user, temp: the new content. before: the hash of the old. script: what the account runs.
# shellcheck disable=SC2154 # they are set in front of this text
h=$(getent passwd -- "$user" | cut -d: -f6)
r=0; runuser -u "$user" -- sh -c "$script" lab "$h" "$before" <"$temp" || r=$?
rm -f -- "$temp"; exit $r
