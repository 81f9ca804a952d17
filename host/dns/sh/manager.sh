# Whether NetworkManager, which is installed when managed is set, writes resolv.conf.
: "${manager:?}" "${setting:?}" "${setting_text:?}" "${managed?}"
# reread lets NetworkManager read its settings again, when it runs.
reread() { ! systemctl -q is-active "$manager" || systemctl reload "$manager"; }
# hands_off lets NetworkManager leave resolv.conf alone.
hands_off() {
  [ -n "$managed" ] || return 0
  (umask 022 && mkdir -p -- "${setting%/*}")
  printf '%s' "$setting_text" >"$setting.tmp"
  chmod 0644 "$setting.tmp"
  sync -- "$setting.tmp"
  mv -fT -- "$setting.tmp" "$setting"
  sync -- "${setting%/*}/"
  reread
}
# hands_on lets it write resolv.conf again.
hands_on() {
  [ -e "$setting" ] || return 0
  rm -f -- "$setting"
  sync -- "${setting%/*}/"
  reread
}
