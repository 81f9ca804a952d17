# Answers questions about the machine, and writes nothing to it. Each answer is a frame: a newline, the
# nonce, a space, a header and a newline, then data up to the next frame. It needs POSIX sh, coreutils,
# findutils (xargs), dpkg and systemd.
#
# nonce: marks the frames. want: hashes whose content is known. shown, content: how many bytes of a file are
# read to show it, or to edit it.
# shellcheck disable=SC2154 # the caller prepends them
LC_ALL=C; export LC_ALL; exec </dev/null

gids=
frame() { printf '\n%s %s\n' "$nonce" "$*"; }

# first_line NAME FILE. The shell's read needs no process.
first_line() { v=; [ -r "$2" ] && IFS= read -r v <"$2"; printf '%s=%s\n' "$1" "$v"; }

# started PID sets v to the time at which the process was started, in ticks since the boot (proc(5)).
started() {
  v=
  read -r v <"/proc/$1/stat"
  # shellcheck disable=SC2086 # after the name, which is in parentheses, there are only words
  set -- ${v##*) }
  v=${20}
}

ask_facts() {
  frame facts
  first_line boot_id /proc/sys/kernel/random/boot_id
  first_line hostname /proc/sys/kernel/hostname
  first_line kernel /proc/sys/kernel/osrelease
  first_line uptime /proc/uptime
  first_line cmdline /proc/cmdline
  first_line controllers /sys/fs/cgroup/cgroup.controllers
  first_line machine_id /etc/machine-id
  m=; [ -r /proc/device-tree/model ] && m=$(tr -d '\0' </proc/device-tree/model); printf 'model=%s\n' "$m"
  printf 'arch=%s\n' "$(uname -m)"
  s=no; [ -e /run/systemd/timesync/synchronized ] && s=yes; printf 'synchronized=%s\n' "$s"
  s=no; [ -e /run/reboot-required ] && s=yes; printf 'reboot_required=%s\n' "$s"
  while IFS= read -r l; do case $l in MemTotal:* | SwapTotal:*) printf '%s\n' "$l" ;; esac; done </proc/meminfo
  [ -r /etc/os-release ] && while IFS= read -r l; do
    case $l in ID=* | VERSION_ID=* | VERSION_CODENAME=* | PRETTY_NAME=*) printf 'os_%s\n' "$l" ;; esac
  done </etc/os-release
}

# ask_clock continues the frame of facts.
ask_clock() { printf 'now=%s\n' "$(date +%s.%N)"; }

ask_paths() {
  frame paths
  printf '%s\0' "$@" | xargs -0 -r stat --printf '%n\0%f %u %g %U %G %s %Y %Z\0' -- 2>/dev/null
}

# ask_sums hashes regular files only: a pipe or a device might never end. A line that starts with a
# backslash has an escaped name; its hash is valid, but its content is not shown.
ask_sums() {
  frame sums
  for x; do [ -f "$x" ] && printf '%s\0' "$x"; done | xargs -0 -r sha256sum -- 2>/dev/null | while IFS= read -r l; do
    printf '%s\n' "$l"; h=${l%%  *}
    case $h in
    \\*) ;;
    *) case $want in *"$h"*) ;; *) x=${l#*  }; frame shown; printf '%s\0' "$x"; head -c "$shown" -- "$x"; frame sums ;; esac ;;
    esac
  done
}

ask_contents() { for x; do [ -f "$x" ] && { frame content; printf '%s\0' "$x"; head -c "$content" -- "$x"; }; done; }

ask_links() { for x; do [ -h "$x" ] && { frame link; printf '%s\0' "$x"; readlink -n -- "$x"; }; done; }

# ask_packages leaves its answer in packages, for probes.
ask_packages() {
  frame packages
  for x; do set -- "$@" "${x%%:*}"; shift; done
  packages=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}:${Architecture}\t${Version}\n' -- dpkg "$@" 2>/dev/null)
  printf '%s\n' "$packages"
}

ask_units() {
  p=Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,InvocationID,ActiveEnterTimestampMonotonic
  p=$p,FragmentPath,SourcePath,Result,Type,RemainAfterExit,ExecMainExitTimestampMonotonic,WantedBy,RequiredBy
  u=$(systemctl show -p "$p,ConditionResult,ConditionTimestampMonotonic" -- "$@" 2>/dev/null)
  frame units
  printf '%s\n' "$u"
  frame installs
  for x; do l=/etc/systemd/system/$x; [ -h "$l" ] && grep -qs '^\[Install\]' "$l" && printf '%s\n' "$x"; done
  case $u in *UnitFileState=generated* | *UnitFileState=indirect*) ask_boots "$u" ;; esac
}

# ask_boots BLOCKS reads the output of systemctl show, and says which units are on or off at boot that systemd
# only calls generated (from a script of /etc/init.d) or indirect: its file is known under another name too, or
# enables others.
ask_boots() {
  frame boots
  printf '%s\n\n' "$1" | while IFS= read -r l; do
    case $l in
    Id=*) i=${l#*=} ;;
    FragmentPath=*) f=${l#*=} ;;
    SourcePath=*) s=${l#*=} ;;
    UnitFileState=*) e=${l#*=} ;;
    '')
      r=
      case $e$s in
      generated/etc/init.d/*) r=off; for x in /etc/rc[S5].d/S[0-9][0-9]"${s##*/}"; do [ -e "$x" ] && r=on; done ;;
      indirect*)
        if grep -qs '^\(WantedBy\|RequiredBy\|UpheldBy\|Alias\)[[:space:]]*=' -- "$f"; then r=off; else
          # shellcheck disable=SC2013 # a line may list several units
          for x in $(sed -n 's/^Also[[:space:]]*=//p' "$f" 2>/dev/null); do
            systemctl is-enabled -q -- "$x" 2>/dev/null && x=on || x=off
            case $r in '' | "$x") r=$x ;; *) r=part ;; esac
          done
        fi
        ;;
      esac
      printf '%s %s\n' "$i" "$r"
      i='' f='' s='' e=''
      ;;
    esac
  done
}

# ask_users leaves the numbers of the primary groups for ask_groups, which comes after it.
ask_users() {
  u=$(getent passwd -- "$@")
  frame users
  printf '%s\n' "$u"
  while IFS=: read -r _ _ _ v _; do gids="$gids $v"; done <<END
$u
END
  frame shadow
  getent shadow -- "$@"
}

ask_groups() {
  frame groups
  # shellcheck disable=SC2086 # numbers
  getent group -- "$@" $gids
  frame gshadow
  getent gshadow -- "$@"
}

# ask_settings DIRECTORY PATTERN prints the matching lines of the files that are read from the directory in /etc,
# /run and /usr/lib. A file hides those of the same name in the directories that come after its own.
ask_settings() {
  d=$1 m=$2 seen=''
  shift 2
  for f in /etc/"$d"/*.conf /run/"$d"/*.conf /usr/local/lib/"$d"/*.conf /usr/lib/"$d"/*.conf; do
    b=${f##*/}
    case $seen in *"/$b/"*) continue ;; esac
    [ -e "$f" ] || continue
    seen="$seen/$b/"
    set -- "$@" "$f"
  done
  [ $# -gt 0 ] || return 0
  for f; do [ -h "$f" ] && { frame link; printf '%s\0' "$f"; readlink -n -- "$f"; }; done
  frame files
  printf '%s\n' "$@"
  frame settings
  grep -saH "$m" -- "$@"
}

# ask_sysctls does not use the shell's read, which reads byte by byte where it cannot seek: the kernel then
# returns the first digit of a number and the end of the file.
ask_sysctls() {
  frame sysctls
  grep -saH '' -- "$@"
  ask_settings sysctl.d '^[^#;]*='
}

# ask_modules NAME... takes names with underscores.
ask_modules() {
  frame modules
  for x; do [ -d "/sys/module/$x" ] && printf '%s\n' "$x"; done
  ask_settings modprobe.d '^[[:space:]]*\(blacklist\|install\)[[:space:]]'
  frame builtin
  n=$#
  for x; do set -- "$@" -e "/$x.ko"; done
  shift "$n"
  b=/lib/modules/$(uname -r)/modules.builtin
  [ -r "$b" ] && tr - _ <"$b" | grep -F "$@"
}

# ask_mounts PATH... resolves the paths and all mount points of fstab with one process.
ask_mounts() {
  frame mounts
  cat /proc/self/mountinfo
  frame swaps
  [ -r /proc/swaps ] && while IFS= read -r l; do printf '%s\n' "$l"; done </proc/swaps
  [ $# -gt 0 ] || return 0
  # shellcheck disable=SC2059 # printf decodes the octal escapes of fstab
  [ -r /etc/fstab ] && while read -r s p _; do
    case $s$p in
    \#* | '') continue ;;
    *\\*) p=$(printf "$(printf %s "$p" | sed 's/%/%%/g')") ;;
    esac
    case $p in /*) set -- "$@" "$p" ;; esac
  done </etc/fstab
  frame resolved
  printf '%s\0' "$@"
  readlink -z -m -- "$@"
}

say_upload() { frame leftovers; printf '%s\0' "$2"; }

# ask_leftovers JOURNAL UPLOADS prints the files of uploads that were cut off, and which of the listed temporary files
# exist, unless the run that made the list is still running, see begin in apply.sh.
ask_leftovers() {
  cut_uploads "$2" say_upload
  [ -s "$1" ] || return 0
  read -r b p s <"$1"
  read -r v </proc/sys/kernel/random/boot_id
  if [ "$b" = "$v" ] && [ -r "/proc/$p/stat" ]; then
    started "$p"
    [ "$v" != "$s" ] || return 0
  fi
  frame leftovers
  # shellcheck disable=SC2016 # for the inner shell
  tail -n +2 -- "$1" | xargs -0 -r sh -c 'for f; do n=${f%/}; case ${n##*/} in
    .* | *tmp) if [ -e "$f" ] || [ -h "$f" ]; then printf "%s\0" "$f"; fi ;;
    esac; done' lab
}

# ask_probe INDEX SCRIPT. A script with a syntax error fails alone, without its frame "read".
ask_probe() {
  frame probe "$1"
  ( eval "q() {
:
$2
}"; frame read "$1"; q ) 2>&1
  frame exit "$1" $?
}
