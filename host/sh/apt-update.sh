# Downloads the package lists. apt-get succeeds even if some cannot be downloaded, as long as there are
# old ones; the lists then do not count as fresh.
#
# stamp: the file that is touched if all were downloaded.
# shellcheck disable=SC2154 # the caller prepends it
o=$(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update 2>&1) || { printf '%s\n' "$o"; exit 100; }
printf '%s\n' "$o"
case $o in *'failed to download'*) ;; *) ( umask 022; mkdir -p -- "${stamp%/*}" ); touch -- "$stamp" ;; esac
