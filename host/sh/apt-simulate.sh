# Prints which of the wanted packages count as installed for the sake of others, as stanzas of apt's
# extended_states. If a package differs from what is wanted, it continues with a line "simulate" and what
# apt-get would do, and exits with the status of apt-get; then "virtual NAME PROVIDER..." for a package that
# apt-get would not install under its name. It all runs as a user who can read everything and write nothing:
# as root, apt-get would renew its caches.
#
# wanted: words, see has; a word may be followed by names of packages that do as well, each after a |.
# packages: the output of ask_packages. auto: arguments of grep, -e and a line "Package: NAME" for each.
# options: of apt-get.
# shellcheck disable=SC2154 # the caller prepends them
todo='' names='' again='' other=''
known "$packages"
for w in $wanted; do
  others=${w#"${w%%|*}"} w=${w%%|*}
  while [ -n "$others" ]; do
    others=${others#|}
    has "${others%%|*}" && continue 2
    others=${others#"${others%%|*}"}
  done
  has "$w" && continue
  case $w in
  !*) todo="$todo $name:$arch-" other="$other !$full" ;;
  *)
    todo="$todo $w" names="$names $full" other="$other $full"
    if broken; then again=--reinstall; fi
    ;;
  esac
done
eval "grep -s -x -A 3 -F $auto /var/lib/apt/extended_states"
[ -n "$todo" ] || exit 0
as='setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search --'
$as true 2>/dev/null || as=''
others=$(stuck "$other")
[ -z "$others" ] || again=--reinstall
echo simulate
r=0
# shellcheck disable=SC2086 # words
o=$($as apt-get -s $options install --no-install-recommends $again -- $todo $others 2>&1) || r=$?
printf '%s\n' "$o"
unknown=''
for n in $names; do
  case $o$nl in *"${nl}Inst $n "* | *"${nl}Conf $n "* | *"E: Unable to locate package $n$nl"*) ;; *) unknown="$unknown $n" ;; esac
done
[ -n "$unknown" ] || exit $r
# shellcheck disable=SC2086 # words
$as apt-cache showpkg -- $unknown 2>/dev/null | {
  v='' in=''
  while IFS= read -r l; do
    case $l in
    'Package: '*) [ -z "$v" ] || printf '%s\n' "$v"; v="virtual ${l#* }" in='' ;;
    'Reverse Provides:'*) in=yes ;;
    ?*) [ -z "$in" ] || v="$v ${l%% *}" ;;
    esac
  done
  printf '%s\n' "$v"
}
exit $r
