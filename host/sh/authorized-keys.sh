# Prints the authorized keys of an account. Ends with status 3 when the account is not there and its home to be may hold keys already: from the
# skeleton of new homes (useradd(8)), or left there by an account of that name.
#
# user, home: where its home will be. limit: how many bytes are read.
# shellcheck disable=SC2154 # they are set in front of this text
h=$(getent passwd -- "$user" | cut -d: -f6)
if [ -n "$h" ]; then
  if [ -f "$h/.ssh/authorized_keys" ]; then head -c "$limit" -- "$h/.ssh/authorized_keys"; fi
elif [ -e /etc/skel/.ssh ] || [ -e "$home" ] || grep -q -s -e '^HOME=' -e '^SKEL=' /etc/default/useradd; then exit 3; fi
