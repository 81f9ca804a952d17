# run_apt ARGUMENT... runs apt-get and passes on its output as it comes. If it fails, it states the causes
# alone, see cause: they are a few lines of many.
#
# options: of apt-get. failed: the file that names the sources whose lists could not be downloaded.
# shellcheck disable=SC2154 # the caller prepends them
run_apt() {
  # shellcheck disable=SC2086 # options are words
  { r=0; apt-get $options "$@" 2>&1 || r=$?; printf '\n%s\n' "$nonce-exit $r"; } | {
    r=1 why='' removed='' listed=no
    while IFS= read -r l; do
      case $listed$l in yes'  '*) removed="$removed ${l#  }" ;; *) listed=no ;; esac
      case $l in
      "$nonce-exit "*) r=${l#* }; continue ;;
      'The following packages will be REMOVED:') listed=yes ;;
      'E: Packages need to be removed but remove is disabled.')
        why="refused: apt-get would remove$removed, which the plan does not show: plan again" ;;
      'E: Sub-process eval '* | 'E: Failure running script eval '*) ;; # the guard has said why
      'E: Sub-process /usr/bin/dpkg '*) why=${why:-$l} ;;
      'E: Unable to locate package '* | *'no installation candidate'* | *'Failed to fetch '*)
        if [ -s "$failed" ]; then why=$(cat -- "$failed")"
$why"; fi
        why="$why
$l" ;;
      'E: '* | 'refused: '* | 'dpkg: error '* | ' installed '*' exit status '* | ' '*' : '*) why="$why
$l" ;;
      esac
      printf '%s\n' "$l"
    done
    [ "$r" = 0 ] || cause "$why"
    exit "$r"
  }
}
