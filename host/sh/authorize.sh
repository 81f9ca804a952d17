# Writes standard input to the file $1, if that still has the hash $2. It keeps the mode of the file, except
# that nobody else may write to it.
set -e; d=${1%/*}; t=$1.lab-tmp; mkdir -p -- "$d"; h=absent
if [ -s "$1" ]; then h=$(sha256sum <"$1"); h=${h%  -}; fi
[ "$h" = "$2" ] || { echo "the file changed since it was planned: plan again" >&2; exit 1; }
rm -f -- "$t"; trap 'rm -f -- "$t"' EXIT; cat >"$t"
if [ -f "$1" ]; then chmod --reference="$1" -- "$t"; chown --reference="$1" -- "$t" 2>/dev/null || :; fi
chmod go-w -- "$t"; sync -- "$t"; mv -fT -- "$t" "$1"; sync -- "$d/"
