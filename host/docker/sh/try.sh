# try VERB starts or restarts dockerd. If it does not start with the new configuration, it puts the one before back, starts dockerd
# with that, and fails.
#
# unit. file: daemon.json. before: the file with what it was; empty if there was none. mode: of the file.
# shellcheck disable=SC2154 # the caller prepends them
try() {
  systemctl reset-failed -- "$unit" 2>/dev/null || :
  if systemctl "$1" -- "$unit"; then return 0; fi
  journalctl -q -n 5 -o cat -u "$unit" >&2 || :
  if [ -n "$before" ]; then
    chmod -- "$mode" "$before"; sync -- "$before"; mv -fT -- "$before" "$file"
  else
    rm -f -- "$file"
  fi
  sync -- "${file%/*}/"
  systemctl reset-failed -- "$unit" 2>/dev/null || :
  if systemctl start -- "$unit"; then echo "dockerd did not start with the new $file: it runs with the one before" >&2
  else echo "dockerd did not start with the new $file, nor with the one before" >&2; fi
  return 1
}
