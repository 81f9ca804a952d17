# Prints what resolv.conf depends on. When the name servers are those of it already, it asks until one answers: up
# SERVER; otherwise all of them, completely. A server that does not do is a line down SERVER REASON. What may write
# resolv.conf beside systemd's units is a line runs PROGRAM.
: "${servers:?}" "${text:?}"
for f in /proc/[0-9]*/comm; do
  read -r n <"$f" || continue
  case $n in
  dhcpcd) grep -q '^[[:space:]]*nohook.*resolv\.conf' /etc/dhcpcd.conf || echo "runs $n" ;;
  # that of NetworkManager calls a program of it, and one with a hook does what the hook does
  dhclient)
    grep -q nm-dhcp-helper "${f%comm}cmdline" || grep -q make_resolv_conf /etc/dhcp/dhclient-enter-hooks.d/* ||
      echo "runs $n"
    ;;
  udhcpc | connmand) echo "runs $n" ;;
  esac
done 2>/dev/null | sort -u
if [ ! -L /etc/resolv.conf ] && [ "$(cat /etc/resolv.conf 2>/dev/null)" = "$text" ]; then
  for s in $servers; do
    if why=$(alive "$s"); then
      echo "up $s"
      break
    fi
    echo "down $s $why"
  done
else
  for s in $servers; do
    if why=$(usable "$s"); then echo "up $s"; else echo "down $s $why"; fi
  done
fi
