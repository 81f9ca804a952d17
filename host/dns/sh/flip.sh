# Keeps the resolv.conf that is there, and lets NetworkManager leave it alone. The caller puts the new one in its place.
: "${servers:?}" "${former:?}" "${mark:?}"
for s in $servers; do usable "$s" || exit 1; done
if [ -e /etc/resolv.conf ] && ! grep -qxF -- "$mark" /etc/resolv.conf; then
  [ -d "${former%/*}" ] || mkdir -p -- "${former%/*}"
  cp -- /etc/resolv.conf "$former.tmp" # what a link leads to, too
  chmod 0644 "$former.tmp"
  sync -- "$former.tmp"
  mv -fT -- "$former.tmp" "$former"
  sync -- "${former%/*}/"
fi
hands_off
