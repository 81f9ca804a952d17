# Prints who holds the lock.
#
# lock: the lock file. What a script of ours wrote into it counts as long as that script runs: "WHO", the
# seconds since it got the lock, and its process ID. Otherwise /proc/locks names the process.
: "${lock?}"

now=0
{ IFS=' .' read -r now _ </proc/uptime; } 2>/dev/null
pid='' born='' since='' who=''
{ read -r pid born since who <"$lock"; } 2>/dev/null
if [ -n "$who" ] && { IFS= read -r line <"/proc/$pid/stat"; } 2>/dev/null; then
	# shellcheck disable=SC2086 # the fields after the name; the 20th is when the process started
	set -- ${line##*) }
	if [ "${20-}" = "$born" ]; then
		echo "$who $((now - ${since%.*})) $pid"
		exit
	fi
fi
inode=$(stat -c %i -- "$lock") || exit
while read -r _ kind _ _ pid device _; do
	case $kind:$device in
	FLOCK:*:"$inode")
		{ read -r name <"/proc/$pid/comm"; } 2>/dev/null || name=
		echo "- 0 $pid $name"
		exit
		;;
	esac
done </proc/locks
