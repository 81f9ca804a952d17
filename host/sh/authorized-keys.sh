# Prints how sshd authorizes the keys of an account: its settings, and what is in the files that it reads.
# Exits with status 3 if the account does not exist and this cannot be known before it does: its future home
# may already contain keys, from the skeleton of new homes (useradd(8)) or left by an earlier account of that
# name, or sshd reads keys elsewhere.
#
# sshd reads the files as the account, and follows links. So does this script: what only root can read is not
# shown. Of each file it prints
#
#   file PATH       as sshd is configured; then "link" if that is a link, "everybody" if it is that of all accounts
#   real PATH       with all links resolved; "odd" instead if that contains a newline
#   stat MODE UID GID PATH   of the file and of each directory above it that exists; the mode in hexadecimal
#   content BASE64, or "unreadable" to the account, or "special": not a regular file; none if it does not exist
#
# and "alone" at the end if something is writable by a group, and nobody but the account is in its own.
#
# user. home: its future home. limit: how many bytes of a file are read.
# shellcheck disable=SC2154 # the caller prepends them
nl='
'
files='.ssh/authorized_keys .ssh/authorized_keys2'

# setting NAME TEXT prints the lines of a setting, each of which is between newlines. It needs no process, as each costs
# a converged machine time.
setting() {
  rest=$2
  while :; do
    case $rest in *"$nl$1 "*) ;; *) break ;; esac
    rest=${rest#*"$nl$1 "} v=${rest%%"$nl"*} rest=$nl${rest#*"$nl"}
    printf '%s %s\n' "$1" "$v"
    if [ "$1" = authorizedkeysfile ]; then files=$v; fi
  done
}
if [ -x /usr/sbin/sshd ]; then
  # -G, of OpenSSH 9.3, needs neither host keys nor /run/sshd
  if s=$(/usr/sbin/sshd -T -C "user=$user" 2>&1) || { g=$(/usr/sbin/sshd -G -C "user=$user" 2>/dev/null) && s=$g; }; then
    for k in pubkeyauthentication permitrootlogin strictmodes authorizedkeysfile allowusers denyusers allowgroups denygroups; do
      setting "$k" "$nl$s$nl"
    done
  else
    printf 'refused %s\n' "$(printf %s "$s" | tr '\n' ' ')"; exit 0
  fi
fi
e=$(getent passwd -- "$user")
if [ -z "$e" ]; then
  if [ -e /etc/skel/.ssh ] || [ -e "$home" ] || grep -q -s -e '^HOME=' -e '^SKEL=' /etc/default/useradd; then exit 3; fi
  case $files in .ssh/authorized_keys | '.ssh/authorized_keys '*) ;; *) exit 3 ;; esac
  if cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf 2>/dev/null | grep -q -i -e '^[[:space:]]*match.*group'; then exit 3; fi
  exit 0
fi
set -f
# shellcheck disable=SC2086 # passwd(5) has fields that are separated by colons
{ IFS=:; set -- $e; unset IFS; }
uid=$3 gid=$4 h=$6
printf 'home %s\n' "$(readlink -m -- "$h")"
[ -d "$h" ] || echo homeless
printf 'groups %s\n' "$(id -G -n -- "$user")"

# path PATTERN sets f to the file that a word of AuthorizedKeysFile stands for (sshd_config(5), TOKENS).
path() {
  w=$1 f=
  while :; do
    case $w in *%*) ;; *) break ;; esac
    f=$f${w%%\%*}; w=${w#*\%}
    case $w in h*) f=$f$h ;; u*) f=$f$user ;; U*) f=$f$uid ;; *) f=$f% ;; esac
    w=${w#?}
  done
  f=$f$w
  case $f in /*) ;; *) f=${h%/}/$f ;; esac
}

# alone succeeds if nobody but the account is in its primary group.
alone() {
  case $(getent group -- "$gid" | cut -d : -f 4) in '' | "$user") ;; *) return 1 ;; esac
  ! getent passwd | cut -d : -f 3,4 | grep -e ":$gid\$" | grep -q -v -e "^$uid:"
}
shared=
for w in $files; do
  path "$w"
  printf 'file %s\n' "$f"
  if [ -h "$f" ]; then echo link; fi
  case $w in *%[hUu]*) ;; /*) echo everybody ;; esac
  r=$(readlink -m -- "$f")
  case $r in *"$nl"*) echo odd; continue ;; esac
  printf 'real %s\n' "$r"
  p=$r; set -- "$p"
  while [ -n "$p" ]; do p=${p%/*}; set -- "$@" "${p:-/}"; done
  t=$(stat -c 'stat %f %u %g %n' -- "$@" 2>/dev/null)
  printf '%s\n' "$t"
  case $nl$t in *"${nl}stat "??[13579bdf]?' '*) shared=yes ;; esac # writable by the group
  [ -e "$r" ] || continue
  if [ ! -f "$r" ]; then echo special; continue; fi
  # shellcheck disable=SC2016 # the account's shell expands these
  setpriv --reuid="$uid" --regid="$gid" --init-groups -- sh -c \
    'if [ -r "$1" ]; then printf "content "; head -c "$2" -- "$1" | base64 -w 0; echo; else echo unreadable; fi' \
    sh "$r" "$limit"
done
if [ -n "$shared" ] && alone; then echo alone; fi
