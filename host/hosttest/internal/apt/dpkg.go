package apt

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const statusFile = "/var/lib/dpkg/status"

// dpkgTools are dpkg's programs.
func dpkgTools() map[string]kernel.Program {
	return map[string]kernel.Program{"dpkg-query": cmdDpkgQuery, "dpkg": cmdDpkg, "dpkg-deb": cmdDpkgDeb}
}

// A stanza is one package of the status file: its fields in order, and by lower-case name.
type stanza struct {
	keys   []string
	fields map[string]string
}

func (s *stanza) get(k string) string { return s.fields[strings.ToLower(k)] }

func (s *stanza) set(k, v string) {
	l := strings.ToLower(k)
	if _, ok := s.fields[l]; !ok {
		s.keys = append(s.keys, k)
	}
	s.fields[l] = v
}

func (s *stanza) clone() *stanza {
	c := &stanza{keys: slices.Clone(s.keys), fields: make(map[string]string, len(s.fields))}
	for k, v := range s.fields {
		c.fields[k] = v
	}
	return c
}

// state gives the three words of Status.
func (s *stanza) state() (want, flag, status string) {
	f := strings.Fields(s.get("Status"))
	if len(f) != 3 {
		return "unknown", "ok", "not-installed"
	}
	return f[0], f[1], f[2]
}

func (s *stanza) installed() bool {
	_, _, st := s.state()
	return st == "installed"
}

// binaryPackage is ${binary:Package}: with the architecture when several could be installed side by side.
func (s *stanza) binaryPackage() string {
	if s.get("Multi-Arch") == "same" {
		return s.get("Package") + ":" + s.get("Architecture")
	}
	return s.get("Package")
}

func parseStatus(text string) []*stanza {
	var out []*stanza
	for block := range strings.SplitSeq(text, "\n\n") {
		s := &stanza{fields: map[string]string{}}
		key := ""
		for line := range strings.SplitSeq(block, "\n") {
			if line == "" {
				continue
			}
			if line[0] == ' ' || line[0] == '\t' {
				s.fields[key] += "\n" + line
				continue
			}
			k, v, ok := strings.Cut(line, ":")
			if !ok {
				continue
			}
			key = strings.ToLower(k)
			s.set(k, strings.TrimSpace(v))
		}
		if s.get("Package") != "" {
			out = append(out, s)
		}
	}
	return out
}

func formatStatus(list []*stanza) string {
	var b strings.Builder
	for _, s := range list {
		for _, k := range s.keys {
			b.WriteString(k + ": " + s.get(k) + "\n")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// statusMemo keeps the parsed status file until the file changes.
type statusMemo struct {
	mu   sync.Mutex
	raw  []byte
	list []*stanza
}

// imageStatus is the parsed status file of the images, which most machines share.
var imageStatus struct {
	mu sync.Mutex
	m  map[*byte][]*stanza
}

// packages parses the status file. The result is shared: clone before changing.
func packages(k *kernel.Kernel) []*stanza {
	t := k.Tree
	t.Lock()
	raw := libc.RawFile(t, statusFile)
	pristine := false
	if s, err := t.Must(kernel.RootCred, "/", statusFile, true); err == nil {
		i := s.At.Inode()
		pristine = !i.Owned
	}
	var text string
	if !pristine {
		text = string(raw)
	}
	t.Unlock()
	if len(raw) == 0 {
		return nil
	}
	if pristine {
		imageStatus.mu.Lock()
		defer imageStatus.mu.Unlock()
		if l := imageStatus.m[&raw[0]]; l != nil {
			return l
		}
		l := parseStatus(string(raw))
		if imageStatus.m == nil {
			imageStatus.m = map[*byte][]*stanza{}
		}
		imageStatus.m[&raw[0]] = l
		return l
	}
	d := kernel.Local[statusMemo](k)
	d.mu.Lock()
	defer d.mu.Unlock()
	if string(d.raw) != text {
		d.raw, d.list = []byte(text), parseStatus(text)
	}
	return d.list
}

func findPackage(k *kernel.Kernel, name string) *stanza {
	name, arch, _ := strings.Cut(name, ":")
	for _, s := range packages(k) {
		if s.get("Package") == name && (arch == "" || arch == "any" || s.get("Architecture") == arch || arch == k.Config.Arch && s.get("Architecture") == "all") {
			return s
		}
	}
	return nil
}

// savePackages writes the status file as dpkg does: completely, synced, renamed.
func savePackages(p *kernel.Process, list []*stanza) error {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *stanza) int { return cmp.Compare(a.get("Package"), b.get("Package")) })
	return libc.ReplaceFile(p, statusFile, []byte(formatStatus(list)), 0o644)
}

const dpkgQueryHelp = "\nUse --help for help about querying packages.\n"

func cmdDpkgQuery(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "WlsLSf:pc", "show>W list>l status>s listfiles>L search>S showformat=>f print-avail>p control-path>c no-pager load-avail admindir= root=")
	if !ok {
		return 2
	}
	if libc.Unsupported(p, o, "admindir", "root", "load-avail") {
		return 2
	}
	switch {
	case o.Has("W"):
		format := "${binary:Package}\t${Version}\n"
		if o.Has("f") {
			format = strings.TrimPrefix(o.Get("f"), "=") // dpkg takes -f=FORMAT as --showformat=FORMAT
		}
		return dpkgShow(p, format, o.Args)
	case o.Has("l"):
		return dpkgList(p, o.Args)
	case o.Has("s"):
		return dpkgStatus(p, o.Args)
	case o.Has("L"):
		return dpkgFiles(p, o.Args)
	case o.Has("S"):
		return dpkgSearch(p, o.Args)
	}
	p.Errorf("error: need an action option")
	p.Warnf("%s", dpkgQueryHelp)
	return 2
}

// selectPackages finds what the patterns name, in dpkg's order, and says which found nothing.
func selectPackages(p *kernel.Process, args []string) ([]*stanza, int) {
	all := packages(p.Kernel)
	if len(args) == 0 {
		var out []*stanza
		for _, s := range all {
			if _, _, st := s.state(); st != "not-installed" {
				out = append(out, s)
			}
		}
		return out, 0
	}
	code := 0
	found := make([]bool, len(args))
	var out []*stanza
	for _, s := range all {
		hit := false
		for i, a := range args {
			name, arch, _ := strings.Cut(a, ":")
			if arch != "" && arch != "any" && arch != s.get("Architecture") && !libc.IsGlob(arch) {
				continue
			}
			if name == s.get("Package") || libc.IsGlob(name) && libc.Fnmatch(name, s.get("Package")) {
				hit, found[i] = true, true
			}
		}
		if hit {
			out = append(out, s)
		}
	}
	for i, a := range args {
		if !found[i] {
			p.Errorf("no packages found matching %s", a)
			code = 1
		}
	}
	return out, code
}

var statusAbbrev = map[string]string{"unknown": "u", "install": "i", "hold": "h", "deinstall": "r", "purge": "p"}

var stateAbbrev = map[string]string{"not-installed": "n", "config-files": "c", "half-installed": "H", "unpacked": "U", "half-configured": "F", "triggers-awaiting": "W", "triggers-pending": "t", "installed": "i"}

func dpkgShow(p *kernel.Process, format string, args []string) int {
	list, code := selectPackages(p, args)
	var b strings.Builder
	for _, s := range list {
		if err := expandFormat(&b, format, s); err != "" {
			p.Errorf("error: error in show format: %s", err)
			return 2
		}
	}
	p.Print(b.String())
	return code
}

// expandFormat writes one package in the format of dpkg-query --showformat.
func expandFormat(b *strings.Builder, format string, s *stanza) string {
	for i := 0; i < len(format); i++ {
		switch {
		case format[i] == '\\' && i+1 < len(format):
			i++
			switch format[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			default:
				b.WriteByte(format[i])
			}
		case strings.HasPrefix(format[i:], "${"):
			end := strings.IndexByte(format[i:], '}')
			if end < 0 {
				return "missing closing brace"
			}
			field, width, padded := strings.Cut(format[i+2:i+end], ";")
			v := dpkgField(s, field)
			if padded {
				if n, err := strconv.Atoi(width); err == nil {
					if n < 0 {
						v = fmt.Sprintf("%-*s", -n, v)
					} else {
						v = fmt.Sprintf("%*s", n, v)
					}
				}
			}
			b.WriteString(v)
			i += end
		default:
			b.WriteByte(format[i])
		}
	}
	return ""
}

func dpkgField(s *stanza, field string) string {
	want, flag, st := s.state()
	switch field {
	case "binary:Package":
		return s.binaryPackage()
	case "db:Status-Abbrev":
		e := " "
		if flag == "reinstreq" {
			e = "R"
		}
		return statusAbbrev[want] + stateAbbrev[st] + e
	case "db:Status-Want":
		return want
	case "db:Status-Status":
		return st
	case "db:Status-Eflag":
		return flag
	case "binary:Summary":
		first, _, _ := strings.Cut(s.get("Description"), "\n")
		return first
	case "source:Package":
		src, _, _ := strings.Cut(cmp.Or(s.get("Source"), s.get("Package")), " ")
		return src
	case "source:Version":
		return s.get("Version")
	}
	return s.get(field)
}

func dpkgList(p *kernel.Process, args []string) int {
	list, code := selectPackages(p, args)
	if len(list) == 0 {
		return code
	}
	name, ver, arch := 14, 12, 12
	for _, s := range list {
		name, ver, arch = max(name, len(s.binaryPackage())), max(ver, len(s.get("Version"))), max(arch, len(s.get("Architecture")))
	}
	p.Print("Desired=Unknown/Install/Remove/Purge/Hold\n| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend\n|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)\n")
	p.Printf("||/ %-*s %-*s %-*s Description\n", name, "Name", ver, "Version", arch, "Architecture")
	p.Printf("+++-%s-%s-%s-=================================\n", strings.Repeat("=", name), strings.Repeat("=", ver), strings.Repeat("=", arch))
	for _, s := range list {
		v, a := s.get("Version"), s.get("Architecture")
		p.Printf("%s %-*s %-*s %-*s %s\n", dpkgField(s, "db:Status-Abbrev"), name, s.binaryPackage(), ver, cmp.Or(v, "<none>"), arch, cmp.Or(a, "<none>"), cmp.Or(dpkgField(s, "binary:Summary"), "(no description available)"))
	}
	return code
}

func dpkgStatus(p *kernel.Process, args []string) int {
	code := 0
	for i, a := range args {
		s := findPackage(p.Kernel, a)
		if s == nil {
			p.Flush()
			p.Errorf("package '%s' is not installed and no information is available", a)
			code = 1
			continue
		}
		if i > 0 {
			p.Print("\n")
		}
		for _, k := range s.keys {
			p.Print(k, ": ", s.get(k), "\n")
		}
	}
	if code != 0 {
		p.Flush()
		p.Warnf("Use dpkg --info (= dpkg-deb --info) to examine archive files.\n")
	}
	return code
}

func listFile(k *kernel.Kernel, s *stanza) string {
	if s.get("Multi-Arch") == "same" {
		return "/var/lib/dpkg/info/" + s.get("Package") + ":" + s.get("Architecture") + ".list"
	}
	return "/var/lib/dpkg/info/" + s.get("Package") + ".list"
}

func dpkgFiles(p *kernel.Process, args []string) int {
	code := 0
	for _, a := range args {
		s := findPackage(p.Kernel, a)
		if s == nil || !s.installed() {
			p.Flush()
			p.Errorf("package '%s' is not installed", a)
			p.Warnf("Use dpkg --contents (= dpkg-deb --contents) to list archive files contents.\n")
			code = 1
			continue
		}
		b, err := p.ReadFile(listFile(p.Kernel, s))
		if err == nil {
			p.Print(string(b))
		}
	}
	return code
}

func dpkgSearch(p *kernel.Process, args []string) int {
	code := 0
	for _, a := range args {
		found := false
		for _, s := range packages(p.Kernel) {
			b, err := p.ReadFile(listFile(p.Kernel, s))
			if err != nil {
				continue
			}
			for line := range strings.SplitSeq(string(b), "\n") {
				if line == "" {
					continue
				}
				hit := false
				switch {
				case strings.HasPrefix(a, "/"):
					hit = line == a || libc.IsGlob(a) && libc.Fnmatch(a, line)
				case libc.IsGlob(a):
					hit = libc.Fnmatch(a, line)
				default:
					hit = strings.Contains(line, a)
				}
				if hit {
					p.Print(s.binaryPackage(), ": ", line, "\n")
					found = true
				}
			}
		}
		if !found {
			p.Flush()
			pat := a
			if !strings.HasPrefix(a, "/") && !libc.IsGlob(a) {
				pat = "*" + a + "*"
			}
			p.Errorf("no path found matching pattern %s", pat)
			code = 1
		}
	}
	return code
}

func cmdDpkg(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ailsLSPrBGERO", "install>i list>l status>s listfiles>L search>S purge>P remove>r print-architecture print-foreign-architectures add-architecture= configure pending>a audit get-selections set-selections compare-versions validate-version verify[= force-confold force-confdef force-confnew force-confmiss auto-deconfigure force-depends force-all force-overwrite refuse-downgrade force-downgrade unpack recursive no-triggers admindir= root= version")
	if !ok {
		p.Warnf("\nType dpkg --help for help about installing and deinstalling packages [*];\nUse 'apt' or 'aptitude' for user-friendly package management;\n")
		return 2
	}
	if libc.Unsupported(p, o, "G", "E", "R", "O", "refuse-downgrade", "recursive", "admindir", "root", "verify", "validate-version") {
		return 2
	}
	switch {
	case o.Has("print-architecture"):
		p.Print(p.Kernel.Config.Arch, "\n")
		return 0
	case o.Has("print-foreign-architectures"), o.Has("add-architecture"):
		return 0
	case o.Has("version"):
		p.Printf("Debian 'dpkg' package management program version 1.21.22 (%s).\n", p.Kernel.Config.Arch)
		return 0
	case o.Has("compare-versions"):
		if len(o.Args) != 3 {
			p.Errorf("error: --compare-versions takes three arguments: <version> <relation> <version>")
			return 2
		}
		c := compareVersions(o.Args[0], o.Args[2])
		ok := map[string]bool{"lt": c < 0, "<<": c < 0, "le": c <= 0, "<=": c <= 0, "<": c <= 0, "eq": c == 0, "=": c == 0, "ne": c != 0, "ge": c >= 0, ">=": c >= 0, ">": c >= 0, "gt": c > 0, ">>": c > 0}
		v, known := ok[o.Args[1]]
		if !known {
			p.Errorf("error: --compare-versions bad relation")
			return 2
		}
		return libc.BoolToInt(!v)
	case o.Has("l"), o.Has("s"), o.Has("L"), o.Has("S"):
		p.SetArgs(append([]string{"dpkg-query"}, p.Args[1:]...))
		switch {
		case o.Has("l"):
			return dpkgList(p, o.Args)
		case o.Has("s"):
			return dpkgStatus(p, o.Args)
		case o.Has("L"):
			return dpkgFiles(p, o.Args)
		}
		return dpkgSearch(p, o.Args)
	case o.Has("get-selections"):
		list, _ := selectPackages(p, o.Args)
		for _, s := range list {
			w, _, _ := s.state()
			p.Printf("%-40s\t%s\n", s.binaryPackage(), w)
		}
		return 0
	case o.Has("audit"), o.Has("verify"):
		return 0
	}
	if p.UID != 0 {
		p.Errorf("error: requested operation requires superuser privilege")
		return 2
	}
	release, busy := lockDpkg(p)
	if busy != "" {
		p.Errorf("error: %s", busy)
		return 2
	}
	defer release()
	switch {
	case o.Has("configure"):
		names := o.Args
		if o.Has("a") || len(names) == 0 {
			names = pendingPackages(p)
		}
		return journaled(p, func() int { return configureAll(p, names) })
	case o.Has("i"), o.Has("unpack"):
		code := 0
		for _, f := range o.Args {
			b, err := p.ReadFile(f)
			if err != nil {
				p.Errorf("error: cannot access archive '%s': %s", f, kernel.Strerror(err))
				code = 2
				continue
			}
			pk, ok := packageOf(p.Kernel, b)
			if !ok {
				p.Errorf("error processing archive %s (--install):\n '%s' is not a Debian format archive", f, f)
				code = 1
				continue
			}
			if missing := unmet(p.Kernel, pk); len(missing) > 0 {
				p.Warnf("dpkg: dependency problems prevent configuration of %s:\n", pk.Name)
				for _, d := range missing {
					p.Warnf(" %s depends on %s; however:\n  archived %s is not installed.\n", pk.Name, d, d)
				}
				p.Warnf("\ndpkg: error processing package %s (--install):\n dependency problems - leaving unconfigured\n", pk.Name)
				code = 1
				continue
			}
			if journaled(p, func() int { err = unpack(p, pk, o.Has("unpack")); return 0 }) != 0 || err != nil {
				p.Errorf("error processing archive %s (--install):\n %s", f, kernel.Strerror(err))
				code = 1
			}
		}
		return code
	case o.Has("r"), o.Has("P"):
		code := 0
		for _, a := range o.Args {
			s := findPackage(p.Kernel, a)
			if s == nil || !s.installed() && !(o.Has("P") && strings.HasSuffix(s.get("Status"), "config-files")) {
				p.Warnf("dpkg: warning: ignoring request to remove %s which isn't installed\n", a)
				continue
			}
			if err := removePackage(p, s, o.Has("P")); err != nil {
				p.Errorf("error processing package %s: %s", a, kernel.Strerror(err))
				code = 1
			}
		}
		return code
	}
	p.Errorf("error: need an action option")
	p.Warnf("\nType dpkg --help for help about installing and deinstalling packages [*];\nUse 'apt' or 'aptitude' for user-friendly package management;\n")
	return 2
}

func cmdDpkgDeb(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "fIxcW", "field>f info>I show>W")
	if !ok || len(o.Args) == 0 {
		return 2
	}
	b, err := p.ReadFile(o.Args[0])
	if err != nil {
		p.Errorf("error: failed to read archive '%s': %s", o.Args[0], kernel.Strerror(err))
		return 2
	}
	pk, ok := packageOf(p.Kernel, b)
	if !ok {
		p.Errorf("error: '%s' is not a Debian format archive", o.Args[0])
		return 2
	}
	s := pk.stanza(p.Kernel.Config.Arch, "install ok installed")
	if len(o.Args) == 2 {
		p.Print(s.get(o.Args[1]), "\n")
		return 0
	}
	for _, k := range s.keys {
		if len(o.Args) == 1 || slices.Contains(o.Args[1:], k) {
			p.Print(k, ": ", s.get(k), "\n")
		}
	}
	return 0
}

// compareVersions orders Debian versions (deb-version(7)).
func compareVersions(a, b string) int {
	ea, ua, ra := splitVersion(a)
	eb, ub, rb := splitVersion(b)
	if ea != eb {
		return cmp.Compare(ea, eb)
	}
	if c := libc.CompareVersions(ua, ub); c != 0 {
		return c
	}
	return libc.CompareVersions(ra, rb)
}

func splitVersion(s string) (epoch int, upstream, revision string) {
	if e, rest, ok := strings.Cut(s, ":"); ok {
		epoch, _ = strconv.Atoi(e)
		s = rest
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:]
	}
	return epoch, s, ""
}
