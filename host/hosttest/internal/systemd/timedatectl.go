package systemd

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdTimedatectl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "p:P:a", "property=>p value all>a no-pager no-ask-password adjust-system-clock")
	if !ok {
		return 1
	}
	verb := "status"
	if len(o.Args) > 0 {
		verb = o.Args[0]
	}
	zone := "Etc/UTC"
	if st, err := p.Lstat("/etc/localtime"); err == nil && st.IsSymlink() {
		if _, z, ok := strings.Cut(st.Target, "/zoneinfo/"); ok {
			zone = z
		}
	}
	s := Of(p.Kernel)
	ntp := func() (exists, on bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		u := s.Unit("systemd-timesyncd.service")
		return u.load == "loaded", u.active == "active"
	}
	yes := func(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }
	can, on := ntp()
	synced := true
	switch verb {
	case "show":
		var want []string
		for _, v := range o.All("p", "P") {
			want = append(want, strings.Split(v, ",")...)
		}
		for _, kv := range [][2]string{{"Timezone", zone}, {"LocalRTC", "no"}, {"CanNTP", yes(can)}, {"NTP", yes(on)}, {"NTPSynchronized", yes(synced && on)},
			{"TimeUSec", p.Kernel.Now().In(libc.Location(p.Kernel)).Format(stampFormat)}} {
			if len(want) > 0 && !slices.Contains(want, kv[0]) {
				continue
			}
			if o.Has("value", "P") {
				p.Print(kv[1], "\n")
			} else {
				p.Print(kv[0], "=", kv[1], "\n")
			}
		}
		return 0
	case "status":
		p.Printf("               Local time: %s\n                Time zone: %s (UTC, +0000)\nSystem clock synchronized: %s\n              NTP service: %s\n          RTC in local TZ: no\n",
			p.Kernel.Now().In(libc.Location(p.Kernel)).Format(stampFormat), zone, yes(synced && on), map[bool]string{true: "active", false: "inactive"}[on])
		return 0
	case "list-timezones":
		libc.Walk(p, "/usr/share/zoneinfo", true, func(name string, st kernel.Stat) error {
			if st.IsRegular() {
				p.Print(strings.TrimPrefix(name, "/usr/share/zoneinfo/"), "\n")
			}
			return nil
		})
		return 0
	case "set-timezone", "set-ntp":
		if len(o.Args) < 2 {
			p.Warnf("Too few arguments.\n")
			return 1
		}
		if p.UID != 0 {
			p.Warnf("Failed to set %s: Interactive authentication required.\n", map[string]string{"set-timezone": "time zone", "set-ntp": "ntp"}[verb])
			return 1
		}
		if verb == "set-timezone" {
			z := o.Args[1]
			if st, err := p.Stat("/usr/share/zoneinfo/" + z); err != nil || st.IsDir() || strings.Contains(z, "..") {
				p.Warnf("Failed to set time zone: Invalid or not installed time zone '%s'\n", z)
				return 1
			}
			tmp := "/etc/.#localtime" + libc.RandomName(8)
			if err := p.Symlink("../usr/share/zoneinfo/"+z, tmp); err != nil {
				p.Warnf("Failed to set time zone: %s\n", kernel.Strerror(err))
				return 1
			}
			if err := p.Rename(tmp, "/etc/localtime"); err != nil {
				p.Warnf("Failed to set time zone: %s\n", kernel.Strerror(err))
				return 1
			}
			// Debian's timedated keeps /etc/timezone in step.
			if _, err := p.Stat("/etc/timezone"); err == nil {
				libc.ReplaceFile(p, "/etc/timezone", []byte(z+"\n"), 0o644)
			}
			return 0
		}
		if !can {
			p.Warnf("Failed to set ntp: NTP not supported\n")
			return 1
		}
		c := &systemctl{p: p, s: s, o: &libc.Options{Set: map[string][]string{"now": {""}, "q": {""}}}}
		verb := "disable"
		if IsYes(o.Args[1]) {
			verb = "enable"
		}
		return c.enable(verb, []string{"systemd-timesyncd.service"})
	}
	p.Warnf("Unknown command verb %s.\n", verb)
	return 1
}
