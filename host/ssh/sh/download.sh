# Sends a file.
#
# step: "inspect" prints "SIZE SHA256 PREFIX", the last the SHA-256 of the first offset bytes, and
# exits with 66 if there is no regular file; "send" prints count bytes of the content after offset.
: "${step?}" "${path?}" "${offset?}" "${count?}"
set -eu

hash_stdin() { h=$(sha256sum); echo "${h%% *}"; }

inspect() {
	[ -f "$path" ] || exit 66
	size=$(stat -L -c %s -- "$path")
	sum=$(hash_stdin <"$path")
	if [ "$offset" -gt 0 ] && [ "$offset" -le "$size" ]; then
		prefix=$(head -c "$offset" -- "$path" | hash_stdin)
	else
		prefix=$(: | hash_stdin)
	fi
	echo "$size $sum $prefix"
}

case $step in
inspect) inspect ;;
send) tail -c "+$((offset + 1))" -- "$path" | head -c "$count" ;;
esac
