# Refuses what the plan does not show. apt-get runs it before it calls dpkg, while it holds the lock of dpkg:
# DPkg::Pre-Install-Pkgs in apt.conf(5). Standard input: what apt-get is about to do, in version 3 of that
# protocol.
#
# planned, exact: see apt-packages.sh. lab_wanted: the words of what is asked for. lab_native: the machine's
# architecture.
# shellcheck disable=SC2154 # the caller prepends them
sed '1,/^$/d' | {
  nl='
' r=0 seen=' '
  refuse() { printf '%s\n' "refused: apt-get would $*, which the plan does not show: plan again" >&2; r=1; }
  while read -r n from a _ way to b _ what; do
    [ "$to" != - ] || b=$a
    case $b in all | "$lab_native") ;; *) n=$n:$b ;; esac
    seen="$seen$n "
    [ "$what" != '**CONFIGURE**' ] || continue
    case $nl$planned$nl in *"$nl$n $from $to$nl"*) continue ;; esac
    case " $lab_wanted " in *" $n=$to "*) continue ;; *" !$n "*) [ "$to" != - ] || continue ;; esac
    case $to$way in
    -*) refuse "remove $n $from" ;;
    *'>') refuse "downgrade $n from $from to $to" ;;
    *) [ -z "$exact" ] || refuse "install $n $to" ;;
    esac
  done
  for w in $lab_wanted; do
    case $w in !*) continue ;; esac
    case $seen in *" ${w%%=*} "*) ;; *)
      printf '%s\n' "refused: no package has the name $w, others provide it: plan again to see which" >&2; r=1 ;;
    esac
  done
  exit $r
}
