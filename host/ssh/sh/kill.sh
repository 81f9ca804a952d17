# Stops the processes of a session: SIGTERM, and SIGKILL after 3 s.
#
# session: the ID of the session, which is that of its first process and its process group.
# boot: the ID of the boot that the session was started in; empty if unknown.
# boot_file, uptime_file: where the kernel tells the ID of this boot, and the time since then.
#
# It prints "terminated" or "killed", or nothing if no process was left. Processes with a process
# group of their own, as jobs of a shell with job control, are found in /proc by their session.
# Zombies do not count. After a reboot the session is gone, and its ID may be another's.
# Time is measured by the uptime, in hundredths of a second, because a look at the processes takes
# long on a busy machine; without an uptime the looks are counted.
: "${session?}" "${boot?}" "${boot_file?}" "${uptime_file?}"

b=
{ read -r b <"$boot_file"; } 2>/dev/null
[ "$b" = "$boot" ] || exit 0

# find_members sets pids to the processes of the session, and fails if there are none.
find_members() {
	pids=
	for f in /proc/[0-9]*/stat; do
		{ IFS= read -r s <"$f"; } 2>/dev/null || continue
		# shellcheck disable=SC2086 # the fields after the name: state, parent, group, session
		set -- ${s##*) }
		[ "${4-}" = "$session" ] || continue
		case $1 in Z | X) continue ;; esac
		f=${f#/proc/}
		pids="$pids ${f%/stat}"
	done
	[ -n "$pids" ] || { [ ! -r "/proc/$$/stat" ] && kill -s 0 -- "-$session" 2>/dev/null; }
}

send() {
	kill -s "$1" -- "-$session" 2>/dev/null
	# shellcheck disable=SC2086 # an argument for each process
	[ -z "$pids" ] || kill -s "$1" $pids 2>/dev/null
}

now=0
update_now() {
	{ IFS='. ' read -r s c _ <"$uptime_file"; } 2>/dev/null && now=$((s * 100 + 1$c - 100)) || now=$((now + 10))
}

outcome='' since=0
while find_members; do
	update_now
	case $outcome in
	'') outcome=terminated since=$now && send TERM ;;
	terminated) [ $((now - since)) -lt 300 ] || { outcome=killed since=$now && send KILL; } ;;
	killed) [ $((now - since)) -lt 500 ] || exit 1; send KILL ;;
	esac
	sleep 0.1
done
printf %s "$outcome"
