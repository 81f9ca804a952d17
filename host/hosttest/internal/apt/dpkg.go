package apt

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const statusFile = "/var/lib/dpkg/status"

const dpkgLong = "install>i list>l status>s listfiles>L search>S purge>P remove>r print-architecture " +
	"print-foreign-architectures add-architecture= configure pending>a audit get-selections set-selections " +
	"compare-versions validate-version verify[= force-confold force-confdef force-confnew force-confmiss " +
	"auto-deconfigure force-depends force-all force-overwrite refuse-downgrade force-downgrade unpack recursive " +
	"no-triggers admindir= root= version"

const dpkgHelp = "\nType dpkg --help for help about installing and deinstalling packages [*];\n" +
	"Use 'apt' or 'aptitude' for user-friendly package management;\n"

func cmdDpkg(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ailsLSPrBGERO", dpkgLong)
	if !ok {
		p.Warnf("%s", dpkgHelp)
		return 2
	}
	if libc.Unsupported(p, o, "G", "E", "R", "O", "refuse-downgrade", "recursive", "admindir", "root", "verify",
		"validate-version") {
		return 2
	}
	if code, ok := dpkgAsk(p, o); ok {
		return code
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
		return dpkgInstall(p, o.Args, o.Has("unpack"))
	case o.Has("r"), o.Has("P"):
		return dpkgRemove(p, o.Args, o.Has("P"))
	}
	p.Errorf("error: need an action option")
	p.Warnf("%s", dpkgHelp)
	return 2
}

// dpkgAsk does what changes nothing and what anybody may do. ok tells whether the command line asks for such.
func dpkgAsk(p *kernel.Process, o *libc.Options) (code int, ok bool) {
	switch {
	case o.Has("print-architecture"):
		p.Print(p.Kernel.Config.Arch, "\n")
	case o.Has("print-foreign-architectures"), o.Has("add-architecture"):
	case o.Has("version"):
		p.Printf("Debian 'dpkg' package management program version 1.21.22 (%s).\n", p.Kernel.Config.Arch)
	case o.Has("compare-versions"):
		return dpkgCompare(p, o.Args), true
	case o.Has("l"), o.Has("s"), o.Has("L"), o.Has("S"):
		p.SetArgs(append([]string{"dpkg-query"}, p.Args[1:]...))
		switch {
		case o.Has("l"):
			return dpkgList(p, o.Args), true
		case o.Has("s"):
			return dpkgStatus(p, o.Args), true
		case o.Has("L"):
			return dpkgFiles(p, o.Args), true
		}
		return dpkgSearch(p, o.Args), true
	case o.Has("get-selections"):
		list, _ := selectPackages(p, o.Args)
		for _, s := range list {
			w, _, _ := s.state()
			p.Printf("%-40s\t%s\n", s.binaryPackage(), w)
		}
	case o.Has("audit"), o.Has("verify"):
	default:
		return 0, false
	}
	return 0, true
}

// dpkgCompare is dpkg --compare-versions: it exits with 0 when the relation holds, else with 1.
func dpkgCompare(p *kernel.Process, args []string) int {
	if len(args) != 3 {
		p.Errorf("error: --compare-versions takes three arguments: <version> <relation> <version>")
		return 2
	}
	c := compareVersions(args[0], args[2])
	holds := false
	switch args[1] {
	case "lt", "<<":
		holds = c < 0
	case "le", "<=", "<": // < is an old name of <=
		holds = c <= 0
	case "eq", "=":
		holds = c == 0
	case "ne":
		holds = c != 0
	case "ge", ">=", ">":
		holds = c >= 0
	case "gt", ">>":
		holds = c > 0
	default:
		p.Errorf("error: --compare-versions bad relation")
		return 2
	}
	return libc.BoolToInt(!holds)
}

// dpkgInstall is dpkg --install, or --unpack.
func dpkgInstall(p *kernel.Process, files []string, unconfigured bool) int {
	code := 0
	for _, f := range files {
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
			p.Warnf("\ndpkg: error processing package %s (--install):\n"+
				" dependency problems - leaving unconfigured\n", pk.Name)
			code = 1
			continue
		}
		failed := journaled(p, func() int { err = unpack(p, pk, unconfigured); return 0 }) != 0
		if failed || err != nil {
			p.Errorf("error processing archive %s (--install):\n %s", f, kernel.Strerror(err))
			code = 1
		}
	}
	return code
}

// dpkgRemove is dpkg --remove, or --purge, which also takes what was removed and left its configuration.
func dpkgRemove(p *kernel.Process, names []string, purge bool) int {
	code := 0
	for _, n := range names {
		s := findPackage(p.Kernel, n)
		if s == nil || !s.installed() && !(purge && strings.HasSuffix(s.get("Status"), "config-files")) {
			p.Warnf("dpkg: warning: ignoring request to remove %s which isn't installed\n", n)
			continue
		}
		if err := removePackage(p, s, purge); err != nil {
			p.Errorf("error processing package %s: %s", n, kernel.Strerror(err))
			code = 1
		}
	}
	return code
}
