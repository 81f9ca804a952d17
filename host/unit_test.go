package host

import (
	"strings"
	"testing"
	"time"
)

func TestUnitIsRestartedExactlyWhenItMust(t *testing.T) {
	u := Unit{Name: "a.service", State: Started, RestartOn: []string{"file:/etc/a"}, ReloadOn: []string{"file:/etc/b"}}
	u = u.Bind(&Whole{resources: []Resource{File{Path: "/etc/a"}, File{Path: "/etc/b"}}}).(Unit)
	running := func() *Observation {
		o := blank().file("/etc/a", "x").file("/etc/b", "y")
		o.prints = map[string]string{"file:/etc/a": "A", "file:/etc/b": "B"}
		o.units["a.service"] = UnitState{Load: "loaded", Active: "active", InvocationID: "i1", Entered: 10 * time.Minute}
		return o
	}
	started := running().now.Add(-time.Hour).Add(10 * time.Minute)
	stamp := func(o *Observation, invocation string) *Observation {
		return o.file(u.stamp(), invocation+" "+u.want(u.RestartOn, o)+" "+u.want(u.ReloadOn, o)+"\n")
	}
	ctime := func(o *Observation, path string, at time.Time) *Observation {
		s := o.paths[path]
		s.Changed = at
		o.paths[path] = s
		return o
	}
	for _, c := range []struct {
		name string
		o    *Observation
		want string
	}{
		{"not started by us, files older", ctime(running(), "/etc/a", started.Add(-time.Minute)), ""},
		{"not started by us, file newer", ctime(running(), "/etc/a", started.Add(time.Minute)),
			"restart run: /etc/a changed after it was started"},
		{"not started by us, the other file newer", ctime(running(), "/etc/b", started.Add(time.Minute)),
			"reload run: /etc/b changed after it was started"},
		{"stamped, as configured", ctime(stamp(running(), "i1"), "/etc/a", started.Add(time.Minute)), ""},
		{"stamped, configuration has changed",
			stamp(running(), "i1").with(func(o *Observation) { o.prints["file:/etc/a"] = "A2" }),
			"restart run: runs with an earlier configuration"},
		{"stamped, the configuration to reload has changed",
			stamp(running(), "i1").with(func(o *Observation) { o.prints["file:/etc/b"] = "B2" }),
			"reload run: runs with an earlier configuration"},
		{"stamped by an earlier run of the unit", ctime(stamp(running(), "i0"), "/etc/a", started.Add(-time.Minute)), ""},
		{"stamped by an earlier run, file newer", ctime(stamp(running(), "i0"), "/etc/a", started.Add(time.Minute)),
			"restart run: /etc/a changed after it was started"},
		{"the change is in this plan",
			running().with(func(o *Observation) { o.pending["file:/etc/a"] = true; o.pending["file:/etc/b"] = true }),
			"restart run: notified by file:/etc/a"},
		{"not running", running().with(func(o *Observation) {
			o.units["a.service"] = UnitState{Load: "loaded", Active: "inactive"}
			o.pending["file:/etc/a"] = true
		}), "start run: is inactive"},
		{"failed",
			running().with(func(o *Observation) { o.units["a.service"] = UnitState{Load: "loaded", Active: "failed"} }),
			"start run: is failed"},
		{"does not exist yet", blank(), "start run: is absent"},
	} {
		if got := strings.Join(causes(t, u, c.o), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestUnitEnabling(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		u    Unit
		st   UnitState
		want string
	}{
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "enabled"}, ""},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "disabled"}, "enable update: is disabled"},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "enabled-runtime"}, "enable update: is enabled-runtime"},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "static"}, ""},
		{Unit{Enabled: &no}, UnitState{Load: "loaded", File: "static"}, ""},
		{Unit{Enabled: &no}, UnitState{Load: "loaded", File: "enabled"}, "disable update: is enabled"},
		{Unit{Enabled: &yes, State: Started}, UnitState{Load: "masked", File: "masked"},
			"unmask update: is masked; enable update: is masked; start run: is absent"},
		{Unit{Masked: true, State: Stopped}, UnitState{Load: "loaded", Active: "active"},
			"mask update: not masked; stop run: is active"},
		{Unit{Masked: true}, UnitState{Load: "masked", File: "masked"}, ""},
		{Unit{Masked: true}, UnitState{Load: "masked", File: "masked-runtime"}, "mask update: not masked"},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "linked"}, ""},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "linked", install: true}, "enable update: is linked"},
		{Unit{Enabled: &no}, UnitState{Load: "loaded", File: "linked", install: true}, ""},
		{Unit{}, UnitState{Load: "loaded", Active: "active", File: "disabled"}, ""},
	} {
		c.u.Name = "a.service"
		o := blank().with(func(o *Observation) { o.units["a.service"] = c.st })
		if got := strings.Join(causes(t, c.u, o), "; "); got != c.want {
			t.Errorf("%+v %+v: %q, want %q", c.u, c.st, got, c.want)
		}
	}
}
