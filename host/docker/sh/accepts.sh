# Succeeds unless dockerd refuses a configuration. An engine before 23.0 cannot say so: there the restart shows it, see
# try.sh.
#
# file: the new daemon.json
# shellcheck disable=SC2154 # the caller prepends it
PATH=$PATH:/usr/sbin:/sbin # where dockerd looks for docker-proxy, and fails without it
command -v dockerd >/dev/null || exit 0
r=0; o=$(dockerd --validate --config-file "$file" 2>&1) || r=$?
case $r$o in 0* | *'unknown flag: --validate'*) exit 0 ;; esac
echo "$o" >&2
exit 1
