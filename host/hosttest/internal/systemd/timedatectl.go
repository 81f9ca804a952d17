package systemd

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	zoneInfo = "/usr/share/zoneinfo/"
	timesync = "systemd-timesyncd.service"
)

// A timedatectl is one run of it.
type timedatectl struct {
	p      *kernel.Process
	o      *libc.Options
	canNTP bool // there is a service for it
	ntp    bool // which runs
}

func cmdTimedatectl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "p:P:a", "property=>p value all>a no-pager no-ask-password adjust-system-clock")
	if !ok {
		return 1
	}
	verb, args := "status", o.Args
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	t := &timedatectl{p: p, o: o}
	t.lookAtNTP()
	switch verb {
	case "show":
		return t.show()
	case "status":
		return t.status()
	case "list-timezones":
		return t.listZones()
	case "set-timezone":
		return t.set("time zone", args, t.setZone)
	case "set-ntp":
		return t.set("ntp", args, t.setNTP)
	}
	p.Warnf("Unknown command verb %s.\n", verb)
	return 1
}

func (t *timedatectl) lookAtNTP() {
	s := Of(t.p.Kernel)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.Unit(timesync)
	t.canNTP, t.ntp = u.load == "loaded", u.active == "active"
}

// zone is the time zone that /etc/localtime links to.
func (t *timedatectl) zone() string {
	if st, err := t.p.Lstat("/etc/localtime"); err == nil && st.IsSymlink() {
		if _, z, ok := strings.Cut(st.Target, "/zoneinfo/"); ok {
			return z
		}
	}
	return "Etc/UTC"
}

func (t *timedatectl) now() string {
	return t.p.Kernel.Now().In(libc.Location(t.p.Kernel)).Format(stampFormat)
}

func (t *timedatectl) show() int {
	want := selectionOf(t.o)
	want.print(t.p, "Timezone", t.zone())
	want.print(t.p, "LocalRTC", "no")
	want.print(t.p, "CanNTP", yesNo(t.canNTP))
	want.print(t.p, "NTP", yesNo(t.ntp))
	want.print(t.p, "NTPSynchronized", yesNo(t.ntp))
	want.print(t.p, "TimeUSec", t.now())
	return 0
}

func (t *timedatectl) status() int {
	service := "inactive"
	if t.ntp {
		service = "active"
	}
	t.p.Printf(`               Local time: %s
                Time zone: %s (UTC, +0000)
System clock synchronized: %s
              NTP service: %s
          RTC in local TZ: no
`, t.now(), t.zone(), yesNo(t.ntp), service)
	return 0
}

func (t *timedatectl) listZones() int {
	libc.Walk(t.p, strings.TrimSuffix(zoneInfo, "/"), true, func(name string, st kernel.Stat) error {
		if st.IsRegular() {
			t.p.Print(strings.TrimPrefix(name, zoneInfo), "\n")
		}
		return nil
	})
	return 0
}

// set calls a setter with the first argument, if the caller may.
func (t *timedatectl) set(what string, args []string, setter func(string) int) int {
	if len(args) == 0 {
		t.p.Warnf("Too few arguments.\n")
		return 1
	}
	if t.p.UID != 0 {
		t.p.Warnf("Failed to set %s: Interactive authentication required.\n", what)
		return 1
	}
	return setter(args[0])
}

// setZone replaces /etc/localtime at once.
func (t *timedatectl) setZone(zone string) int {
	p := t.p
	if st, err := p.Stat(zoneInfo + zone); err != nil || st.IsDir() || strings.Contains(zone, "..") {
		p.Warnf("Failed to set time zone: Invalid or not installed time zone '%s'\n", zone)
		return 1
	}
	tmp := "/etc/.#localtime" + libc.RandomName(8)
	err := p.Symlink(".."+zoneInfo+zone, tmp)
	if err == nil {
		err = p.Rename(tmp, "/etc/localtime")
	}
	if err != nil {
		p.Warnf("Failed to set time zone: %s\n", kernel.Strerror(err))
		return 1
	}
	// Debian's timedated keeps /etc/timezone in step.
	if _, err := p.Stat("/etc/timezone"); err == nil {
		libc.ReplaceFile(p, "/etc/timezone", []byte(zone+"\n"), 0o644)
	}
	return 0
}

// setNTP enables and starts the service, or disables and stops it.
func (t *timedatectl) setNTP(on string) int {
	if !t.canNTP {
		t.p.Warnf("Failed to set ntp: NTP not supported\n")
		return 1
	}
	verb := "disable"
	if IsYes(on) {
		verb = "enable"
	}
	quiet := &libc.Options{Set: map[string][]string{"now": {""}, "q": {""}}}
	c := &systemctl{p: t.p, s: Of(t.p.Kernel), o: quiet}
	return c.enable(verb, []string{timesync})
}
