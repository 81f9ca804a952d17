# Prints what the machine has of k3s, reading only. Of tokens it prints the hashes alone.
#
# data: the data directory. snapshots: their directory. unfinished: a file that a restoration removes at its end.
# docker: "yes" if containers are to be Docker's.
# shellcheck disable=SC2154 # the caller prepends them
etc=/etc/rancher/k3s
file() { if [ -f "$2" ]; then printf '%s ' "$1"; base64 -w 0 <"$2"; echo; fi; }
# token NAME FILE: the hash of the password, and of the CA if it is there
token() {
  [ -f "$2" ] || return 0
  t=$(tr -d ' \t\r\n' <"$2")
  case $t in
  K10*::*:*) ca=${t%%::*} ca=${ca#K10} t=${t#*::} t=${t#*:} ;;
  K10*::*) ca=${t%%::*} ca=${ca#K10} t=${t#*::} ;;
  *) ca= ;;
  esac
  h=$(printf %s "$t" | sha256sum)
  echo "token $1 ${h%% *} ${ca:--}"
}
echo "now $(date +%s)"
echo "arch $(dpkg --print-architecture)"
echo "machine $(cat /etc/machine-id)"
echo "hostname $(cat /proc/sys/kernel/hostname)"
echo "controllers $(cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null)"
for u in k3s k3s-agent; do
  f=/etc/systemd/system/$u.service
  if [ -f "$f" ]; then
    echo "unit $u $(systemctl is-active "$u.service" || :) $(systemctl show -p InvocationID --value "$u.service")"
    file "unitfile-$u" "$f"
    # What the installer of k3s was given as K3S_TOKEN.
    if [ -f "$f.env" ]; then
      t=$(sed -n "s/^K3S_TOKEN=//p" "$f.env" | tail -n 1 | tr -d "'\"")
      if [ -n "$t" ]; then
        case $t in K10*::*:*) t=${t#*::} t=${t#*:} ;; esac
        h=$(printf %s "$t" | sha256sum)
        echo "token env ${h%% *} -"
      fi
    fi
  fi
done
# What listens on the ports of the API (6443, 0x192B) and of the kubelet (10250, 0x280A); 0A is a socket that listens.
for table in tcp tcp6; do
  while read -r _ own _ state _; do
    case $own:$state in *:192B:0A) echo 'listens 6443' ;; *:280A:0A) echo 'listens 10250' ;; esac
  done <"/proc/net/$table" || :
done 2>/dev/null
if [ -x /usr/local/bin/k3s ]; then
  echo "version $(/usr/local/bin/k3s --version 2>/dev/null | sed -n 's/^k3s version \([^ ]*\).*/\1/p')"
fi
file config "$etc/config.yaml"
token own "$etc/token"
token server "$data/server/token"
token agent "$data/server/agent-token"
if [ -e "$data/server/db/etcd/member" ]; then echo 'datastore etcd'
elif [ -f "$data/server/db/state.db" ]; then echo 'datastore sqlite'; fi
if [ -f "$unfinished" ]; then echo "restoring $(cat "$unfinished")"; fi
if [ -d "$snapshots" ]; then
  # The fourth word of each is the release that it was made before, see snapshot.sh.
  find "$snapshots" -mindepth 2 -maxdepth 2 -name about -mmin -60 -exec cat {} + | while read -r _ _ _ upgrade; do
    if [ -n "$upgrade" ]; then echo "kept $upgrade"; fi
  done
fi
if [ "$docker" = yes ] && systemctl is-active -q docker.service; then
  echo "docker $(docker version --format '{{.Server.APIVersion}} {{.Server.MinAPIVersion}}' 2>/dev/null)"
fi
if systemctl is-active -q k3s.service; then
  if n=$(/usr/local/bin/k3s kubectl get --raw /api/v1/nodes --request-timeout=15s 2>/dev/null); then
    printf 'nodes '
    printf %s "$n" | base64 -w 0
    echo
  fi
fi
exit 0
