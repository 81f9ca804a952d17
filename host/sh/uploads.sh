# cut_uploads NAME FUNCTION calls the function with the link to each partial file of an upload that was cut off, and with
# that file, or with the link again if the file is gone. It has the lock of the file then, see host/ssh/sh/upload.sh.
#
# NAME: of the directory of links: that of root, and that of the account that has logged in.
cut_uploads() {
  h=
  case ${SUDO_USER-} in '' | *[!A-Za-z0-9_.-]*) ;; *) eval "h=~$SUDO_USER" ;; esac
  for l in "/var/lib/lab/$1"/.lab-*.part "$h/.local/state/lab/$1"/.lab-*.part; do
    [ -h "$l" ] || continue
    f=$(readlink -- "$l")
    [ "${f##*/}" = "${l##*/}" ] || continue
    if [ ! -f "$f" ] || [ -h "$f" ]; then "$2" "$l" "$l"; else
      # shellcheck disable=SC3013 # dash, bash and busybox have -ef
      ( exec 9<"$f"; if flock -n 9 && [ "$f" -ef /proc/self/fd/9 ]; then "$2" "$l" "$f"; fi )
    fi
  done
}
