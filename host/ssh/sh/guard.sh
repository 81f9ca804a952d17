# Runs a script while it holds the lock, and ends the connection that it came over if the other side has
# vanished. sshd by itself notices that after minutes or hours, and until then the script may wait for
# input that does not come. So it finds what it finds when any connection is lost: the end of its
# input, and nobody who reads its output. What it is doing by itself, it finishes.
#
# every: the seconds between two keepalive requests of the other side; 0 if it sends none.
# lock: the lock file; empty if it holds another lock. Who holds the lock is written into it: the ID and the start of this process,
# the uptime, and who.
# who: who runs the script. text: the script.
#
# Any byte that arrives is a sign of life, and sshd reads it: rchar in /proc/PID/io, proc_pid_io(5). Only root may
# see that of sshd; for others it is a sign of life that sshd has waited for something and got it:
# voluntary_ctxt_switches in /proc/PID/status, proc_pid_status(5). Without sshd, nothing is ended.
: "${every?}" "${lock?}" "${who?}" "${text?}"

# born sets name, parent and born of a process; the last is when it started, in ticks since the boot.
born() {
	{ IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
	name=${line#*\(} name=${name%)*}
	# shellcheck disable=SC2086 # the fields after the name: state, parent, and at the 20th place the start
	set -- ${line##*) }
	parent=$2 born=${20-}
}

# heard sets count to what grows with every byte that a process gets.
heard() {
	count=
	for source in io status; do
		{ while read -r key value; do
			case $key in rchar: | voluntary_ctxt_switches:) count=$value ;; esac
		done <"/proc/$1/$source"; } 2>/dev/null
		[ -z "$count" ] || return 0
	done
	return 1
}

# shellcheck disable=SC2317 # the trap of watch calls it
quit() {
	kill "$sleeping" 2>/dev/null
	exit
}

# watch ends sshd after six intervals of silence.
watch() {
	trap quit TERM
	last='' silent=0
	while :; do
		sleep "$every" &
		sleeping=$!
		wait "$sleeping" || exit
		born "$sshd" && [ "$born" = "$since" ] && heard "$sshd" || exit
		if [ "$count" = "$last" ]; then silent=$((silent + 1)); else silent=0; fi
		last=$count
		[ "$silent" -lt 6 ] || kill "$sshd" || exit
		[ "$silent" -lt 8 ] || kill -s KILL "$sshd"
	done
}

uptime=0
{ read -r uptime _ </proc/uptime; } 2>/dev/null
[ -z "$lock" ] || { born "$$" && echo "$$ $born $uptime $who" >"$lock"; }

sshd='' watching='' next=$PPID
while [ "${next:-0}" -gt 1 ] && born "$next"; do
	case $name in
	sshd | sshd-session) sshd=$next since=$born && break ;;
	esac
	next=$parent
done
if [ "$every" != 0 ] && [ -n "$sshd" ] && heard "$sshd"; then
	watch </dev/null >/dev/null 2>&1 &
	watching=$!
fi
(
	unset -f born heard quit watch
	unset every lock who name parent born line count source key value uptime sshd since watching next _
	eval "unset text; $text"
)
status=$?
[ -z "$watching" ] || kill "$watching" 2>/dev/null
exit "$status"
