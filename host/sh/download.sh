# Fetches a file and checks it. Nothing is left of it when that fails.
#
# url: https, http of this machine, or file. temp: where it is stored. replaces: the file that it will replace, see like; may be empty.
# sum: its SHA-256.
# shellcheck disable=SC2154 # they are set in front of this text

# get URL FILE. curl by itself tries again when a server is busy, but not when the connection is lost on the way, unless it is told to do so
# after all errors, a wrong URL too; and it waits without end when nothing comes any more.
get() {
  n=0
  while :; do
    r=0; curl -fsSL --proto '=https,http' --proto-redir '=https' --retry 3 --connect-timeout 20 --speed-limit 1 --speed-time 60 -o "$2" -- "$1" || r=$?
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
