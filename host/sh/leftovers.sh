# Removes the temporary files that runs have left behind which were cut off. Their names begin with a dot or end in
# tmp; that of a directory has a slash after it.
#
# journal: their list. Its first line is about the run, and each name ends in a NUL. uploads: see uploads.sh
# shellcheck disable=SC2154 # the caller prepends it
# shellcheck disable=SC2016 # for the inner shell
remove_upload() { rm -f -- "$2" "$1"; }
cut_uploads "$uploads" remove_upload
[ ! -e "$journal" ] || tail -n +2 -- "$journal" | xargs -0 -r sh -c 'for f; do n=${f%/}; case ${n##*/} in
  . | ..) ;;
  .* | *tmp) if [ "$n" = "$f" ]; then rm -f -- "$f"; elif [ ! -h "$n" ]; then rm -rf --one-file-system -- "$n"; fi ;;
  esac; done' lab
[ -n "${lab_journal-}" ] || rm -f -- "$journal" # this run makes no temporary files, and does not remove the list itself
