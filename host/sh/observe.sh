# Answers questions about the machine, and writes nothing to it. Each answer is a frame: a newline, the
# nonce, a space, a header and a newline, then data up to the next frame. It needs POSIX sh, coreutils,
# findutils (xargs), dpkg and systemd.
#
# nonce: marks the frames. want: hashes whose content is known. shown, content: how many bytes of a file are
# read to show it, or to edit it.
# shellcheck disable=SC2154 # the caller prepends them
LC_ALL=C; export LC_ALL; exec </dev/null

frame() { printf '\n%s %s\n' "$nonce" "$*"; }

# first_line NAME FILE. The shell's read needs no process.
first_line() { v=; [ -r "$2" ] && IFS= read -r v <"$2"; printf '%s=%s\n' "$1" "$v"; }

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
  frame units
  p=Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,InvocationID
  systemctl show -p "$p,ActiveEnterTimestampMonotonic,FragmentPath,Result" -- "$@" 2>/dev/null
  frame installs
  for x; do l=/etc/systemd/system/$x; [ -h "$l" ] && grep -qs '^\[Install\]' "$l" && printf '%s\n' "$x"; done
}

ask_users() {
  frame users
  getent passwd -- "$@"
  frame shadow
  getent shadow -- "$@"
}

ask_groups() {
  frame groups
  getent group -- "$@"
}

# ask_sysctls does not use the shell's read, which reads byte by byte where it cannot seek: the kernel then
# returns the first digit of a number and the end of the file.
ask_sysctls() {
  frame sysctls
  grep -saH '' -- "$@"
}

ask_modules() {
  frame modules
  b=/lib/modules/$(uname -r)/modules.builtin
  for x; do if [ -d "/sys/module/$x" ] || { [ -r "$b" ] && grep -q "/$x\.ko" "$b"; }; then printf '%s\n' "$x"; fi; done
}

ask_mounts() {
  frame mounts
  cat /proc/self/mountinfo
  frame swaps
  [ -r /proc/swaps ] && cat /proc/swaps
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
