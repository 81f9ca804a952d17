# Succeeds unless the new content $1 of a part of sshd's configuration is what makes sshd refuse all of it.
# That is tried with a copy. Where sshd is not there, or refuses its configuration already, anything is
# accepted: it may be the repair.
#
# file: /etc/ssh/sshd_config, or one of /etc/ssh/sshd_config.d
# shellcheck disable=SC2154 # the caller prepends it
[ -x /usr/sbin/sshd ] && /usr/sbin/sshd -t >/dev/null 2>&1 || exit 0
d=/run/.lab-sshd; rm -rf -- "$d"; mkdir -p -- "$d/sshd_config.d"
for f in /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf; do
  if [ -f "$f" ]; then cp -- "$f" "$d/${f#/etc/ssh/}"; fi
done
cp -- "$1" "$d/${file#/etc/ssh/}"
sed -i "s,/etc/ssh/sshd_config\.d/,$d/sshd_config.d/," "$d/sshd_config"
r=0; o=$(/usr/sbin/sshd -t -f "$d/sshd_config" 2>&1) || r=1
rm -rf -- "$d"
[ $r = 0 ] || echo "$o" | sed "s,$d/,/etc/ssh/,g" >&2
exit $r
