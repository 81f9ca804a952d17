package apt

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

const listsDir = "/var/lib/apt/lists/"

// An aptSource is one suite of one URI that apt fetches lists from.
type aptSource struct {
	uri, suite string
	components []string
	archs      []string
	signedBy   string
	trusted    bool
}

// label names the source in messages.
func (s aptSource) label() string { return s.uri + " " + s.suite }

// An index is a list of packages of a source.
type index struct {
	source    aptSource
	component string
}

func (s aptSource) indexes() []index {
	if len(s.components) == 0 {
		return []index{{s, ""}}
	}
	var out []index
	for _, c := range s.components {
		out = append(out, index{s, c})
	}
	return out
}

// file is where the list is kept.
func (i index) file(arch string) string {
	_, rest, ok := strings.Cut(i.source.uri, "://")
	if !ok {
		_, rest, _ = strings.Cut(i.source.uri, ":")
	}
	rest = strings.TrimSuffix(rest, "/")
	if i.component == "" {
		rest += "/" + strings.TrimSuffix(strings.TrimPrefix(i.source.suite, "./"), "/") + "_Packages"
	} else {
		rest += "/dists/" + i.source.suite + "/" + i.component + "/binary-" + arch + "/Packages"
	}
	return listsDir + strings.ReplaceAll(rest, "/", "_")
}

// url is where the list is fetched from.
func (i index) url(arch string) string {
	uri := strings.TrimSuffix(i.source.uri, "/")
	if i.component == "" {
		return uri + "/" + i.source.suite + "Packages"
	}
	return uri + "/dists/" + i.source.suite + "/" + i.component + "/binary-" + arch + "/Packages"
}

// place names the list as apt-cache does.
func (i index) place(arch string) string {
	if i.component == "" {
		return i.source.uri + " " + i.source.suite
	}
	return i.source.uri + " " + i.source.suite + "/" + i.component + " " + arch
}

// debianHosts are the archives that sign with keys which Raspberry Pi OS has.
var debianHosts = []string{"debian.test/debian", "debian.org/debian", "archive.raspberrypi.test/debian",
	"archive.raspberrypi.com/debian", "archive.raspberrypi.org/debian"}

func (s aptSource) isDebian() bool {
	return slices.ContainsFunc(debianHosts, func(h string) bool { return strings.Contains(s.uri, h) })
}

// provides tells whether a list names a package.
func (i index) provides(pk Package) bool {
	first := i.component == "" || i.component == i.source.components[0]
	if pk.Source != "" {
		return first && strings.Contains(i.source.uri, pk.Source)
	}
	uri := strings.TrimSuffix(i.source.uri, "/")
	return (strings.HasSuffix(uri, "debian.test/debian") || strings.HasSuffix(uri, "debian.org/debian")) &&
		i.component == "main" && slices.Contains([]string{"bookworm", "oldstable", "stable"}, i.source.suite)
}

// known tells whether the source's host answers.
func (s aptSource) known(all []Package) bool {
	return s.isDebian() || slices.ContainsFunc(all, func(pk Package) bool {
		return pk.Source != "" && strings.Contains(s.uri, pk.Source)
	})
}

// sources reads the lists of sources. The text is what apt says of the first entry that it cannot read.
func aptSources(p *kernel.Process, conf aptConf) (out []aptSource, problem string) {
	files := []string{}
	main := cmp.Or(conf.get("Dir::Etc::SourceList"), "/etc/apt/sources.list")
	if _, err := p.Stat(main); err == nil && main != "/dev/null" {
		files = append(files, main)
	}
	dir := cmp.Or(conf.get("Dir::Etc::SourceParts"), "/etc/apt/sources.list.d")
	names, _ := p.ReadDir(dir)
	slices.Sort(names)
	for _, n := range names {
		if e := path.Ext(n); e == ".list" || e == ".sources" {
			files = append(files, dir+"/"+n)
		}
	}
	for _, f := range files {
		b, err := p.ReadFile(f)
		if err != nil {
			return nil, "Opening " + f + " - ifstream::ifstream (" + errnoText(err) + ")"
		}
		var list []aptSource
		if path.Ext(f) == ".sources" {
			list, problem = parseSources(string(b), f)
		} else {
			list, problem = parseSourcesList(string(b), f)
		}
		if problem != "" {
			return nil, problem
		}
		out = append(out, list...)
	}
	if problem := contradiction(out); problem != "" {
		return nil, problem
	}
	return slices.DeleteFunc(out, func(s aptSource) bool {
		return len(s.archs) > 0 && !slices.Contains(s.archs, p.Kernel.Config.Arch)
	}), ""
}

// contradiction is what apt says of two entries for one source that say different things of its keys.
func contradiction(sources []aptSource) string {
	type said struct {
		signedBy string
		trusted  bool
	}
	seen := map[string]said{}
	for _, s := range sources {
		uri := strings.TrimSuffix(s.uri, "/") + "/"
		now := said{s.signedBy, s.trusted}
		was, ok := seen[uri+" "+s.suite]
		seen[uri+" "+s.suite] = now
		switch {
		case !ok || was == now:
		case was.trusted != now.trusted:
			return "Conflicting values set for option Trusted regarding source " + uri + " " + s.suite
		default:
			return "Conflicting values set for option Signed-By regarding source " + uri + " " + s.suite + ": " +
				was.signedBy + " != " + now.signedBy
		}
	}
	return ""
}

// errnoText is an error as apt prints it: the number and the text.
func errnoText(err error) string {
	if no, ok := err.(syscall.Errno); ok {
		return fmt.Sprintf("%d: %s", int(no), kernel.Strerror(err))
	}
	return kernel.Strerror(err)
}

// parseSourcesList reads the one-line style of sources.list(5).
func parseSourcesList(text, file string) (out []aptSource, problem string) {
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line, _, _ = strings.Cut(line, "#")
		bad := func(what string) string { return fmt.Sprintf("Malformed entry %d in list file %s (%s)", n, file, what) }
		rest := strings.TrimSpace(line)
		if rest == "" {
			continue
		}
		typ, rest, _ := strings.Cut(rest, " ")
		if typ != "deb" && typ != "deb-src" {
			return nil, fmt.Sprintf("Type '%s' is not known on line %d in source list %s", typ, n, file)
		}
		var s aptSource
		rest = strings.TrimSpace(rest)
		if opts, after, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]"); strings.HasPrefix(rest, "[") {
			if !ok {
				return nil, bad("[option] unparseable")
			}
			for o := range strings.FieldsSeq(opts) {
				k, v, ok := strings.Cut(o, "=")
				if !ok {
					return nil, bad("[option] no value")
				}
				switch k {
				case "arch":
					s.archs = strings.Split(v, ",")
				case "signed-by":
					s.signedBy = v
				case "trusted":
					s.trusted = systemd.IsYes(v)
				}
			}
			rest = after
		}
		f := strings.Fields(rest)
		if len(f) == 0 || !strings.Contains(f[0], ":") {
			return nil, bad("URI")
		}
		if len(f) == 1 {
			return nil, bad("Suite")
		}
		s.uri, s.suite, s.components = f[0], f[1], f[2:]
		if strings.HasSuffix(s.suite, "/") != (len(s.components) == 0) {
			return nil, bad("Component")
		}
		if typ == "deb" {
			out = append(out, s)
		}
	}
	return out, ""
}

// parseSources reads the deb822 style of sources.list(5).
func parseSources(text, file string) (out []aptSource, problem string) {
	var kept []string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "#") {
			kept = append(kept, strings.TrimRight(line, " \t\r"))
		}
	}
	n := 0
	for block := range strings.SplitSeq(strings.Join(kept, "\n"), "\n\n") {
		if strings.TrimSpace(block) == "" {
			continue
		}
		n++
		parsed := parseStatus("Package: x\n" + strings.Trim(block, "\n"))[0]
		bad := func(what string) string {
			return fmt.Sprintf("Malformed entry %d in sources file %s (%s)", n, file, what)
		}
		types := strings.Fields(parsed.get("Types"))
		if len(types) == 0 {
			return nil, fmt.Sprintf("Malformed stanza %d in source list %s (type)", n, file)
		}
		for _, t := range types {
			if t != "deb" && t != "deb-src" {
				return nil, fmt.Sprintf("Type '%s' is not known on stanza %d in source list %s", t, n, file)
			}
		}
		if e := strings.ToLower(parsed.get("Enabled")); e == "no" || e == "false" || !slices.Contains(types, "deb") {
			continue
		}
		uris, suites := strings.Fields(parsed.get("URIs")), strings.Fields(parsed.get("Suites"))
		components := strings.Fields(parsed.get("Components"))
		if len(uris) == 0 {
			return nil, bad("URI")
		}
		if len(suites) == 0 {
			return nil, bad("Suite")
		}
		for _, u := range uris {
			if !strings.Contains(u, ":") {
				return nil, bad("URI parse")
			}
			for _, su := range suites {
				if strings.HasSuffix(su, "/") != (len(components) == 0) {
					if len(components) == 0 {
						return nil, bad("Component")
					}
					return nil, bad("absolute Suite Component")
				}
				out = append(out, aptSource{
					uri: u, suite: su, components: components,
					archs:    strings.Fields(parsed.get("Architectures")),
					signedBy: strings.TrimSpace(parsed.get("Signed-By")),
					trusted:  systemd.IsYes(strings.ToLower(parsed.get("Trusted"))),
				})
			}
		}
	}
	return out, ""
}

// keyed tells whether the machine has a key with which the source's signature can be checked.
func keyed(p *kernel.Process, s aptSource) bool {
	switch {
	case s.trusted:
		return true
	case strings.Contains(s.signedBy, "BEGIN PGP PUBLIC KEY BLOCK"):
		return true
	case strings.HasPrefix(s.signedBy, "/"):
		b, err := p.ReadFile(s.signedBy)
		return err == nil && (path.Ext(s.signedBy) != ".asc" && len(b) > 0 ||
			strings.Contains(string(b), "BEGIN PGP PUBLIC KEY BLOCK"))
	case s.isDebian():
		return true
	}
	names, _ := p.ReadDir("/etc/apt/trusted.gpg.d")
	return len(names) > 0
}

// A candidate is a version of a package that the lists name.
type candidate struct {
	version string
	arch    string
	depends string
	places  []index
}

// available reads the lists that were fetched from the sources that are configured now, newest version first.
func available(p *kernel.Process, sources []aptSource) map[string][]candidate {
	out := map[string][]candidate{}
	for _, s := range sources {
		for _, i := range s.indexes() {
			b, err := p.ReadFile(i.file(p.Kernel.Config.Arch))
			if err != nil {
				continue
			}
			for _, st := range parseStatus(string(b)) {
				n, v := st.get("Package"), st.get("Version")
				at := slices.IndexFunc(out[n], func(c candidate) bool { return c.version == v })
				if at >= 0 {
					out[n][at].places = append(out[n][at].places, i)
					continue
				}
				out[n] = append(out[n], candidate{v, st.get("Architecture"), st.get("Depends"), []index{i}})
			}
		}
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b candidate) int { return compareVersions(b.version, a.version) })
	}
	return out
}
