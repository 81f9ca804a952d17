# Prints what Longhorn's preflight check looks at, one fact a line.
#
# data: Longhorn's data directory; empty means that it is not looked at
# shellcheck disable=SC2154 # the caller prepends it
k=$(uname -r); echo "kernel $k"
c=/boot/config-$k
if [ -r "$c" ]; then cat "$c"; elif [ -r /proc/config.gz ]; then gzip -dc /proc/config.gz; fi |
  sed -n 's/^\(CONFIG_NFS_V4[_0-9]*=[my]\)$/config \1/p'
for m in iscsi_tcp dm_crypt; do
  if [ -d "/sys/module/$m" ] || grep -q "/$m\.ko" "/lib/modules/$k/modules.builtin" 2>/dev/null; then echo "module $m"; fi
done
echo "iscsid $(systemctl is-active iscsid.service)"
echo "multipathd $(systemctl is-active multipathd.service)"
if multipathd show blacklist 2>/dev/null | grep -q -F -e '^sd[a-z0-9]+'; then echo listed; fi
sed -n 's/^InitiatorName=/initiator /p' /etc/iscsi/initiatorname.iscsi 2>/dev/null | head -n 1
PATH=$PATH:/usr/sbin:/sbin
for p in bash curl findmnt grep awk blkid lsblk iscsiadm mount.nfs cryptsetup dmsetup; do
  command -v "$p" >/dev/null || echo "lacks $p"
done
echo "propagation $(findmnt -n -o PROPAGATION /)"
if [ "$data" ]; then
  d=$data
  while [ ! -e "$d" ] && [ "$d" != / ]; do d=$(dirname -- "$d"); done
  echo "data $(findmnt -n -r -o TARGET,FSTYPE --target "$d")"
fi
