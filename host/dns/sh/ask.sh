# Asks name servers from the machine itself, as its own programs would: with glibc's resolver, over UDP and TCP.
: "${name:?}" "${want:?}" "${address?}" "${names?}" "${outside?}"
# ask SERVER OPTION DATABASE KEY prints what the name server alone says. It has an /etc of its own, in a mount namespace
# that ends with the question, so that nothing is written to the machine's.
ask() {
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount sh -c 'mount -t tmpfs lab /etc &&
    printf "nameserver %s\noptions timeout:2 attempts:2 %s\n" "$1" "$2" >/etc/resolv.conf &&
    exec getent -s dns "$3" "$4"' lab-ask "$@" 2>&1 | tr -s ' \n' '  '
}
# answers SERVER OPTION PROTOCOL reports whether the name server says the right address of the name; otherwise it prints
# what it says.
answers() {
  got=$(ask "$1" "$2" ahostsv4 "$name.")
  case " $want " in
  *" ${got%% *} "*) if [ -n "$got" ]; then return 0; fi ;;
  esac
  echo "$1 does not say what $name is over $3: ${got:-no answer}"
  return 1
}
# alive SERVER reports whether the name server says anything at all: its own name is what every Pi-hole knows, whatever it
# is configured to say; otherwise it prints what it says.
alive() {
  got=$(ask "$1" '' ahostsv4 pi.hole.)
  case $got in *STREAM*) return 0 ;; esac
  echo "$1 does not answer${got:+: $got}"
  return 1
}
# usable SERVER reports whether the machine can work with the name server alone; otherwise it prints why not.
usable() {
  answers "$1" '' UDP && answers "$1" use-vc TCP || return 1
  if [ -n "$address" ]; then
    got=$(ask "$1" '' hosts "$address")
    found=''
    for n in $names; do case " $got " in *" $n "*) found=yes ;; esac; done
    if [ -z "$found" ]; then
      echo "$1 does not say what $address is called: ${got:-no answer}"
      return 1
    fi
  fi
  if [ -n "$outside" ]; then
    got=$(ask "$1" '' ahosts "$outside.")
    case $got in
    *STREAM*) ;;
    *)
      echo "$1 does not say what $outside is: ${got:-no answer}"
      return 1
      ;;
    esac
  fi
}
