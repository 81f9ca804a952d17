# Downloads the package lists. apt-get succeeds even if some cannot be downloaded, as long as there are
# old ones; the lists then do not count as fresh, and failed names their sources. If it fails, it states
# which sources are at fault.
#
# stamp: the file that is touched if all were downloaded. failed: the file that names the sources that were
# not. options: of apt-get.
# shellcheck disable=SC2154 # the caller prepends them

# at_fault OUTPUT prints what apt-get says of each faulty source, after the files that contain it. An
# address in a message may be that of a file of the source.
at_fault() {
  printf '%s\n' "$1" | grep -e '^E: ' -e '^W: Failed to fetch' -e '^W: GPG error' | while IFS= read -r l; do
    in=''
    for uri in $l; do
      case $uri in *:/*) ;; *) continue ;; esac
      uri=${uri#\'} uri=${uri%\'}
      while :; do
        in=$(grep -s -l -F -e "$uri" /etc/apt/sources.list /etc/apt/sources.list.d/*) && break
        case ${uri#*:/} in ?*/*) uri=${uri%/*} ;; *) break ;; esac
      done
      break
    done
    # shellcheck disable=SC2086 # file names without spaces: apt reads no others
    [ -z "$in" ] || printf '%s: ' "the source in "$in
    printf '%s\n' "${l#?: }"
  done
}

r=0
# shellcheck disable=SC2086 # words
o=$(apt-get $options -o Acquire::Retries=3 update 2>&1) || r=$?
printf '%s\n' "$o"
( umask 022; mkdir -p -- "${stamp%/*}" )
rm -f -- "$failed"
case $r$o in
0*'failed to download'*) at_fault "$o" >"$failed" ;;
0*) touch -- "$stamp" ;;
*) cause "$(at_fault "$o")"; exit "$r" ;;
esac
