# has WORD reports whether the machine is as the word wants it: NAME, NAME=VERSION, or !NAME for a package
# that must not be installed. A name may end in :ARCHITECTURE. packages, which has set, is the output of
# ask_packages. It sets name and arch to those of the word, and full to how apt prints the name.
# shellcheck disable=SC2034 # the caller reads full
nl='
' tab='	'
known() { packages=$nl$1$nl native=${packages#*"i dpkg:"}; native=${native%%"$tab"*}; }
has() {
  name=${1#!} arch=$native also=all end=$tab
  case $name in *=*) end=$tab${name#*=}$nl name=${name%%=*} ;; esac
  case $name in *:*) arch=${name#*:} name=${name%:*} ;; esac
  full=$name
  case $arch in all | "$native") ;; *) also=$arch full=$name:$arch ;; esac
  case $1 in
  !*) case $packages in *"$nl"?[!nc]?"$name:$arch$tab"* | *"$nl"?[!nc]?"$name:$also$tab"*) return 1 ;; esac ;;
  *) case $packages in *"$nl"?"i $name:$arch$end"* | *"$nl"?"i $name:$also$end"*) ;; *) return 1 ;; esac ;;
  esac
}

# broken reports whether dpkg must unpack the package of the last word again before anything else.
broken() { case $packages in *"$nl"?H?"$name:"* | *"$nl"??R"$name:"*) ;; *) return 1 ;; esac; }

# stuck WORDS prints the other packages of the machine of which that is true: nothing that depends on them can
# be installed before.
stuck() {
  for p in $(dpkg-query -W -f='${db:Status-Abbrev}${Package}:${Architecture}\n' | grep -e '^.H' -e '^..R' | cut -c 4-); do
    case $p in *:all | *:"$native") p=${p%:*} ;; esac
    case "$1 " in *" $p "* | *" $p="* | *" !$p "*) ;; *) printf ' %s' "$p" ;; esac
  done
}
