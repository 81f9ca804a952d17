# Prints what the health of the machine is judged by, in sections that begin with a line "check NAME" and end with
# the next one, or with "end". What may hang comes last: what was printed before it is known by then. It writes
# nothing, and needs no root.
LC_ALL=C; export LC_ALL; exec </dev/null 2>/dev/null

check() { printf 'check %s\n' "$*"; }

# words FILE prints a file of the kernel or of a package that may be missing.
words() { [ -r "$1" ] && cat "$1"; }

check clock
date +%s.%N

check uptime
words /proc/uptime

check memory
grep -E '^(MemTotal|MemAvailable|MemFree):' /proc/meminfo
grep '^oom_kill ' /proc/vmstat

check power
for d in /sys/class/hwmon/hwmon*; do # the driver raspberrypi-hwmon
  [ "$(words "$d/name")" = rpi_volt ] && printf 'undervoltage %s\n' "$(words "$d/in0_lcrit_alarm")"
done
f=/sys/class/thermal/thermal_zone0/temp
[ -r "$f" ] && printf 'temperature %s\n' "$(words "$f")"

check reboot
[ -e /run/reboot-required ] && printf 'required\n'
[ -r /run/reboot-required.pkgs ] && sed 's/^/package /' /run/reboot-required.pkgs
k=$(uname -r)
for d in /lib/modules/*/modules.dep; do # a kernel that was replaced takes its modules along
  [ -e "$d" ] || continue
  [ -e "/lib/modules/$k/modules.dep" ] || printf 'modules %s\n' "$k"
  break
done

# Remote file systems are left out: one whose server is gone would hang.
check disk
df -lPT -B1024
check mounts
words /proc/mounts
check fstab
words /etc/fstab

check time
v=$(timedatectl show -p NTPSynchronized --value)
[ "$v" != yes ] && [ -e /run/systemd/timesync/synchronized ] && v=yes
printf '%s\n' "$v"

check units
printf 'system %s\n' "$(systemctl is-system-running)"
systemctl list-units --state=failed --plain --no-legend --full --no-pager
printf 'end\n'
