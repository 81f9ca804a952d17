# Fails, with what apt-get says, if a new package source, or a new key of one, would make apt-get unusable.
# What cannot be reached now is not held against it. Of a signed source only the signed file is downloaded.
#
# file: the new file. name: of the source. key: the path of the key that the file replaces; empty if it is the
# source itself. source: the text of the key's source without the key. targets: Targets: none for a signed
# source, see sources.list(5). t: a temporary directory.
# shellcheck disable=SC2154 # the caller prepends them
umask 022
rm -rf -- "$t" # of a run that was cut off
trap 'rm -rf -- "$t"' EXIT
trap 'exit 1' HUP INT TERM # a shell that a signal ends does not run the other trap
mkdir -p -- "$t/all" "$t/one" "$t/lists" || exit 1

# apt ARGUMENT... runs apt-get, and prints its errors alone if it fails.
apt() {
  o=$(apt-get -q -y -o Acquire::Retries=0 "$@" 2>&1) && return 0
  echo "$o" | grep -e '^E: ' -e '^W: GPG error: ' | cut -c 4- || echo "$o"
  return 1
}

if [ -n "$key" ]; then
  [ -e "$key" ] || exit 0
  cat -- "$file" >"$t/$name.asc"
  cat >"$t/one/$name.sources" <<END
$source
Signed-By: $t/$name.asc
$targets
END
else
  for f in /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$f" ] || cat -- "$f" >"$t/all/${f##*/}"
  done
  cat -- "$file" >"$t/all/$name.sources"
  apt -o Dir::Etc::SourceParts="$t/all" indextargets || exit 1
  { cat -- "$file"; echo "$targets"; } >"$t/one/$name.sources"
fi
apt -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$t/one" -o Dir::State::Lists="$t/lists" update
