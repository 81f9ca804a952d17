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

// properties gives what "systemctl show" prints, in the order of the bus.
func (s *Manager) properties(u *unit) [][2]string {
	var out [][2]string
	add := func(k, v string) { out = append(out, [2]string{k, v}) }
	stamp := func(k string, t time.Time) {
		if t.IsZero() {
			add(k, "")
			add(k+"Monotonic", "0")
			return
		}
		add(k, t.In(libc.Location(s.k)).Format(stampFormat))
		b := s.k.BootedAt()
		add(k+"Monotonic", strconv.FormatInt(t.Sub(b).Microseconds(), 10))
	}
	yesNo := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	f := u.file
	switch path.Ext(u.name) {
	case ".service":
		typ := f.get("Service.Type")
		if typ == "" {
			typ = "simple"
			if u.load == "loaded" && len(f.all("Service.ExecStart")) == 0 {
				typ = "oneshot"
			}
		}
		pid := 0
		if u.proc != nil {
			pid = u.proc.PID
		}
		add("Type", typ)
		add("Restart", cmp.Or(f.get("Service.Restart"), "no"))
		add("RemainAfterExit", yesNo(IsYes(f.get("Service.RemainAfterExit"))))
		add("MainPID", strconv.Itoa(pid))
		add("ControlPID", "0")
		add("StatusText", "")
		add("Result", u.result)
		add("ReloadResult", "success")
		add("CleanResult", "success")
		add("NRestarts", strconv.Itoa(u.Restarts))
		stamp("ExecMainStartTimestamp", u.execStart)
		stamp("ExecMainExitTimestamp", u.execExit)
		add("ExecMainPID", strconv.Itoa(u.execPID))
		add("ExecMainCode", strconv.Itoa(u.execCode))
		add("ExecMainStatus", strconv.Itoa(u.execStatus))
		for _, k := range []string{"ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop"} {
			for _, l := range f.all("Service." + k) {
				args := splitCommand(strings.TrimLeft(l, "@-:+!"))
				if len(args) > 0 {
					add(k, fmt.Sprintf("{ path=%s ; argv[]=%s ; ignore_errors=%s ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }", args[0], strings.Join(args, " "), yesNo(strings.HasPrefix(l, "-"))))
				}
			}
		}
		add("Slice", "system.slice")
		if u.active == "active" {
			add("ControlGroup", "/system.slice/"+u.name)
		} else {
			add("ControlGroup", "")
		}
		if e := f.all("Service.Environment"); len(e) > 0 {
			add("Environment", strings.Join(e, " "))
		} else {
			add("Environment", "")
		}
		for _, e := range f.all("Service.EnvironmentFile") {
			add("EnvironmentFiles", strings.TrimPrefix(e, "-")+" (ignore_errors="+yesNo(strings.HasPrefix(e, "-"))+")")
		}
		add("User", f.get("Service.User"))
		add("Group", f.get("Service.Group"))
	case ".mount":
		add("Where", cmp.Or(f.get("Mount.Where"), unescapeUnitPath(strings.TrimSuffix(u.name, ".mount"))))
		add("What", f.get("Mount.What"))
		add("Options", f.get("Mount.Options"))
		add("Type", f.get("Mount.Type"))
		add("Result", u.result)
	case ".timer":
		add("Unit", cmp.Or(f.get("Timer.Unit"), strings.TrimSuffix(u.name, ".timer")+".service"))
		for _, v := range f.all("Timer.OnCalendar") {
			add("TimersCalendar", "{ OnCalendar="+v+" ; next_elapse=n/a }")
		}
		add("NextElapseUSecRealtime", "")
		add("LastTriggerUSec", "")
		add("Result", u.result)
		add("Persistent", yesNo(IsYes(f.get("Timer.Persistent"))))
	default:
		if path.Ext(u.name) == ".socket" {
			add("Result", u.result)
		}
	}
	add("Id", u.name)
	add("Names", strings.Join(append([]string{u.name}, u.names...), " "))
	for _, k := range []string{"Requires", "Wants"} {
		add(k, strings.Join(f.Words("Unit."+k), " "))
	}
	add("RequiredBy", strings.Join(s.dependents(u, ".requires"), " "))
	add("WantedBy", strings.Join(s.dependents(u, ".wants"), " "))
	var triggers []string
	base := strings.TrimSuffix(u.name, path.Ext(u.name))
	for _, x := range s.unitList() {
		if x.load == "loaded" && slices.Contains([]string{base + ".socket", base + ".path", base + ".timer"}, x.name) && x != u {
			triggers = append(triggers, x.name)
		}
	}
	add("TriggeredBy", strings.Join(triggers, " "))
	for _, k := range []string{"Conflicts", "Before", "After", "RequiresMountsFor"} {
		add(k, strings.Join(f.Words("Unit."+k), " "))
	}
	add("Documentation", strings.Join(f.Words("Unit.Documentation"), " "))
	desc := s.specifiers(u, f.get("Unit.Description"))
	add("Description", cmp.Or(desc, u.name))
	add("LoadState", u.load)
	add("ActiveState", u.active)
	add("FreezerState", "running")
	add("SubState", u.sub)
	add("FragmentPath", u.fragment)
	add("SourcePath", f.get("Unit.SourcePath"))
	add("DropInPaths", strings.Join(u.dropIns, " "))
	state := ""
	if u.load != "not-found" {
		state = s.enabledState(u.name)
	}
	add("UnitFileState", state)
	if state != "" {
		add("UnitFilePreset", "enabled")
	} else {
		add("UnitFilePreset", "")
	}
	stamp("StateChangeTimestamp", u.stateChange)
	stamp("InactiveExitTimestamp", u.inactiveExit)
	stamp("ActiveEnterTimestamp", u.activeEnter)
	stamp("ActiveExitTimestamp", u.activeExit)
	stamp("InactiveEnterTimestamp", u.inactiveEnter)
	for _, k := range []string{"CanStart", "CanStop"} {
		add(k, yesNo(u.load == "loaded"))
	}
	add("CanReload", yesNo(len(f.all("Service.ExecReload")) > 0))
	add("NeedDaemonReload", yesNo(u.load != "not-found" && s.stale(u)))
	if u.load == "not-found" {
		add("LoadError", `org.freedesktop.systemd1.NoSuchUnit "Unit `+u.name+` not found."`)
	} else if u.load == "masked" {
		add("LoadError", `org.freedesktop.systemd1.UnitMasked "Unit `+u.name+` is masked."`)
	}
	add("ConditionResult", yesNo(!u.conditioned.IsZero() && u.met))
	stamp("ConditionTimestamp", u.conditioned)
	add("AssertResult", yesNo(!u.activeEnter.IsZero()))
	add("InvocationID", u.invocation)
	return out
}

func (c *systemctl) show(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	var want []string
	for _, v := range c.o.All("p", "P") {
		want = append(want, strings.Split(v, ",")...)
	}
	value := c.o.Has("value", "P")
	if len(args) == 0 {
		for _, kv := range [][2]string{{"Version", "252.38-1~deb12u1"}, {"Architecture", map[string]string{"amd64": "x86-64"}[p.Kernel.Config.Arch] + map[string]string{"arm64": "arm64"}[p.Kernel.Config.Arch]}, {"SystemState", "running"}, {"NFailedUnits", "0"}} {
			if len(want) == 0 || slices.Contains(want, kv[0]) {
				if value {
					p.Print(kv[1], "\n")
				} else {
					p.Print(kv[0], "=", kv[1], "\n")
				}
			}
		}
		return 0
	}
	firstUnit := true
	for _, a := range args {
		for _, u := range c.expand(a) {
			if !firstUnit {
				p.Print("\n")
			}
			firstUnit = false
			for _, kv := range s.properties(u) {
				if len(want) > 0 && !slices.Contains(want, kv[0]) {
					continue
				}
				if len(want) == 0 && kv[1] == "" && !c.o.Has("a") {
					continue
				}
				if value {
					p.Print(kv[1], "\n")
				} else {
					p.Print(kv[0], "=", kv[1], "\n")
				}
			}
		}
	}
	return 0
}
