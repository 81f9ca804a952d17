package systemd

import (
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdAnalyze is systemd-analyze verify.
func cmdAnalyze(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "", "man[= generators[= recursive-errors= no-pager user system")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "user") {
		return 1
	}
	if len(o.Args) == 0 || o.Args[0] != "verify" {
		if len(o.Args) > 0 && o.Args[0] == "calendar" {
			return 0
		}
		p.Warnf("hosttest: systemd-analyze knows only verify\n")
		return 1
	}
	code := 0
	for _, f := range o.Args[1:] {
		base := path.Base(f)
		if unitSections[path.Ext(base)] == nil {
			p.Warnf("Failed to prepare filename %s: Invalid argument\n", f)
			code = 1
			continue
		}
		file := f
		if !strings.Contains(f, "/") {
			file = "/etc/systemd/system/" + f
		}
		b, err := p.ReadFile(file)
		if err != nil {
			p.Warnf("Failed to open %s: %s\n", f, kernel.Strerror(err))
			code = 1
			continue
		}
		u := ParseUnit(string(b), file)
		for _, w := range u.problems {
			p.Warnf("%s\n", w)
			code = 1
		}
		if strings.HasSuffix(base, ".service") {
			if len(u.all("Service.ExecStart")) == 0 && u.get("Service.Type") != "oneshot" {
				p.Warnf("%s: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.\n", base)
				code = 1
			}
			for _, k := range []string{"ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecReload"} {
				for _, l := range u.all("Service." + k) {
					args := splitCommand(strings.TrimLeft(l, "@-:+!"))
					if len(args) == 0 || strings.Contains(args[0], "%") {
						continue
					}
					if _, err := libc.LookPath(p, args[0], servicePath); err != nil {
						p.Warnf("%s: Command %s is not executable: %s\n", base, args[0], kernel.Strerror(err))
						code = 1
					}
				}
			}
		}
	}
	return code
}
