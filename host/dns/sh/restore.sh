# Puts the resolv.conf of before in its place again, and lets NetworkManager write it.
: "${former:?}" "${temp:?}" "${servers:?}"
for s in $servers; do
  if alive "$s"; then
    echo "$s answers again: nothing is restored"
    exit 1
  fi
done
hands_on # first: what it writes meanwhile is as good
cp -- "$former" "$temp"
chmod 0644 "$temp"
sync -- "$temp"
mv -fT -- "$temp" /etc/resolv.conf
sync -- /etc/
