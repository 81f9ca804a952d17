# Prints the authorized keys of an account. Exits with status 3 if the account does not exist and its
# future home may already contain keys: from the skeleton of new homes (useradd(8)), or left by an
# earlier account of that name.
#
# user. home: its future home. limit: how many bytes are read.
# shellcheck disable=SC2154 # the caller prepends them
h=$(getent passwd -- "$user" | cut -d: -f6)
if [ -n "$h" ]; then
  if [ -f "$h/.ssh/authorized_keys" ]; then head -c "$limit" -- "$h/.ssh/authorized_keys"; fi
elif [ -e /etc/skel/.ssh ] || [ -e "$home" ] || grep -q -s -e '^HOME=' -e '^SKEL=' /etc/default/useradd; then exit 3; fi
