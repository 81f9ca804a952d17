# Downloads a file and verifies its checksum. It is removed if either fails.
#
# url: https, file, or http on this machine. temp: where it is stored. replaces: the file that it will
# replace, see like; may be empty. sum: its SHA-256.
# shellcheck disable=SC2154 # the caller prepends them

# get URL FILE. curl retries by itself if a server is busy, but not if the connection is lost during the
# transfer, unless it retries all errors, including a wrong URL; and it waits forever for a stalled
# transfer.
get() {
  n=0
  while :; do
    r=0; curl -fsSL --proto '=https,http' --proto-redir '=https' --retry 3 --connect-timeout 20 \
      --speed-limit 1 --speed-time 60 -o "$2" -- "$1" || r=$?
    n=$((n + 1)); case $r$n in 18[123] | 52[123] | 55[123] | 56[123] | 92[123]) ;; *) return $r ;; esac
  done
}

fail() { rm -f -- "$temp"; echo "$*" >&2; exit 1; }

like "$replaces" "$temp"
case $url in
file://*) cat -- "${url#file://}" >"$temp" || fail "$url could not be fetched" ;;
*) get "$url" "$temp" || fail "$url could not be fetched" ;;
esac
h=$(sha256sum <"$temp"); h=${h%  -}
[ "$h" = "$sum" ] || fail "$url does not have the checksum $sum but $h"
