package hosttest

import (
	"regexp"
	"slices"
	"strings"
)

// cmdUnattended is unattended-upgrade: it upgrades what is not held and not in the blacklist.
func cmdUnattended(p *proc) int {
	conf, bad := p.aptConfig()
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	o, ok := p.getopt("dv", "dry-run debug>d verbose>v apt-debug minimal-upgrade-steps no-minimal-upgrade-steps download-only")
	if !ok {
		return 2
	}
	if p.uid != 0 {
		p.print("You need to be root to run this application\n")
		return 1
	}
	sources, bad := p.aptSources()
	if bad != "" {
		p.warn("E: %s\n", bad)
		return 1
	}
	a := &apt{p: p, avail: p.available(sources), pins: p.aptPins()}
	var up []string
	for _, s := range p.k.packages() {
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
	if o.has("dry-run") || len(up) == 0 {
		if o.has("d", "v") {
			p.print("Packages that will be upgraded: ", strings.Join(up, " "), "\n")
		}
		return 0
	}
	p.flush()
	return p.Run(append([]string{"apt-get", "-q", "-y", "install", "--no-install-recommends", "--"}, up...)...)
}
