# What makes changes on the machine calls these. nonce marks the frames.
# shellcheck disable=SC2154 # it is set in front of this text
LC_ALL=C; export LC_ALL; DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; umask 077; cd /
bad=' ' lab_todo='' lab_words=''

frame() { printf '\n%s %s\n' "$nonce" "$*"; }

# like OLD FILE makes an empty FILE, mode 0600, with the ACL and the extended attributes of the file OLD, where there is one. They come before the
# content, so that nobody whom an old ACL or mode let read reads it; the kernel removes capabilities when it is written, and put sets the mode,
# which bounds the ACL. cp reports what it cannot keep, and that is no failure.
like() {
  if [ -e "$2" ] || [ -L "$2" ]; then rm -f -- "$2"; fi
  # shellcheck disable=SC2015 # a failed cp is none, and a file that could not be closed to others is removed
  if [ -f "$1" ] && [ ! -L "$1" ]; then cp --attributes-only --preserve=mode,xattr -- "$1" "$2" || :; [ ! -e "$2" ] || chmod -- 0600 "$2" || rm -f -- "$2"; fi
}

# recv SIZE FILE OLD stores that much of standard input, see like. It always reads just so much, also when the file cannot be written, so that what
# follows on standard input is not lost.
recv() { like "$3" "$2"; head -c "$1" | { cat >"$2" || { cat >/dev/null; false; }; }; }

# place TEMP PATH MODE OWNER:GROUP [VALIDATION] moves a file into place. Nobody sees it half written: it is complete, owned and on disk before the
# rename, and the rename is on disk before the change counts as done.
place() {
  if chown -h -- "$4" "$1" && chmod -- "$3" "$1" && { [ -z "$5" ] || sh -c "$5" lab "$1"; } && sync -- "$1" && mv -fT -- "$1" "$2" && sync -- "${2%/*}/"
  then :; else rm -f -- "$1"; return 1; fi
}

# put TEMP PATH MODE OWNER:GROUP SHA256 [VALIDATION] does so with a file whose content it compares first.
put() {
  if h=$(sha256sum <"$1") && { [ "$h" = "$5  -" ] || { echo 'the content did not arrive whole' >&2; false; }; }
  then place "$1" "$2" "$3" "$4" "$6"; else rm -f -- "$1"; return 1; fi
}

# same FILE SHA256 fails when the file is not the one that was planned for; the hash of a file that is not there is absent.
same() {
  h=absent; if [ -f "$1" ]; then h=$(sha256sum <"$1"); h=${h%  -}; fi
  [ "$h" = "$2" ] || { echo 'the file changed since it was planned: plan again' >&2; false; }
}

# rolled_back NAME... reports what was rolled back, in hexadecimal.
rolled_back() { frame U "$@"; }

# skip INDEX DEPENDENCIES fails unless one of them was not done.
skip() {
  for d in $2; do case $bad in *" $d "*) frame K "$1" "$d"; bad="$bad$1 "; return 0 ;; esac; done
  return 1
}

ended() { frame E "$1" "$2"; [ "$2" = 0 ] || bad="$bad$1 "; }

# run_script SCRIPT. It is evaluated where it is run, so that a shell that cannot read it gives up this change alone.
run_script() {
  ( eval "c() {
set -e
$1
}
c" ) </dev/null 2>&1
}

# make_change INDEX DEPENDENCIES SCRIPT [SIZE TEMP REPLACES] makes a change, with its payload from standard input.
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
  ended "$1" $?
}

# add_item INDEX DEPENDENCIES WORD adds a change to the next batch.
add_item() {
  if skip "$1" "$2"; then return 0; fi
  lab_todo="$lab_todo $1" lab_words="$lab_words $3"
  eval "lab_word$1=\$3"
}

# make_batch COMMAND makes the changes that were added by one command, and when that fails one by one, so that the one that is wrong is named and the
# others are made.
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
