# Removes k3s and all that it has made on a machine. Cut off anywhere, it can be run again: the program goes last.
#
# data: the data directory. unit: "k3s" or "k3s-agent"
# shellcheck disable=SC2154 # the caller prepends them
set -e
systemctl disable --now "$unit.service" 2>/dev/null || systemctl stop "$unit.service" 2>/dev/null || :
# KillMode=process leaves containers running: those of containerd by their shims, with all of their children.
tree() { for p in $1; do echo "$p"; tree "$(ps -e -o ppid= -o pid= | awk -v p="$p" '$1 == p { print $2 }')"; done; }
shims=$(ps -e -o pid= -o args= | awk -v d="$data/data/" 'index($2, d) == 1 && $2 ~ /containerd-shim/ { print $1 }')
if [ -n "$shims" ]; then
  # shellcheck disable=SC2046 # words
  kill -9 $(tree "$shims") 2>/dev/null || :
fi
# Those of Docker are not k3s's to clean (github.com/k3s-io/k3s/issues/1469).
if command -v docker >/dev/null; then
  c=$(docker ps -aq --filter name=^k8s_) || { echo 'Docker does not say which containers there are' >&2; exit 1; }
  # shellcheck disable=SC2086 # words
  if [ -n "$c" ]; then docker rm -f $c >/dev/null; fi
fi
mounts() { awk '{ print $2 }' /proc/self/mounts | grep -E "^(/run/k3s|/run/netns/cni-|/var/lib/kubelet/(pods|plugins))" | sort -r; }
for m in $(mounts); do umount "$m" || umount -l "$m"; done
for d in /run/k3s /var/lib/kubelet/pods /var/lib/kubelet/plugins; do
  if [ -n "$(mounts)" ]; then echo "something is still mounted below $d" >&2; exit 1; fi
done
if command -v ip >/dev/null; then
  for l in cni0 flannel.1 flannel-v6.1 flannel-wg kube-ipvs0; do ip link delete "$l" 2>/dev/null || :; done
fi
for t in iptables ip6tables; do
  if command -v $t-save >/dev/null && $t-save 2>/dev/null | grep -qE 'KUBE-|CNI-|flannel'; then
    $t-save | grep -vE 'KUBE-|CNI-|[Ff]lannel' | $t-restore
  fi
done
# A directory that is a mount point, or has one in it, stays, and so does what is on another file system.
for d in /run/k3s /run/flannel /var/lib/cni /var/lib/kubelet "$data" /etc/rancher/k3s /etc/rancher/node; do
  [ -d "$d" ] || continue
  find "$d" -xdev -mindepth 1 ! -type d -exec rm -f -- {} +
  find "$d" -xdev -depth -type d -exec rmdir -- {} + 2>/dev/null || :
done
for f in kubectl crictl ctr; do
  if [ -h "/usr/local/bin/$f" ] && [ "$(readlink "/usr/local/bin/$f")" = k3s ]; then rm -f -- "/usr/local/bin/$f"; fi
done
rm -rf -- "/etc/systemd/system/$unit.service" "/etc/systemd/system/$unit.service.d" "/etc/systemd/system/$unit.service.env" \
  "/run/lab/unit/$unit.service" /usr/local/bin/k3s-uninstall.sh /usr/local/bin/k3s-agent-uninstall.sh /usr/local/bin/k3s-killall.sh
systemctl daemon-reload
systemctl reset-failed "$unit.service" 2>/dev/null || :
rm -f -- /usr/local/bin/k3s
