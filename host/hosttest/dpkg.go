package hosttest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const statusFile = "/var/lib/dpkg/status"

// dpkgTools are dpkg's programs.
func dpkgTools() map[string]program {
	return map[string]program{"dpkg-query": cmdDpkgQuery, "dpkg": cmdDpkg, "dpkg-deb": cmdDpkgDeb}
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
func (m *Kernel) packages() []*stanza {
	t := m.tree
	t.mu.Lock()
	raw := t.rawFile(statusFile)
	pristine := false
	if s, err := t.must(rootCred, "/", statusFile, true); err == nil {
		i := s.at.inode()
		pristine = !i.owned
	}
	var text string
	if !pristine {
		text = string(raw)
	}
	t.mu.Unlock()
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
	d := local[statusMemo](m)
	d.mu.Lock()
	defer d.mu.Unlock()
	if string(d.raw) != text {
		d.raw, d.list = []byte(text), parseStatus(text)
	}
	return d.list
}

func (m *Kernel) findPackage(name string) *stanza {
	name, arch, _ := strings.Cut(name, ":")
	for _, s := range m.packages() {
		if s.get("Package") == name && (arch == "" || arch == "any" || s.get("Architecture") == arch || arch == m.cfg.Arch && s.get("Architecture") == "all") {
			return s
		}
	}
	return nil
}

// savePackages writes the status file as dpkg does: completely, synced, renamed.
func (p *proc) savePackages(list []*stanza) error {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *stanza) int { return cmp.Compare(a.get("Package"), b.get("Package")) })
	return p.replaceFile(statusFile, []byte(formatStatus(list)), 0o644)
}

const dpkgQueryHelp = "\nUse --help for help about querying packages.\n"

func cmdDpkgQuery(p *proc) int {
	o, ok := p.getopt("WlsLSf:pc", "show>W list>l status>s listfiles>L search>S showformat=>f print-avail>p control-path>c no-pager load-avail admindir= root=")
	if !ok {
		return 2
	}
	if p.unsupported(o, "admindir", "root", "load-avail") {
		return 2
	}
	switch {
	case o.has("W"):
		format := "${binary:Package}\t${Version}\n"
		if o.has("f") {
			format = strings.TrimPrefix(o.get("f"), "=") // dpkg takes -f=FORMAT as --showformat=FORMAT
		}
		return p.dpkgShow(format, o.args)
	case o.has("l"):
		return p.dpkgList(o.args)
	case o.has("s"):
		return p.dpkgStatus(o.args)
	case o.has("L"):
		return p.dpkgFiles(o.args)
	case o.has("S"):
		return p.dpkgSearch(o.args)
	}
	p.errorf("error: need an action option")
	p.warn("%s", dpkgQueryHelp)
	return 2
}

func isGlob(s string) bool { return strings.ContainsAny(s, "*?[\\") }

// selectPackages finds what the patterns name, in dpkg's order, and says which found nothing.
func (p *proc) selectPackages(args []string) ([]*stanza, int) {
	all := p.k.packages()
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
			if arch != "" && arch != "any" && arch != s.get("Architecture") && !isGlob(arch) {
				continue
			}
			if name == s.get("Package") || isGlob(name) && match(name, s.get("Package")) {
				hit, found[i] = true, true
			}
		}
		if hit {
			out = append(out, s)
		}
	}
	for i, a := range args {
		if !found[i] {
			p.errorf("no packages found matching %s", a)
			code = 1
		}
	}
	return out, code
}

var statusAbbrev = map[string]string{"unknown": "u", "install": "i", "hold": "h", "deinstall": "r", "purge": "p"}

var stateAbbrev = map[string]string{"not-installed": "n", "config-files": "c", "half-installed": "H", "unpacked": "U", "half-configured": "F", "triggers-awaiting": "W", "triggers-pending": "t", "installed": "i"}

func (p *proc) dpkgShow(format string, args []string) int {
	list, code := p.selectPackages(args)
	var b strings.Builder
	for _, s := range list {
		if err := expandFormat(&b, format, s); err != "" {
			p.errorf("error: error in show format: %s", err)
			return 2
		}
	}
	p.print(b.String())
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

func (p *proc) dpkgList(args []string) int {
	list, code := p.selectPackages(args)
	if len(list) == 0 {
		return code
	}
	name, ver, arch := 14, 12, 12
	for _, s := range list {
		name, ver, arch = max(name, len(s.binaryPackage())), max(ver, len(s.get("Version"))), max(arch, len(s.get("Architecture")))
	}
	p.print("Desired=Unknown/Install/Remove/Purge/Hold\n| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend\n|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)\n")
	p.printf("||/ %-*s %-*s %-*s Description\n", name, "Name", ver, "Version", arch, "Architecture")
	p.printf("+++-%s-%s-%s-=================================\n", strings.Repeat("=", name), strings.Repeat("=", ver), strings.Repeat("=", arch))
	for _, s := range list {
		v, a := s.get("Version"), s.get("Architecture")
		p.printf("%s %-*s %-*s %-*s %s\n", dpkgField(s, "db:Status-Abbrev"), name, s.binaryPackage(), ver, cmp.Or(v, "<none>"), arch, cmp.Or(a, "<none>"), cmp.Or(dpkgField(s, "binary:Summary"), "(no description available)"))
	}
	return code
}

func (p *proc) dpkgStatus(args []string) int {
	code := 0
	for i, a := range args {
		s := p.k.findPackage(a)
		if s == nil {
			p.flush()
			p.errorf("package '%s' is not installed and no information is available", a)
			code = 1
			continue
		}
		if i > 0 {
			p.print("\n")
		}
		for _, k := range s.keys {
			p.print(k, ": ", s.get(k), "\n")
		}
	}
	if code != 0 {
		p.flush()
		p.warn("Use dpkg --info (= dpkg-deb --info) to examine archive files.\n")
	}
	return code
}

func (m *Kernel) listFile(s *stanza) string {
	if s.get("Multi-Arch") == "same" {
		return "/var/lib/dpkg/info/" + s.get("Package") + ":" + s.get("Architecture") + ".list"
	}
	return "/var/lib/dpkg/info/" + s.get("Package") + ".list"
}

func (p *proc) dpkgFiles(args []string) int {
	code := 0
	for _, a := range args {
		s := p.k.findPackage(a)
		if s == nil || !s.installed() {
			p.flush()
			p.errorf("package '%s' is not installed", a)
			p.warn("Use dpkg --contents (= dpkg-deb --contents) to list archive files contents.\n")
			code = 1
			continue
		}
		b, err := p.readFile(p.k.listFile(s))
		if err == nil {
			p.print(string(b))
		}
	}
	return code
}

func (p *proc) dpkgSearch(args []string) int {
	code := 0
	for _, a := range args {
		found := false
		for _, s := range p.k.packages() {
			b, err := p.readFile(p.k.listFile(s))
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
					hit = line == a || isGlob(a) && match(a, line)
				case isGlob(a):
					hit = match(a, line)
				default:
					hit = strings.Contains(line, a)
				}
				if hit {
					p.print(s.binaryPackage(), ": ", line, "\n")
					found = true
				}
			}
		}
		if !found {
			p.flush()
			pat := a
			if !strings.HasPrefix(a, "/") && !isGlob(a) {
				pat = "*" + a + "*"
			}
			p.errorf("no path found matching pattern %s", pat)
			code = 1
		}
	}
	return code
}

func cmdDpkg(p *proc) int {
	o, ok := p.getopt("ailsLSPrBGERO", "install>i list>l status>s listfiles>L search>S purge>P remove>r print-architecture print-foreign-architectures add-architecture= configure pending>a audit get-selections set-selections compare-versions validate-version verify[= force-confold force-confdef force-confnew force-confmiss auto-deconfigure force-depends force-all force-overwrite refuse-downgrade force-downgrade unpack recursive no-triggers admindir= root= version")
	if !ok {
		p.warn("\nType dpkg --help for help about installing and deinstalling packages [*];\nUse 'apt' or 'aptitude' for user-friendly package management;\n")
		return 2
	}
	if p.unsupported(o, "G", "E", "R", "O", "refuse-downgrade", "recursive", "admindir", "root", "verify", "validate-version") {
		return 2
	}
	switch {
	case o.has("print-architecture"):
		p.print(p.k.cfg.Arch, "\n")
		return 0
	case o.has("print-foreign-architectures"), o.has("add-architecture"):
		return 0
	case o.has("version"):
		p.printf("Debian 'dpkg' package management program version 1.21.22 (%s).\n", p.k.cfg.Arch)
		return 0
	case o.has("compare-versions"):
		if len(o.args) != 3 {
			p.errorf("error: --compare-versions takes three arguments: <version> <relation> <version>")
			return 2
		}
		c := compareVersions(o.args[0], o.args[2])
		ok := map[string]bool{"lt": c < 0, "<<": c < 0, "le": c <= 0, "<=": c <= 0, "<": c <= 0, "eq": c == 0, "=": c == 0, "ne": c != 0, "ge": c >= 0, ">=": c >= 0, ">": c >= 0, "gt": c > 0, ">>": c > 0}
		v, known := ok[o.args[1]]
		if !known {
			p.errorf("error: --compare-versions bad relation")
			return 2
		}
		return btoi(!v)
	case o.has("l"), o.has("s"), o.has("L"), o.has("S"):
		p.setArgs(append([]string{"dpkg-query"}, p.Args[1:]...))
		switch {
		case o.has("l"):
			return p.dpkgList(o.args)
		case o.has("s"):
			return p.dpkgStatus(o.args)
		case o.has("L"):
			return p.dpkgFiles(o.args)
		}
		return p.dpkgSearch(o.args)
	case o.has("get-selections"):
		list, _ := p.selectPackages(o.args)
		for _, s := range list {
			w, _, _ := s.state()
			p.printf("%-40s\t%s\n", s.binaryPackage(), w)
		}
		return 0
	case o.has("audit"), o.has("verify"):
		return 0
	}
	if p.uid != 0 {
		p.errorf("error: requested operation requires superuser privilege")
		return 2
	}
	release, busy := p.lockDpkg()
	if busy != "" {
		p.errorf("error: %s", busy)
		return 2
	}
	defer release()
	switch {
	case o.has("configure"):
		names := o.args
		if o.has("a") || len(names) == 0 {
			names = p.pendingPackages()
		}
		return p.journaled(func() int { return p.configureAll(names) })
	case o.has("i"), o.has("unpack"):
		code := 0
		for _, f := range o.args {
			b, err := p.readFile(f)
			if err != nil {
				p.errorf("error: cannot access archive '%s': %s", f, strerror(err))
				code = 2
				continue
			}
			pk, ok := p.k.packageOf(b)
			if !ok {
				p.errorf("error processing archive %s (--install):\n '%s' is not a Debian format archive", f, f)
				code = 1
				continue
			}
			if missing := p.k.unmet(pk); len(missing) > 0 {
				p.warn("dpkg: dependency problems prevent configuration of %s:\n", pk.Name)
				for _, d := range missing {
					p.warn(" %s depends on %s; however:\n  archived %s is not installed.\n", pk.Name, d, d)
				}
				p.warn("\ndpkg: error processing package %s (--install):\n dependency problems - leaving unconfigured\n", pk.Name)
				code = 1
				continue
			}
			if p.journaled(func() int { err = p.unpack(pk, o.has("unpack")); return 0 }) != 0 || err != nil {
				p.errorf("error processing archive %s (--install):\n %s", f, strerror(err))
				code = 1
			}
		}
		return code
	case o.has("r"), o.has("P"):
		code := 0
		for _, a := range o.args {
			s := p.k.findPackage(a)
			if s == nil || !s.installed() && !(o.has("P") && strings.HasSuffix(s.get("Status"), "config-files")) {
				p.warn("dpkg: warning: ignoring request to remove %s which isn't installed\n", a)
				continue
			}
			if err := p.removePackage(s, o.has("P")); err != nil {
				p.errorf("error processing package %s: %s", a, strerror(err))
				code = 1
			}
		}
		return code
	}
	p.errorf("error: need an action option")
	p.warn("\nType dpkg --help for help about installing and deinstalling packages [*];\nUse 'apt' or 'aptitude' for user-friendly package management;\n")
	return 2
}

func cmdDpkgDeb(p *proc) int {
	o, ok := p.getopt("fIxcW", "field>f info>I show>W")
	if !ok || len(o.args) == 0 {
		return 2
	}
	b, err := p.readFile(o.args[0])
	if err != nil {
		p.errorf("error: failed to read archive '%s': %s", o.args[0], strerror(err))
		return 2
	}
	pk, ok := p.k.packageOf(b)
	if !ok {
		p.errorf("error: '%s' is not a Debian format archive", o.args[0])
		return 2
	}
	s := pk.stanza(p.k.cfg.Arch, "install ok installed")
	if len(o.args) == 2 {
		p.print(s.get(o.args[1]), "\n")
		return 0
	}
	for _, k := range s.keys {
		if len(o.args) == 1 || slices.Contains(o.args[1:], k) {
			p.print(k, ": ", s.get(k), "\n")
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
	if c := compareUpstream(ua, ub); c != 0 {
		return c
	}
	return compareUpstream(ra, rb)
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

func compareUpstream(a, b string) int {
	order := func(s string, i int) int {
		if i >= len(s) || s[i] >= '0' && s[i] <= '9' {
			return 0
		}
		c := s[i]
		switch {
		case c == '~':
			return -1
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			return int(c)
		}
		return int(c) + 256
	}
	digit := func(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		for i < len(a) && !digit(a, i) || j < len(b) && !digit(b, j) {
			x, y := order(a, i), order(b, j)
			if x != y {
				return cmp.Compare(x, y)
			}
			i++
			j++
		}
		for i < len(a) && a[i] == '0' {
			i++
		}
		for j < len(b) && b[j] == '0' {
			j++
		}
		diff := 0
		for digit(a, i) && digit(b, j) {
			if diff == 0 {
				diff = cmp.Compare(a[i], b[j])
			}
			i++
			j++
		}
		if digit(a, i) {
			return 1
		}
		if digit(b, j) {
			return -1
		}
		if diff != 0 {
			return diff
		}
	}
	return 0
}
