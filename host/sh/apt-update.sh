# Fetches the lists of packages. apt-get succeeds when some cannot be fetched, as long as old ones are there; then they are not called fresh.
#
# stamp: the file that is touched when all were fetched.
# shellcheck disable=SC2154 # it is set in front of this text
o=$(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update 2>&1) || { printf '%s\n' "$o"; exit 100; }
printf '%s\n' "$o"
case $o in *'failed to download'*) ;; *) ( umask 022; mkdir -p -- "${stamp%/*}" ); touch -- "$stamp" ;; esac
