package systemd

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const stampFormat = "Mon 2006-01-02 15:04:05 MST"

// properties are those of one unit, as "systemctl show" prints them.
type properties struct {
	s    *Manager
	u    *unit
	list [][2]string // name and value; a name can come more than once
}

// properties gives what "systemctl show" prints, in the order of the bus.
func (s *Manager) properties(u *unit) [][2]string {
	p := &properties{s: s, u: u}
	switch path.Ext(u.name) {
	case ".service":
		p.service()
	case ".mount":
		p.mount()
	case ".timer":
		p.timer()
	case ".socket":
		p.add("Result", u.result)
	}
	p.relations()
	p.state()
	p.times()
	p.checks()
	return p.list
}

func (p *properties) add(name, value string) { p.list = append(p.list, [2]string{name, value}) }

func (p *properties) flag(name string, v bool) { p.add(name, yesNo(v)) }

func (p *properties) number(name string, v int) { p.add(name, strconv.Itoa(v)) }

// setting adds the value of a setting under the same name.
func (p *properties) setting(section, name string) { p.add(name, p.u.file.get(section+"."+name)) }

// words adds list settings of the section Unit, each under its name.
func (p *properties) words(names ...string) {
	for _, n := range names {
		p.add(n, strings.Join(p.u.file.Words("Unit."+n), " "))
	}
}

// stamp adds a time and the microseconds from boot to it.
func (p *properties) stamp(name string, t time.Time) {
	if t.IsZero() {
		p.add(name, "")
		p.add(name+"Monotonic", "0")
		return
	}
	p.add(name, t.In(libc.Location(p.s.k)).Format(stampFormat))
	p.add(name+"Monotonic", strconv.FormatInt(t.Sub(p.s.k.BootedAt()).Microseconds(), 10))
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// service adds what only services have.
func (p *properties) service() {
	u, f := p.u, p.u.file
	typ := cmp.Or(f.get("Service.Type"), "simple")
	if f.get("Service.Type") == "" && u.load == "loaded" && len(f.all("Service.ExecStart")) == 0 {
		typ = "oneshot"
	}
	pid := 0
	if u.proc != nil {
		pid = u.proc.PID
	}
	p.add("Type", typ)
	p.add("Restart", cmp.Or(f.get("Service.Restart"), "no"))
	p.flag("RemainAfterExit", IsYes(f.get("Service.RemainAfterExit")))
	p.number("MainPID", pid)
	p.add("ControlPID", "0")
	p.add("StatusText", "")
	p.add("Result", u.result)
	p.add("ReloadResult", "success")
	p.add("CleanResult", "success")
	p.number("NRestarts", u.Restarts)
	p.stamp("ExecMainStartTimestamp", u.execStart)
	p.stamp("ExecMainExitTimestamp", u.execExit)
	p.number("ExecMainPID", u.execPID)
	p.number("ExecMainCode", u.execCode)
	p.number("ExecMainStatus", u.execStatus)
	for _, k := range []string{"ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop"} {
		p.commands(k)
	}
	p.add("Slice", "system.slice")
	group := ""
	if u.active == "active" {
		group = "/system.slice/" + u.name
	}
	p.add("ControlGroup", group)
	p.add("Environment", strings.Join(f.all("Service.Environment"), " "))
	for _, e := range f.all("Service.EnvironmentFile") {
		file, ignored := strings.CutPrefix(e, "-")
		p.add("EnvironmentFiles", file+" (ignore_errors="+yesNo(ignored)+")")
	}
	p.setting("Service", "User")
	p.setting("Service", "Group")
}

// commands adds the command lines of an Exec setting.
func (p *properties) commands(setting string) {
	for _, l := range p.u.file.all("Service." + setting) {
		args := splitCommand(strings.TrimLeft(l, "@-:+!"))
		if len(args) == 0 {
			continue
		}
		p.add(setting, fmt.Sprintf("{ path=%s ; argv[]=%s ; ignore_errors=%s ; start_time=[n/a] ; "+
			"stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }",
			args[0], strings.Join(args, " "), yesNo(strings.HasPrefix(l, "-"))))
	}
}

// mount adds what only mounts have.
func (p *properties) mount() {
	p.add("Where", p.u.where())
	p.setting("Mount", "What")
	p.setting("Mount", "Options")
	p.setting("Mount", "Type")
	p.add("Result", p.u.result)
}

// timer adds what only timers have.
func (p *properties) timer() {
	p.add("Unit", p.u.activates())
	for _, v := range p.u.file.all("Timer.OnCalendar") {
		p.add("TimersCalendar", "{ OnCalendar="+v+" ; next_elapse=n/a }")
	}
	p.add("NextElapseUSecRealtime", "")
	p.add("LastTriggerUSec", "")
	p.add("Result", p.u.result)
	p.flag("Persistent", IsYes(p.u.file.get("Timer.Persistent")))
}

// relations adds the names of the unit and of those that it has to do with.
func (p *properties) relations() {
	s, u := p.s, p.u
	p.add("Id", u.name)
	p.add("Names", strings.Join(append([]string{u.name}, u.names...), " "))
	p.words("Requires", "Wants")
	p.add("RequiredBy", strings.Join(s.dependents(u, ".requires"), " "))
	p.add("WantedBy", strings.Join(s.dependents(u, ".wants"), " "))
	var triggers []string
	for _, x := range s.unitList() {
		if x.load == "loaded" && x != u && slices.Contains(u.triggers(), x.name) {
			triggers = append(triggers, x.name)
		}
	}
	p.add("TriggeredBy", strings.Join(triggers, " "))
	p.words("Conflicts", "Before", "After", "RequiresMountsFor", "Documentation")
	p.add("Description", cmp.Or(s.specifiers(u, u.file.get("Unit.Description")), u.name))
}

// state adds what became of the unit, and its files.
func (p *properties) state() {
	u := p.u
	p.add("LoadState", u.load)
	p.add("ActiveState", u.active)
	p.add("FreezerState", "running")
	p.add("SubState", u.sub)
	p.add("FragmentPath", u.fragment)
	p.setting("Unit", "SourcePath")
	p.add("DropInPaths", strings.Join(u.dropIns, " "))
	state, preset := "", ""
	if u.load != "not-found" {
		state = p.s.enabledState(u.name)
	}
	if state != "" {
		preset = "enabled"
	}
	p.add("UnitFileState", state)
	p.add("UnitFilePreset", preset)
}

// times adds when the state of the unit changed.
func (p *properties) times() {
	u := p.u
	p.stamp("StateChangeTimestamp", u.stateChange)
	p.stamp("InactiveExitTimestamp", u.inactiveExit)
	p.stamp("ActiveEnterTimestamp", u.activeEnter)
	p.stamp("ActiveExitTimestamp", u.activeExit)
	p.stamp("InactiveEnterTimestamp", u.inactiveEnter)
}

// checks adds what may be done with the unit, and what was found when it was loaded and started.
func (p *properties) checks() {
	u := p.u
	p.flag("CanStart", u.load == "loaded")
	p.flag("CanStop", u.load == "loaded")
	p.flag("CanReload", len(u.file.all("Service.ExecReload")) > 0)
	p.flag("NeedDaemonReload", u.load != "not-found" && p.s.stale(u))
	switch u.load {
	case "not-found":
		p.add("LoadError", `org.freedesktop.systemd1.NoSuchUnit "Unit `+u.name+` not found."`)
	case "masked":
		p.add("LoadError", `org.freedesktop.systemd1.UnitMasked "Unit `+u.name+` is masked."`)
	}
	p.flag("ConditionResult", !u.conditioned.IsZero() && u.met)
	p.stamp("ConditionTimestamp", u.conditioned)
	p.flag("AssertResult", !u.activeEnter.IsZero())
	p.add("InvocationID", u.invocation)
}
