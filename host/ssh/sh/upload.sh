# Receives a file.
#
# step: "inspect" reports what is there; "receive" stores standard input.
# path: the file. dir: its directory. part: the name, in dir, of the partial file. The content's hash
# is a part of that name, so that a part of another content is never continued.
# size, sum, mode, owner: of the file; an empty owner leaves it as it is.
# offset: how many bytes of the partial file are kept.
# notes: the name, in /var/lib/lab or in ~/.local/state/lab, of the directory of links to partial files, by which they
# are found if nothing continues them (host/sh/uploads.sh).
: "${step?}" "${path?}" "${dir?}" "${part?}" "${size?}" "${sum?}" "${mode?}" "${owner?}" "${offset?}" "${notes?}"
set -eu
umask 077
cd -- "$dir"
base=./${path##*/}
note=$part
part=./$part
if [ "$(id -u)" = 0 ]; then notes=/var/lib/lab/$notes; else notes=${HOME-}/.local/state/lab/$notes; fi

hash_stdin() { h=$(sha256sum); echo "${h%% *}"; }
size_of() { stat -c %s -- "$1"; }

set_attributes() {
	[ -z "$owner" ] || chown -h -- "$owner" "$1"
	chmod "$mode" "$1"
}

# take_note leaves a link on disk before there is a partial file. Where that cannot be written, the file still can.
take_note() {
	if ( umask 022; mkdir -p -- "$notes" ) && ln -sfn -- "${dir%/}/$note" "$notes/$note"; then sync -- "$notes/"; fi || :
} 2>/dev/null

# remove PART removes a partial file, and then the link to it.
remove() { rm -f -- "$1" "$notes/${1##*/}"; }

# remove_others removes partial files of other contents, unless they are in use.
remove_others() {
	for f in "${part%-*}"-*.part; do
		[ "$f" = "$part" ] || [ ! -f "$f" ] || flock -n "$f" rm -f -- "$f" "$notes/${f##*/}" || :
	done
}

# inspect prints "same", "part SIZE SHA256" or "none".
inspect() {
	if [ -f "$base" ] && [ ! -L "$base" ] &&
		[ "$(size_of "$base")" = "$size" ] && [ "$(hash_stdin <"$base")" = "$sum" ]; then
		set_attributes "$base"
		remove "$part"
		remove_others
		echo same
	elif [ -f "$part" ] && [ ! -L "$part" ]; then
		echo "part $(size_of "$part") $(hash_stdin <"$part")"
	else
		echo none
	fi
}

# receive exits with 75 if another upload is writing the partial file, and with 76 if what arrived is
# not what was sent.
receive() {
	[ ! -d "$base" ] || { echo "it is a directory" >&2; exit 1; }
	[ ! -L "$part" ] || rm -f -- "$part"
	take_note
	if [ ! -e "$part" ] && [ -f "$base" ] && [ ! -L "$base" ]; then
		# cp reports what it cannot preserve, which is no failure.
		cp --attributes-only --preserve=mode,xattr -- "$base" "$part" || :
		[ ! -e "$part" ] || chmod 0600 "$part"
	fi
	exec 9>>"$part"
	# The upload that is continued holds the lock until its sshd has noticed the lost connection.
	flock -w 10 9 || exit 75
	# If the partial file is another file now, or none, it belonged to an upload that has finished,
	# and descriptor 9 is the finished file.
	# shellcheck disable=SC3013 # dash, bash and busybox have -ef
	[ "$part" -ef /proc/self/fd/9 ] || exit 75
	[ -h "$notes/$note" ] || take_note # another run may have taken it for that of an upload that was cut off
	truncate -s "$offset" "$part"
	cat >&9
	[ "$(size_of "$part")" = "$size" ] || { echo "not all of it arrived" >&2; exit 1; }
	[ "$(hash_stdin <"$part")" = "$sum" ] || { remove "$part"; exit 76; }
	set_attributes "$part"
	sync "$part"
	mv -fT -- "$part" "$base"
	sync .
	remove "$part"
	remove_others
}

case $step in
inspect) inspect ;;
receive) receive ;;
esac
