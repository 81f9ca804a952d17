package apt

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const dpkgQueryHelp = "\nUse --help for help about querying packages.\n"

func cmdDpkgQuery(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "WlsLSf:pc",
		"show>W list>l status>s listfiles>L search>S showformat=>f print-avail>p "+
			"control-path>c no-pager load-avail admindir= root=")
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

var stateAbbrev = map[string]string{
	"not-installed": "n", "config-files": "c", "half-installed": "H", "unpacked": "U", "half-configured": "F",
	"triggers-awaiting": "W", "triggers-pending": "t", "installed": "i",
}

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
		name, ver = max(name, len(s.binaryPackage())), max(ver, len(s.get("Version")))
		arch = max(arch, len(s.get("Architecture")))
	}
	p.Print("Desired=Unknown/Install/Remove/Purge/Hold\n" +
		"| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend\n" +
		"|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)\n")
	p.Printf("||/ %-*s %-*s %-*s Description\n", name, "Name", ver, "Version", arch, "Architecture")
	p.Printf("+++-%s-%s-%s-=================================\n",
		strings.Repeat("=", name), strings.Repeat("=", ver), strings.Repeat("=", arch))
	for _, s := range list {
		p.Printf("%s %-*s %-*s %-*s %s\n", dpkgField(s, "db:Status-Abbrev"), name, s.binaryPackage(),
			ver, cmp.Or(s.get("Version"), "<none>"), arch, cmp.Or(s.get("Architecture"), "<none>"),
			cmp.Or(dpkgField(s, "binary:Summary"), "(no description available)"))
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
