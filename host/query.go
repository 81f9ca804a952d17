package host

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Query collects what must be read of a machine to decide about its resources. Questions of one kind are asked together, by one
// process for all of them, and a question that is asked twice is asked once: the cost of an observation hardly grows with its size.
type Query struct {
	paths    ordered           // lstat
	sums     ordered           // sha256 of regular files
	wanted   map[string]bool   // hashes in hex whose content is known here already
	contents ordered           // whole content, to maxContent
	links    ordered           // where a link points
	packages ordered           // dpkg
	units    ordered           // systemd
	users    ordered           // passwd and shadow
	groups   ordered           // group
	sysctls  ordered           // files of /proc/sys
	modules  ordered           // /sys/module
	probes   ordered           // free questions
	scripts  map[string]string // of probes
	mounts   bool
	clock    bool
}

const (
	maxContent = 1 << 20  // bytes of a file that is edited or templated
	maxShown   = 64 << 10 // bytes of a file that is read to show a diff
)

// ordered is a set of strings that keeps its order.
type ordered struct {
	list []string
	has  map[string]bool
}

func (o *ordered) add(s string) {
	if o.has[s] {
		return
	}
	if o.has == nil {
		o.has = map[string]bool{}
	}
	o.has[s] = true
	o.list = append(o.list, s)
}

// words returns the members quoted for a shell, with a space before each.
func (o *ordered) words() string {
	var b strings.Builder
	for _, s := range o.list {
		b.WriteByte(' ')
		b.WriteString(ssh.Quote(s))
	}
	return b.String()
}

// Path asks for the type, mode, owner and times of what is at the path, links not followed. See [Observation.Stat].
func (q *Query) Path(path string) { q.paths.add(path) }

// Sum asks for the SHA-256 of a regular file, and for its content, to 64 KiB, unless the hash is want. See [Observation.Sum].
func (q *Query) Sum(path string, want [32]byte) {
	q.paths.add(path)
	q.sums.add(path)
	if q.wanted == nil {
		q.wanted = map[string]bool{}
	}
	q.wanted[hex.EncodeToString(want[:])] = true
}

// Content asks for the content of a regular file of at most 1 MiB. See [Observation.Content].
func (q *Query) Content(path string) {
	q.paths.add(path)
	q.contents.add(path)
}

// Link asks where the symbolic link at the path points. See [Observation.Link].
func (q *Query) Link(path string) {
	q.paths.add(path)
	q.links.add(path)
}

// Package asks for the state of a Debian package. See [Observation.Package].
func (q *Query) Package(name string) { q.packages.add(name) }

// Unit asks for the state of a systemd unit. See [Observation.Unit].
func (q *Query) Unit(name string) {
	q.units.add(name)
	q.clock = true
}

// User asks for an account. See [Observation.User].
func (q *Query) User(name string) { q.users.add(name) }

// Group asks for a group. See [Observation.Group].
func (q *Query) Group(name string) { q.groups.add(name) }

// Sysctl asks for a kernel parameter as it is now. See [Observation.Sysctl].
func (q *Query) Sysctl(key string) { q.sysctls.add(sysctlPath(key)) }

// Module asks whether a kernel module is loaded or built in. See [Observation.Module].
func (q *Query) Module(name string) { q.modules.add(name) }

// Mounts asks for the table of mounts. See [Observation.Mounts].
func (q *Query) Mounts() { q.mounts = true }

// Clock asks for the machine's time. See [Observation.Now].
func (q *Query) Clock() { q.clock = true }

// Probe asks a free question: a POSIX sh script that writes nothing to the machine. It runs as root in a shell of its own, and must not
// read its standard input. The name tells probes apart; take the resource's ID. See [Observation.Probe].
func (q *Query) Probe(name, script string) {
	if q.scripts == nil {
		q.scripts = map[string]string{}
	}
	if _, ok := q.scripts[name]; !ok {
		q.scripts[name] = script
		q.probes.add(name)
	}
}

const unitProperties = "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,InvocationID,ActiveEnterTimestampMonotonic,FragmentPath,Result"

// factsScript reads what every observation tells of the machine. Reading /proc by the shell costs no process.
const factsScript = `
r() { v=; [ -r "$2" ] && IFS= read -r v <"$2"; printf '%s=%s\n' "$1" "$v"; }
r boot_id /proc/sys/kernel/random/boot_id
r hostname /proc/sys/kernel/hostname
r kernel /proc/sys/kernel/osrelease
r uptime /proc/uptime
r cmdline /proc/cmdline
r controllers /sys/fs/cgroup/cgroup.controllers
r machine_id /etc/machine-id
m=; [ -r /proc/device-tree/model ] && m=$(tr -d '\0' </proc/device-tree/model); printf 'model=%s\n' "$m"
printf 'arch=%s\n' "$(uname -m)"
s=no; [ -e /run/systemd/timesync/synchronized ] && s=yes; printf 'synchronized=%s\n' "$s"
s=no; [ -e /run/reboot-required ] && s=yes; printf 'reboot_required=%s\n' "$s"
while IFS= read -r l; do case $l in MemTotal:*|SwapTotal:*) printf '%s\n' "$l";; esac; done </proc/meminfo
[ -r /etc/os-release ] && while IFS= read -r l; do case $l in ID=*|VERSION_ID=*|VERSION_CODENAME=*|PRETTY_NAME=*) printf 'os_%s\n' "$l";; esac; done </etc/os-release
`

// script returns the script that answers all questions, in frames marked with the nonce. It writes nothing to the machine.
//
// It needs POSIX sh, coreutils, findutils (xargs), dpkg and systemd.
func (q *Query) script(nonce string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("LC_ALL=C; export LC_ALL; exec </dev/null")
	p(`f() { printf '\n%s %%s\n' "$*"; }`, nonce)
	p("f facts%s", factsScript)
	if q.clock {
		p("printf 'now=%%s\\n' \"$(date +%%s.%%N)\"")
	}
	if len(q.paths.list) > 0 {
		p("f paths")
		p("printf '%%s\\0'%s | xargs -0 -r stat --printf '%%n\\0%%f %%u %%g %%U %%G %%s %%Y %%Z\\0' -- 2>/dev/null", q.paths.words())
	}
	if len(q.sums.list) > 0 {
		// Only regular files: hashing a pipe or a device would not end. A line that begins with a backslash holds an escaped name; its content
		// is not shown, its hash counts all the same.
		hashes := make([]string, 0, len(q.wanted))
		for h := range q.wanted {
			hashes = append(hashes, h)
		}
		slices.Sort(hashes)
		p("f sums")
		p("want='%s'", strings.Join(hashes, " "))
		p(`for x in%s; do [ -f "$x" ] && printf '%%s\0' "$x"; done | xargs -0 -r sha256sum -- 2>/dev/null | while IFS= read -r l; do`, q.sums.words())
		p(`  printf '%%s\n' "$l"; h=${l%%%%  *}`)
		p(`  case $h in \\*) ;; *) case $want in *"$h"*) ;; *) x=${l#*  }; f shown; printf '%%s\0' "$x"; head -c %d -- "$x"; f sums;; esac;; esac`, maxShown+1)
		p("done")
	}
	if len(q.contents.list) > 0 {
		p(`for x in%s; do [ -f "$x" ] && { f content; printf '%%s\0' "$x"; head -c %d -- "$x"; }; done`, q.contents.words(), maxContent+1)
	}
	if len(q.links.list) > 0 {
		p(`for x in%s; do [ -h "$x" ] && { f link; printf '%%s\0' "$x"; readlink -n -- "$x"; }; done`, q.links.words())
	}
	if len(q.packages.list) > 0 {
		p("f packages")
		p(`dpkg-query -W -f='${Package}\t${Architecture}\t${db:Status-Abbrev}\t${Version}\n' --%s 2>/dev/null`, q.packages.words())
	}
	if len(q.units.list) > 0 {
		p("f units")
		p("systemctl show -p %s --%s 2>/dev/null", unitProperties, q.units.words())
		p("f installs")
		p(`for x in%s; do l=/etc/systemd/system/$x; [ -h "$l" ] && grep -qs '^\[Install\]' "$l" && printf '%%s\n' "$x"; done`, q.units.words())
	}
	if len(q.users.list) > 0 {
		p("f users\ngetent passwd --%s", q.users.words())
		p("f shadow\ngetent shadow --%s", q.users.words())
	}
	if len(q.groups.list) > 0 {
		p("f groups\ngetent group --%s", q.groups.words())
	}
	if len(q.sysctls.list) > 0 {
		// Not the shell's read, which takes a byte at a time where it cannot seek: the kernel gives a number's first digit and ends there.
		p("f sysctls")
		p("grep -saH '' --%s", q.sysctls.words())
	}
	if len(q.modules.list) > 0 {
		p("f modules")
		p(`b=/lib/modules/$(uname -r)/modules.builtin`)
		p(`for x in%s; do if [ -d "/sys/module/$x" ] || { [ -r "$b" ] && grep -q "/$x\.ko" "$b"; }; then printf '%%s\n' "$x"; fi; done`, q.modules.words())
	}
	if q.mounts {
		p("f mounts\ncat /proc/self/mountinfo")
		p("f swaps\n[ -r /proc/swaps ] && cat /proc/swaps")
	}
	for i, name := range q.probes.list {
		// A shell that cannot read one of them gives up that one, and does not say that it was read.
		p("f probe %d\n( eval %s; f read %d; q ) 2>&1\nf exit %d $?", i, ssh.Quote("q() {\n:\n"+q.scripts[name]+"\n}"), i, i)
	}
	p("f end")
	return b.String()
}

// sysctlPath returns the file of a key: dots separate, and a slash stands for a dot within a name (sysctl(8)).
func sysctlPath(key string) string {
	swap := strings.NewReplacer(".", "/", "/", ".")
	return "/proc/sys/" + swap.Replace(key)
}

// parseUint reads what a script printed.
func parseUint(s string, base int) uint64 {
	n, _ := strconv.ParseUint(s, base, 64) // 0 for what is no number: the script printed a number, or nothing
	return n
}
