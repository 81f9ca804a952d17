# Brings packages to their wanted state with one run of apt-get, which does nothing that was not planned.
#
# planned: lines "NAME FROM TO" of what the plan shows, with versions, or - for none. exact: yes if nothing
# else may be done; otherwise the package lists are renewed in the same run, and what was not planned is
# only refused if it removes or downgrades a package. guard: the script that refuses it.
# shellcheck disable=SC2154 # the caller prepends them

# repair HALF makes dpkg complete an interrupted run, since apt-get does nothing before that, or what HALF
# says is half installed, of which apt-get leaves some as it is.
repair() {
  for u in /var/lib/dpkg/updates/[0-9]*; do
    if [ -n "$1" ] || [ -e "$u" ]; then dpkg --force-confdef --force-confold --configure -a || :; fi
    return 0
  done
}

# look WORD... asks dpkg for the packages.
look() {
  names=''
  for w; do w=${w#+} w=${w#!} w=${w%%=*} names="$names ${w%%:*}"; done
  # shellcheck disable=SC2086 # names are words
  known "$(dpkg-query -W -f='${db:Status-Abbrev}${Package}:${Architecture}\t${Version}\n' -- dpkg $names 2>/dev/null)"
}

# install_packages WORD... is done when the machine is as the words want it, see has, whatever apt-get says
# of other packages. It does not ask apt-get for words that start with a +, which come with the others.
install_packages() {
  look "$@"
  todo='' wanted='' half='' held='' again='' remove=--no-remove r=0
  for w; do
    case $w in +*) continue ;; esac
    has "$w" && continue
    case $w in
    !*)
      todo="$todo $name:$arch-" wanted="$wanted !$full" remove=''
      if broken; then again="$again -o Dpkg::Options::=--force-remove-reinstreq"; fi
      continue
      ;;
    *=*) todo="$todo $w" wanted="$wanted $full=${w#*=}" ;;
    *) todo="$todo $w" wanted="$wanted $full" ;;
    esac
    if broken; then again="$again --reinstall"; fi
    case $packages in *"$nl"?[UFWt]?"$name:"*) half=yes ;; esac
    case $packages in *"${nl}h"??"$name:"*) held=--allow-change-held-packages ;; esac
  done
  case "$planned$nl" in *" -$nl"*) remove='' ;; esac
  if [ -n "$todo" ]; then
    repair "$half"
    others=$(stuck "$wanted")
    [ -z "$others" ] || again="$again --reinstall"
    lab_guard=$guard lab_wanted=$wanted lab_native=$native
    export lab_guard lab_wanted lab_native
    # shellcheck disable=SC2016,SC2086 # apt's shell expands the guard; words
    run_apt -o DPkg::Pre-Install-Pkgs::='eval "$lab_guard"' -o DPkg::Tools::Options::eval::Version=3 \
      install --no-install-recommends --allow-downgrades $again $held $remove -- $todo $others || r=$?
    look "$@"
  fi
  left=''
  for w; do has "${w#+}" || left="$left ${w#+}"; done
  [ -n "$left" ] || return 0
  if [ -z "$todo" ]; then
    cause "apt did not do it: a package that it was planned for failed, or the package lists have changed since"
  elif [ $r = 0 ]; then
    cause "apt-get succeeded, but not with:$left"
  fi
  [ $r = 0 ] || exit $r
  exit 1
}
