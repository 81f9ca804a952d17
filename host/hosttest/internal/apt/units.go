package apt

import (
	"maps"
	"path"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

const helperState = "/var/lib/systemd/deb-systemd-helper-enabled/"

// setUpUnits does what Debian's maintainer scripts do through deb-systemd-helper and deb-systemd-invoke: units are
// enabled at the first installation and keep what the administrator made of them later.
func setUpUnits(p *kernel.Process, pk Package, fresh bool) {
	if len(pk.Units) == 0 {
		return
	}
	booted := quietRun(p, false, "test", "-d", "/run/systemd/system") == 0
	var start []string
	for _, n := range slices.Sorted(maps.Keys(pk.Units)) {
		if tmpl, inst := systemd.TemplateOf(n); tmpl != "" && inst == "" || slices.Contains(pk.Disabled, n) {
			continue
		}
		f := systemd.ParseUnit(pk.Units[n], n)
		if len(f.Words("Install.WantedBy"))+len(f.Words("Install.RequiredBy"))+len(f.Words("Install.Alias")) > 0 {
			if _, err := p.Lstat(helperState + n + ".dsh-also"); err != nil {
				if st, err := p.Lstat("/etc/systemd/system/" + n); err != nil || st.Target != "/dev/null" {
					quietRun(p, true, "systemctl", "--no-reload", "enable", n)
				}
				if libc.MkdirOne(p, path.Clean(helperState), true, nil, false) == nil {
					p.WriteFile(helperState+n+".dsh-also", nil, 0o644)
				}
			}
			start = append(start, n)
		}
	}
	if !booted {
		return
	}
	quietRun(p, false, "systemctl", "--system", "daemon-reload")
	verb := "restart"
	if fresh {
		verb = "start"
	}
	for _, n := range start {
		if quietRun(p, false, "systemctl", "is-enabled", "--quiet", n) == 0 || !fresh {
			if fresh || quietRun(p, false, "systemctl", "is-active", "--quiet", n) == 0 {
				quietRun(p, false, "systemctl", verb, n)
			}
		}
	}
}
