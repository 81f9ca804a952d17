package base

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// The programs that set the clock. Each excludes the others.
const (
	timesyncd = "systemd-timesyncd"
	chrony    = "chrony"
)

// otherClocks are programs that set the clock too, which have no directory for a file of ours.
var otherClocks = []string{"ntpsec", "ntp", "openntpd"}

// timeServers lets the program that sets the clock use the servers: chrony where that is installed, or will be, and
// otherwise systemd-timesyncd.
func timeServers(servers []string, installsChrony bool) (s host.State) {
	enabled := true
	var sources strings.Builder
	for _, s := range servers {
		sources.WriteString("server " + s + " iburst\n")
	}
	list := host.File{Path: "/etc/chrony/sources.d/lab.sources", Content: sources.String()} // chrony.conf(5), sourcedir
	forChrony := host.State{
		host.Directory{Path: "/etc/chrony/sources.d"}, list,
		host.Unit{Name: "chrony.service", Enabled: &enabled, State: host.Started, RestartOn: []string{list.ID()}},
	}
	if installsChrony {
		return append(host.State{host.Package{Name: timesyncd, Absent: true}, clocks{}}, forChrony...)
	}
	conf := host.File{
		Path: "/etc/systemd/timesyncd.conf.d/10-lab.conf", Content: "[Time]\nNTP=" + strings.Join(servers, " ") + "\n",
	}
	forTimesyncd := host.State{
		host.Directory{Path: "/etc/systemd/timesyncd.conf.d"}, conf,
		host.Unit{Name: "systemd-timesyncd.service", Enabled: &enabled, State: host.Started, RestartOn: []string{conf.ID()}},
	}
	s = host.State{host.Package{Name: timesyncd, Or: append([]string{chrony}, otherClocks...)}, clocks{}}
	for _, r := range forTimesyncd {
		s = append(s, clock{timesyncd, r})
	}
	for _, r := range forChrony {
		s = append(s, clock{chrony, r})
	}
	return s
}

// clock is a resource of a program that sets the clock, which is only wanted where that program sets it.
type clock struct {
	program  string
	resource host.Resource
}

func (c clock) ID() string             { return c.resource.ID() }
func (c clock) Validate() lab.Problems { return c.resource.Validate() }

// Observe implements [host.Resource].
func (c clock) Observe(q *host.Query) {
	q.Package(chrony)
	c.resource.Observe(q)
}

// Plan implements [host.Resource].
func (c clock) Plan(o *host.Observation) ([]host.Op, error) {
	if o.Package(chrony).Installed != (c.program == chrony) {
		return nil, nil
	}
	return c.resource.Plan(o)
}

// Relations implements [host.Related].
func (c clock) Relations() (r host.Relations) {
	if related, ok := c.resource.(host.Related); ok {
		r = related.Relations()
	}
	r.Needs = append(r.Needs, "package:"+timesyncd)
	return r
}

// ComesAfter implements [host.Ordered].
func (c clock) ComesAfter() []string {
	if ordered, ok := c.resource.(host.Ordered); ok {
		return ordered.ComesAfter()
	}
	return nil
}

// Fingerprint implements [host.Fingerprinter].
func (c clock) Fingerprint() string {
	if f, ok := c.resource.(host.Fingerprinter); ok {
		return f.Fingerprint()
	}
	return ""
}

// Implies implements [host.Implier].
func (c clock) Implies() []host.Resource {
	if i, ok := c.resource.(host.Implier); ok {
		return i.Implies()
	}
	return nil
}

// Bind implements [host.Binder].
func (c clock) Bind(w *host.Whole) host.Resource {
	if b, ok := c.resource.(host.Binder); ok {
		c.resource = b.Bind(w)
	}
	return c
}

// clocks refuses a machine whose clock is set by a program that the servers cannot be given to.
type clocks struct{}

func (clocks) ID() string             { return "ntp:servers" }
func (clocks) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (clocks) Observe(q *host.Query) {
	for _, name := range otherClocks {
		q.Package(name)
	}
}

// Plan implements [host.Resource].
func (clocks) Plan(o *host.Observation) ([]host.Op, error) {
	for _, name := range otherClocks {
		if o.Package(name).Installed {
			return nil, &lab.Error{Op: "set time servers",
				Hint: "remove it, and run again; or leave ntp empty, and set its servers by hand",
				Err:  fmt.Errorf("%w: %s sets the clock of the machine", lab.ErrConflict, name)}
		}
	}
	return nil, nil
}
