package apt

import (
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// UnattendedUpgrade is unattended-upgrade: it upgrades what is not held and not in the blacklist.
func UnattendedUpgrade(p *kernel.Process) int {
	conf, bad := aptConfig(p)
	if bad != "" {
		return aptFail(p, "%s", bad)
	}
	o, ok := libc.Getopt(p, "dv",
		"dry-run debug>d verbose>v apt-debug minimal-upgrade-steps no-minimal-upgrade-steps download-only")
	if !ok {
		return 2
	}
	if p.UID != 0 {
		p.Print("You need to be root to run this application\n")
		return 1
	}
	sources, bad := aptSources(p, aptConf{})
	if bad != "" {
		p.Warnf("E: %s\n", bad)
		return 1
	}
	a := &apt{p: p, avail: available(p, sources), pins: aptPins(p)}
	var up []string
	for _, s := range packages(p.Kernel) {
		n := s.get("Package")
		want, _, _ := s.state()
		c, ok := a.candidate(n)
		if !ok || !s.installed() || want == "hold" || compareVersions(c.version, s.get("Version")) <= 0 ||
			!slices.ContainsFunc(c.places, func(i index) bool { return i.source.isDebian() }) {
			continue
		}
		if slices.ContainsFunc(conf["unattended-upgrade::package-blacklist"], func(b string) bool {
			re, err := regexp.Compile("^(?:" + b + ")")
			return err == nil && re.MatchString(n)
		}) {
			continue
		}
		up = append(up, n)
	}
	if o.Has("dry-run") || len(up) == 0 {
		if o.Has("d", "v") {
			p.Print("Packages that will be upgraded: ", strings.Join(up, " "), "\n")
		}
		return 0
	}
	p.Flush()
	return libc.Run(p, append([]string{"apt-get", "-q", "-y", "install", "--no-install-recommends", "--"}, up...)...)
}
