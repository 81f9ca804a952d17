# Stops a server, and moves its copy of the datastore aside.
#
# data: the data directory. replaced: where files are moved to
# shellcheck disable=SC2154 # the caller prepends them
set -e
umask 077
systemctl stop k3s.service
old=$replaced/$(date -u +%Y%m%dT%H%M%SZ)-$$
mkdir -p -- "$old"
chmod 0700 "$replaced"
if [ -d "$data/server/db" ]; then mv -- "$data/server/db" "$old/"; fi
sync -f "$data"
