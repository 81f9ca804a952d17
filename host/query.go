package host

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Query collects the questions about a machine whose answers its resources need. All questions of
// one kind are answered by one process and duplicates are asked once, so the cost of an observation
// hardly grows with its size.
type Query struct {
	paths    ordered           // lstat
	sums     ordered           // sha256 of regular files
	wanted   map[string]bool   // hashes in hex of content that need not be sent
	contents ordered           // whole content, up to maxContent
	links    ordered           // targets of symbolic links
	packages ordered           // dpkg
	units    ordered           // systemd
	users    ordered           // passwd and shadow
	groups   ordered           // group
	sysctls  ordered           // files of /proc/sys
	modules  ordered           // /sys/module
	points   ordered           // mount points
	probes   ordered           // free-form questions
	scripts  map[string]string // of probes
	journal  string            // the list of temporary files, see [leftovers]; empty means that it is not asked for
	uploads  string            // the name of the directory of links to partial files of uploads
	mounts   bool
	clock    bool
}

const (
	maxContent = 1 << 20  // bytes read of a file that is edited or templated
	maxShown   = 64 << 10 // bytes read of a file to show a diff
)

// ordered is a set of strings that keeps the order of insertion.
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

// Path asks for the type, mode, owner and times of what is at the path, without following links.
// See [Observation.Stat].
func (q *Query) Path(path string) { q.paths.add(path) }

// Sum asks for the SHA-256 of a regular file and, unless that is want, for its content up to
// 64 KiB. See [Observation.Sum] and [Observation.Shown].
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

// Link asks for the target of the symbolic link at the path. See [Observation.Link].
func (q *Query) Link(path string) {
	q.paths.add(path)
	q.links.add(path)
}

// Package asks for the state of a Debian package, whose name may end in ":ARCHITECTURE". See
// [Observation.Package].
func (q *Query) Package(name string) { q.packages.add(name) }

// Unit asks for the state of a systemd unit. See [Observation.Unit].
func (q *Query) Unit(name string) {
	q.units.add(name)
	q.clock = true
}

// User asks for an account, by its name or its number. See [Observation.User].
func (q *Query) User(name string) { q.users.add(name) }

// Group asks for a group, by its name or its number. See [Observation.Group].
func (q *Query) Group(name string) { q.groups.add(name) }

// Sysctl asks for the current value of a kernel parameter. See [Observation.Sysctl].
func (q *Query) Sysctl(key string) { q.sysctls.add(sysctlPath(key)) }

// Module asks whether a kernel module is loaded or built in. See [Observation.Module].
func (q *Query) Module(name string) { q.modules.add(name) }

// Mounts asks for the mount table and the active swap areas. See [Observation.Mounts] and
// [Observation.Swaps].
func (q *Query) Mounts() { q.mounts = true }

// MountPoint asks for what is mounted at the path. See [Observation.MountAt].
func (q *Query) MountPoint(path string) {
	q.points.add(path)
	q.mounts = true
}

// Clock asks for the machine's current time. See [Observation.Now].
func (q *Query) Clock() { q.clock = true }

// Probe asks a free-form question: a POSIX sh script that must not write to the machine or read its
// standard input. It runs as root in a shell of its own. The name identifies the probe; use the
// resource's ID. See [Observation.Probe].
func (q *Query) Probe(name, script string) {
	if q.scripts == nil {
		q.scripts = map[string]string{}
	}
	if _, ok := q.scripts[name]; !ok {
		q.scripts[name] = script
		q.probes.add(name)
	}
}

// script returns the script that answers all questions, in frames marked with the nonce. It writes
// nothing to the machine.
func (q *Query) script(nonce string) string {
	var b strings.Builder
	b.WriteString(shell("observe", "nonce", nonce, "want", strings.Join(slices.Sorted(maps.Keys(q.wanted)), " "),
		"shown", fmt.Sprint(maxShown+1), "content", fmt.Sprint(maxContent+1)))
	b.WriteString("ask_facts\n")
	if q.clock {
		b.WriteString("ask_clock\n")
	}
	for _, ask := range []struct {
		function string
		about    ordered
	}{
		{"ask_paths", q.paths}, {"ask_sums", q.sums}, {"ask_contents", q.contents}, {"ask_links", q.links},
		{"ask_packages", q.packages}, {"ask_units", q.units}, {"ask_users", q.users}, {"ask_groups", q.groups},
		{"ask_sysctls", q.sysctls}, {"ask_modules", q.modules},
	} {
		if len(ask.about.list) > 0 {
			b.WriteString(ask.function + words(ask.about.list) + "\n")
		}
	}
	if q.mounts {
		b.WriteString("ask_mounts" + words(q.points.list) + "\n")
	}
	if q.journal != "" {
		b.WriteString(shell("uploads") + "ask_leftovers" + words([]string{q.journal, q.uploads}) + "\n")
	}
	for i, name := range q.probes.list {
		b.WriteString("ask_probe" + words([]string{fmt.Sprint(i), q.scripts[name]}) + "\n")
	}
	b.WriteString("frame end\n")
	return b.String()
}

// sysctlPath returns the file of a key. The first separator decides: if it is a dot, dots separate names
// and a slash stands for a dot within a name; if it is a slash, the key is the path already (sysctl.d(5),
// sysctl(8)).
func sysctlPath(key string) string { return "/proc/sys/" + sysctlName(key) }

func sysctlName(key string) string {
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '/' {
		return key
	}
	return strings.NewReplacer(".", "/", "/", ".").Replace(key)
}
