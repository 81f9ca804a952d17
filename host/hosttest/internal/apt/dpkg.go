package apt

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const statusFile = "/var/lib/dpkg/status"

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
					p.Warnf(" %s depends on %s; however:\n  Package %s is not installed.\n", pk.Name, d, d)
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
