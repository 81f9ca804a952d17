# Puts a snapshot in the place of the datastore, whose files are moved aside. k3s is stopped, and stays so.
#
# snapshot: its directory. data: the data directory. datastore: sqlite or etcd. replaced: where files are moved to.
# unfinished: the file that says that it goes on. config: that of k3s. program: k3s. seconds: how long a reset of etcd may take
# shellcheck disable=SC2154 # the caller prepends them
set -e
umask 077
(cd -- "$snapshot" && sha256sum --status -c SHA256SUMS) || { echo 'the snapshot is damaged' >&2; exit 1; }
systemctl stop k3s.service
old=$replaced/$(date -u +%Y%m%dT%H%M%SZ)-$$
mkdir -p -- "$old"
chmod 0700 "$replaced"
# Until this is gone, nobody may start k3s: it would make a new cluster, or go on with half a datastore.
echo "$snapshot" >"$unfinished"
sync -f "$replaced"
db=$data/server/db
mkdir -p -- "$db"
for f in "$db"/* "$data/server/tls" "$data/server/cred"; do
  if [ -e "$f" ] && [ "${f##*/}" != snapshots ]; then mv -- "$f" "$old/"; fi
done
for f in token agent-token; do
  if [ -f "$snapshot/$f" ]; then
    rm -f -- "$data/server/$f" # it may be a link
    cp -p -- "$snapshot/$f" "$data/server/$f"
  fi
done
for f in tls cred; do
  if [ -d "$snapshot/$f" ]; then cp -a -- "$snapshot/$f" "$data/server/$f"; fi
done
case $datastore in
sqlite)
  for f in state.db-wal state.db-shm state.db; do
    if [ -f "$snapshot/$f" ]; then cp -p -- "$snapshot/$f" "$db/$f"; fi
  done
  ;;
etcd)
  # A first server that has joined another names that, and k3s resets none that does (pkg/cluster, managed.go).
  sed -i '/^server: /d' "$config"
  timeout "$seconds" "$program" server --cluster-reset --cluster-reset-restore-path="$snapshot/etcd" >/dev/null </dev/null
  ;;
esac
sync -f "$data"
rm -f -- "$unfinished"
sync -f "$replaced"
