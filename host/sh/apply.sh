# Functions for the scripts that make changes on the machine. nonce marks the frames.
# shellcheck disable=SC2154 # the caller prepends it
LC_ALL=C; export LC_ALL; DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; umask 077; cd /
bad=' ' lab_todo='' lab_words='' lab_staged=''

frame() { printf '\n%s %s\n' "$nonce" "$*"; }

# like OLD FILE creates an empty FILE, mode 0600, with the ACL and the extended attributes of the file
# OLD, if that exists. They are set before the content, so that it cannot be read by those whom only the
# old ACL or mode allowed to read; the kernel removes capabilities when content is written, and put sets
# the mode, which limits the ACL. What cp cannot preserve is not a failure.
like() {
  if [ -e "$2" ] || [ -L "$2" ]; then rm -f -- "$2"; fi
  if [ -f "$1" ] && [ ! -L "$1" ]; then
    cp --attributes-only --preserve=mode,xattr -- "$1" "$2" || :
    # A file that cannot be closed to other users is removed.
    [ ! -e "$2" ] || chmod -- 0600 "$2" || rm -f -- "$2"
  fi
}

# begin JOURNAL FILE... lists the temporary files of this run, on disk, before it makes them. The first line is about
# the run: the boot, its process and when that was started. If there is a list already, an earlier run was cut off. The
# list appears complete, since half a name could be that of another file. If it cannot be written, on a full disk, the
# disk can still be emptied.
begin() {
  lab_journal=$1 lab_cut=''
  shift
  [ -d "${lab_journal%/*}" ] || ( umask 022; mkdir -p -- "${lab_journal%/*}" )
  if [ -s "$lab_journal" ]; then lab_cut=yes; fi
  if {
    if [ "$lab_cut" ]; then cat -- "$lab_journal"; else
      read -r b </proc/sys/kernel/random/boot_id
      read -r s <"/proc/$$/stat"
      # shellcheck disable=SC2086 # after the name, which is in parentheses, there are only words
      printf '%s %s %s\n' "$b" $$ "$(set -- ${s##*) }; echo "${20}")"
    fi && printf '%s\0' "$@"
  } >"$lab_journal.new" && sync -- "$lab_journal.new" && mv -fT -- "$lab_journal.new" "$lab_journal"
  then sync -- "${lab_journal%/*}/"; else rm -f -- "$lab_journal.new"; fi
}

# finish FILE... removes the list if all files are gone that it contains, see sh/leftovers.sh.
finish() {
  for f; do if [ -e "$f" ] || [ -h "$f" ]; then return 0; fi; done
  # shellcheck disable=SC2016 # for the inner shell
  [ -z "$lab_cut" ] || tail -n +2 -- "$lab_journal" | xargs -0 -r sh -c 'for f; do n=${f%/}; case ${n##*/} in
    .* | *tmp) if [ -e "$f" ] || [ -h "$f" ]; then exit 1; fi ;;
    esac; done' lab || return 0
  rm -f -- "$lab_journal"
}

# recv SIZE FILE OLD stores SIZE bytes of standard input in FILE, see like. It always reads exactly SIZE
# bytes, even if the file cannot be written, so that what follows on standard input stays in step. A file that cannot
# be written is removed at once: it may have filled the disk.
recv() { like "$3" "$2"; head -c "$1" | { cat >"$2" || { rm -f -- "$2"; cat >/dev/null; false; }; }; }

# place TEMP PATH MODE OWNER:GROUP [VALIDATION] moves a file into place. It is never visible half
# written: it is complete, owned and on disk before the rename, and the rename is on disk before the
# change counts as done.
place() {
  if chown -h -- "$4" "$1" && chmod -- "$3" "$1" && { [ -z "$5" ] || sh -c "$5" lab "$1"; } &&
    sync -- "$1" && mv -fT -- "$1" "$2" && sync -- "${2%/*}/"
  then :; else rm -f -- "$1"; return 1; fi
}

# whole FILE SHA256 fails if the content is another.
whole() { h=$(sha256sum <"$1") && { [ "$h" = "$2  -" ] || { echo 'the content did not arrive whole' >&2; false; }; }; }

# put TEMP PATH MODE OWNER:GROUP SHA256 [VALIDATION] is place, with the content verified first.
put() { if whole "$1" "$5"; then place "$1" "$2" "$3" "$4" "$6"; else rm -f -- "$1"; return 1; fi; }

# same FILE SHA256 fails if the file has changed since the plan. The hash of a file that does not exist
# is "absent".
same() {
  h=absent; if [ -f "$1" ]; then h=$(sha256sum <"$1"); h=${h%  -}; fi
  [ "$h" = "$2" ] || { echo 'the file changed since it was planned: plan again' >&2; false; }
}

# rolled_back NAME... reports changes that were rolled back. The names are in hexadecimal.
rolled_back() { frame U "$@"; }

# cause TEXT states why the change fails, in place of all that it has printed so far.
cause() { frame C; printf '%s\n' "$*"; }

# skip INDEX DEPENDENCIES reports the change as skipped if a dependency was not done; it fails otherwise.
skip() {
  for d in $2; do case $bad in *" $d "*) frame K "$1" "$d"; bad="$bad$1 "; return 0 ;; esac; done
  return 1
}

ended() { frame E "$1" "$2"; [ "$2" = 0 ] || bad="$bad$1 "; }

# run_script SCRIPT runs it in a subshell. It is parsed there, so that a syntax error fails this change
# alone.
run_script() {
  ( eval "c() {
set -e
$1
}
c" ) </dev/null 2>&1
}

# make_change INDEX DEPENDENCIES SCRIPT [SIZE TEMP REPLACES] makes a change. Its payload is read from
# standard input; what the script does not move into place is removed.
make_change() {
  if skip "$1" "$2"; then
    if [ -n "$4" ]; then head -c "$4" >/dev/null; fi
    return 0
  fi
  frame S "$1"
  if [ -n "$4" ] && ! recv "$4" "$5" "$6" 2>&1; then
    ended "$1" 1
    return 0
  fi
  run_script "$3"
  r=$?
  if [ -n "$5" ] && { [ -e "$5" ] || [ -h "$5" ]; }; then rm -f -- "$5"; fi
  ended "$1" $r
}

# stage INDEX DEPENDENCIES SIZE TEMP REPLACES PATH MODE OWNER:GROUP SHA256 BEFORE makes a change that writes a file,
# as put does, up to the move into place, which is left to commit. BEFORE is empty or for same.
stage() {
  if skip "$1" "$2"; then head -c "$3" >/dev/null; return 0; fi
  frame S "$1"
  if { recv "$3" "$4" "$5" && whole "$4" "$9" && chown -h -- "$8" "$4" && chmod -- "$7" "$4"; } 2>&1; then
    lab_staged="$lab_staged $1"
    eval "lab_temp$1=\$4 lab_path$1=\$6 lab_before$1=\${10}"
  else
    rm -f -- "$4"
    ended "$1" 1
  fi
}

# commit moves what is staged into place, with two syncs for all of it: as with place, each file is on disk before its
# rename, and the rename before its change counts as done. If a sync fails, each file has its own.
commit() {
  lab_moved='' lab_synced=''
  set --
  for i in $lab_staged; do eval "set -- \"\$@\" \"\$lab_temp$i\""; done
  [ $# -gt 0 ] || return 0
  if sync -- "$@" 2>/dev/null; then lab_synced=yes; fi
  set --
  for i in $lab_staged; do
    frame S "$i"
    eval "t=\$lab_temp$i f=\$lab_path$i b=\$lab_before$i"
    if { { [ "$lab_synced" ] || sync -- "$t"; } && { [ -z "$b" ] || same "$f" "$b"; } && mv -fT -- "$t" "$f"; } 2>&1
    then lab_moved="$lab_moved $i"; set -- "$@" "${f%/*}/"
    else rm -f -- "$t"; ended "$i" 1; fi
  done
  lab_staged='' lab_synced=''
  if [ $# -gt 0 ] && sync -- "$@" 2>/dev/null; then lab_synced=yes; fi
  for i in $lab_moved; do
    eval "f=\$lab_path$i"
    r=0
    [ "$lab_synced" ] || { frame S "$i"; sync -- "${f%/*}/" 2>&1 || r=1; }
    ended "$i" $r
  done
}

# add_item INDEX DEPENDENCIES WORD adds a change to the next batch.
add_item() {
  if skip "$1" "$2"; then return 0; fi
  lab_todo="$lab_todo $1" lab_words="$lab_words $3"
  eval "lab_word$1=\$3"
}

# make_batch COMMAND makes the added changes with one command. If it fails, it makes them one by one, so
# that only the faulty ones fail.
make_batch() {
  # shellcheck disable=SC2086 # indexes
  set -- "$1" $lab_todo
  [ $# -gt 1 ] || return 0
  for i in $lab_todo; do frame S "$i"; done
  run_script "$1$lab_words" # not in a condition, where the shell ignores set -e
  r=$?
  for i in $lab_todo; do
    if [ $r != 0 ] && [ $# -gt 2 ]; then
      frame S "$i"
      eval "lab_word=\$lab_word$i"
      run_script "$1 $lab_word"
      ended "$i" $?
    else
      ended "$i" $r
    fi
  done
  lab_todo='' lab_words=''
}
