# Makes a snapshot beside its place, moves it there whole, checked and written to disk, and prints where.
#
# dir, name. data: the data directory. version, datastore. upgrade: what it is made for, empty if for nothing
# shellcheck disable=SC2154 # the caller prepends them
set -e
umask 077
mkdir -p -- "$dir"
chmod 0700 "$dir"
work=$dir/.$name.tmp
rm -rf -- "$dir"/.*.tmp "$dir"/.*.tmp.sums
mkdir -- "$work"
stopped=
start() { systemctl reset-failed k3s.service 2>/dev/null || :; systemctl start k3s.service; } # starts may have been many
# A shell that a signal ends does not run the other trap.
trap 'r=$?; [ -z "$stopped" ] || start || r=1; rm -rf -- "$work"; exit "$r"' EXIT
trap 'exit 1' HUP INT TERM
db=$data/server/db
case $datastore in
etcd)
  /usr/local/bin/k3s etcd-snapshot save --name "$name" --etcd-snapshot-dir "$work" >/dev/null </dev/null
  for f in "$work/$name"*; do mv -- "$f" "$work/etcd"; done
  bytes=$(stat -c %s "$work/etcd")
  ;;
sqlite)
  if command -v sqlite3 >/dev/null; then
    sqlite3 "$db/state.db" ".backup '$work/state.db'"
    [ "$(sqlite3 "$work/state.db" 'PRAGMA integrity_check')" = ok ]
  else
    # A copy of a database that is written to would not be one: k3s is stopped, pods run on.
    if systemctl is-active -q k3s.service; then
      stopped=yes
      systemctl stop k3s.service
    fi
    for f in state.db state.db-wal state.db-shm; do
      if [ -f "$db/$f" ]; then cp -p -- "$db/$f" "$work/$f"; fi
    done
    if [ -n "$stopped" ]; then
      start
      stopped=
    fi
  fi
  bytes=$(stat -c %s "$work/state.db")
  ;;
esac
for f in token agent-token; do
  if [ -f "$data/server/$f" ]; then cp -p -- "$data/server/$f" "$work/$f"; fi
done
for f in tls cred; do
  if [ -d "$data/server/$f" ]; then cp -a -- "$data/server/$f" "$work/$f"; fi
done
[ -s "$work/token" ] || { echo 'the token of the cluster is missing: the snapshot could not be restored' >&2; exit 1; }
(cd "$work" && find . -type f -exec sha256sum {} +) >"$work.sums"
mv -- "$work.sums" "$work/SHA256SUMS"
echo "$version $datastore $bytes $upgrade" >"$work/about"
sync -f "$work"
to=$dir/$name n=2
while [ -e "$to" ]; do to=$dir/$name.$n n=$((n + 1)); done # two in one second
mv -T -- "$work" "$to"
sync -f "$dir"
echo "$to"
