package systemd

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// starting is one start job of a service.
type starting struct {
	s    *Manager
	u    *unit
	boot bool
	typ  string // Type=
	env  []string
}

// startService runs a service. The manager's lock is held, and released while commands run.
func (s *Manager) startService(u *unit, boot bool) error {
	if err := s.startLimit(u); err != nil {
		return err
	}
	if u.next != nil {
		u.next()
		u.next = nil
	}
	u.stopping = false
	j := &starting{s: s, u: u, boot: boot, typ: u.file.get("Service.Type")}
	if j.typ == "" {
		j.typ = "simple"
		if len(u.file.all("Service.ExecStart")) == 0 {
			j.typ = "oneshot"
		}
	}
	var err error
	if j.env, err = s.environment(u); err != nil {
		return j.fail(err.Error(), 0, 0)
	}
	s.setState(u, "activating", "start")
	for key, root := range map[string]string{
		"RuntimeDirectory": "/run/", "StateDirectory": "/var/lib/", "CacheDirectory": "/var/cache/",
		"LogsDirectory": "/var/log/",
	} {
		for _, d := range u.file.Words("Service." + key) {
			s.k.FS().MkdirAll(root + d)
		}
	}
	if err := j.runAll("Service.ExecCondition", "Service.ExecStartPre"); err != nil {
		return err
	}
	started := true
	if j.typ == "oneshot" {
		err = j.oneshot()
	} else {
		started, err = j.main()
	}
	if err != nil || !started {
		return err
	}
	if err := j.runAll("Service.ExecStartPost"); err != nil {
		s.killService(u)
		return err
	}
	u.result = "success"
	switch {
	case j.typ == "oneshot" && !IsYes(u.file.get("Service.RemainAfterExit")):
		s.setState(u, "inactive", "dead")
		if !boot && !s.referenced(u) {
			s.forget(u)
		}
	case j.typ == "oneshot":
		s.setState(u, "active", "exited")
	case u.active == "activating":
		s.setState(u, "active", "running")
	}
	if !boot {
		s.log(u, "systemd", 1, "Started %s.", s.describe(u))
	}
	return nil
}

// startLimit refuses a service that was started too often lately, and counts this start otherwise.
func (s *Manager) startLimit(u *unit) error {
	limit := s.k.Now().Add(-10 * time.Second)
	u.starts = slices.DeleteFunc(u.starts, func(t time.Time) bool { return t.Before(limit) })
	burst := 5
	if v := u.file.get("Unit.StartLimitBurst"); v != "" {
		burst, _ = strconv.Atoi(v)
	}
	interval := cmp.Or(u.file.get("Unit.StartLimitIntervalSec"), u.file.get("Unit.StartLimitInterval"),
		u.file.get("Service.StartLimitInterval"))
	if interval == "0" {
		burst = 1 << 30
	}
	if len(u.starts) >= burst && burst > 0 {
		u.result = "start-limit-hit"
		s.setState(u, "failed", "failed")
		s.log(u, "systemd", 1, "%s: Start request repeated too quickly.", u.name)
		return errors.New("start-limit-hit")
	}
	u.starts = append(u.starts, s.k.Now())
	return nil
}

// fail ends the job.
func (j *starting) fail(result string, code, status int) error {
	j.u.result, j.u.execCode, j.u.execStatus = result, code, status
	j.s.setState(j.u, "failed", "failed")
	j.s.log(j.u, "systemd", 1, "%s: Failed with result '%s'.", j.u.name, result)
	if !j.boot {
		j.s.log(j.u, "systemd", 1, "Failed to start %s.", j.s.describe(j.u))
	}
	return errors.New(result)
}

// runAll runs the control commands of settings, one after the other. At boot there are none.
func (j *starting) runAll(settings ...string) error {
	if j.boot {
		return nil
	}
	for _, key := range settings {
		for _, l := range j.u.file.all(key) {
			if err := j.run(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// run executes a control command and waits for it.
func (j *starting) run(line string) error {
	args, ignore := j.s.command(j.u, line, j.env)
	if len(args) == 0 {
		return nil
	}
	p, err := j.s.spawn(j.u, args, j.env, true)
	if err != nil {
		if ignore {
			return nil
		}
		return j.fail("exit-code", 1, spawnStatus(err))
	}
	if p.Stub { // a daemon of the base: it does nothing, well
		p.Finish(kernel.WaitStatus{})
		return nil
	}
	j.s.mu.Unlock()
	<-p.Done
	j.s.mu.Lock()
	switch st := p.Status; {
	case ignore:
	case st.Signal != 0:
		return j.fail("signal", 2, st.Signal)
	case st.Code != 0:
		return j.fail("exit-code", 1, st.Code)
	}
	return nil
}

// spawnStatus is the number in an error of spawn, such as 203/EXEC.
func spawnStatus(err error) int {
	status, _ := strconv.Atoi(strings.SplitN(err.Error(), "/", 2)[0])
	return status
}

// oneshot runs the commands of a service of Type=oneshot.
func (j *starting) oneshot() error {
	u := j.u
	for _, l := range u.file.all("Service.ExecStart") {
		u.execStart = j.s.k.Now()
		if err := j.run(l); err != nil {
			j.s.scheduleRestart(u)
			return err
		}
		u.execExit, u.execCode, u.execStatus = j.s.k.Now(), 1, 0
	}
	return nil
}

// main starts the main process of any other service, and waits until it is up. Without an error started can be false: a
// simple service is started as soon as it is forked, and what comes after is a failure of the running service.
func (j *starting) main() (started bool, err error) {
	s, u := j.s, j.u
	args, ignore := s.command(u, u.file.get("Service.ExecStart"), j.env)
	if len(args) == 0 {
		return false, j.fail("resources", 0, 0)
	}
	p, err := s.spawn(u, args, j.env, true)
	if err != nil {
		u.execStart = s.k.Now()
		err := j.fail("exit-code", 1, spawnStatus(err))
		s.scheduleRestart(u)
		if j.typ == "simple" || j.typ == "idle" || ignore {
			return false, nil
		}
		return false, err
	}
	u.proc, u.execPID, u.execStart = p, p.PID, s.k.Now()
	u.execExit, u.execCode, u.execStatus = time.Time{}, 0, 0
	u.ready = make(chan struct{})
	gone := p.AtExit(func(st kernel.WaitStatus) { s.exited(u, p, st) })
	if p.Stub {
		return true, nil
	}
	if gone {
		go s.exited(u, p, p.Status)
	}
	switch j.typ {
	case "notify", "forking", "dbus", "notify-reload":
		if err := j.awaitReady(p, u.ready); err != nil {
			return false, err
		}
	}
	return true, nil
}

// awaitReady waits for readiness, or for the end of the process.
func (j *starting) awaitReady(p *kernel.Process, ready <-chan struct{}) error {
	s, u := j.s, j.u
	s.mu.Unlock()
	timeout := make(chan struct{})
	stop := s.k.After(90*time.Second, func() { close(timeout) })
	select {
	case <-ready:
	case <-p.Done:
	case <-timeout:
		p.Die(kernel.SigKILL)
	}
	stop()
	s.mu.Lock()
	select {
	case <-ready:
		return nil
	default:
	}
	if j.typ == "forking" && p.Status == (kernel.WaitStatus{}) {
		u.proc = nil
		return nil
	}
	for u.proc == p && !s.k.Off() { // exited will tell, unless the machine goes down
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
	}
	return errors.New(u.result)
}

// Ready tells the service manager that a service of Type=notify is up, as sd_notify(3) READY=1 does. Until then
// "systemctl start" waits.
func Ready(p *kernel.Process) {
	s := Of(p.Kernel)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[p.Unit]
	if u == nil || u.ready == nil {
		return
	}
	select {
	case <-u.ready:
	default:
		close(u.ready)
	}
}

// exited is told when a main process has ended.
func (s *Manager) exited(u *unit, p *kernel.Process, st kernel.WaitStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.k.Off() || u.proc != p {
		return
	}
	u.proc = nil
	u.execExit = s.k.Now()
	u.execCode, u.execStatus = 1, st.Code
	if st.Signal != 0 {
		u.execCode, u.execStatus = 2, st.Signal
	}
	clean := st.Code == 0 && st.Signal == 0 || st.Signal == kernel.SigTERM || st.Signal == kernel.SigINT ||
		st.Signal == kernel.SigHUP || st.Signal == kernel.SigPIPE ||
		slices.Contains(u.file.Words("Service.SuccessExitStatus"), strconv.Itoa(st.Code)) && st.Signal == 0
	if u.stopping {
		return // stopLocked goes on
	}
	s.log(u, "systemd", 1, "%s: Main process exited, code=%s, status=%d", u.name,
		map[int]string{1: "exited", 2: "killed"}[u.execCode], u.execStatus)
	if clean {
		u.result = "success"
		if IsYes(u.file.get("Service.RemainAfterExit")) {
			s.setState(u, "active", "exited")
		} else {
			s.setState(u, "inactive", "dead")
		}
	} else {
		u.result = "exit-code"
		if st.Signal != 0 {
			u.result = "signal"
		}
		s.setState(u, "failed", "failed")
		s.log(u, "systemd", 1, "%s: Failed with result '%s'.", u.name, u.result)
	}
	s.scheduleRestart(u)
}

// scheduleRestart follows Restart= after a service has ended by itself.
func (s *Manager) scheduleRestart(u *unit) {
	bad := u.result != "success"
	again := false
	switch u.file.get("Service.Restart") {
	case "always":
		again = true
	case "on-failure":
		again = bad
	case "on-abnormal", "on-abort":
		again = u.result == "signal"
	case "on-success":
		again = !bad
	}
	if slices.Contains(u.file.Words("Service.RestartPreventExitStatus"), strconv.Itoa(u.execStatus)) && u.execCode == 1 {
		again = false
	}
	if !again || u.stopping || u.result == "start-limit-hit" {
		return
	}
	d := 100 * time.Millisecond
	if v := u.file.get("Service.RestartSec"); v != "" {
		if x, ok := timespan(v); ok {
			d = x
		}
	}
	u.active, u.sub = "activating", "auto-restart"
	u.next = s.k.After(d, func() { s.Restart(u) })
}

// Restart starts a service again whose pause is over, unless the machine goes down, or was started anew, meanwhile.
func (s *Manager) Restart(u *unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if Of(s.k) != s || s.k.Off() || u.sub != "auto-restart" {
		return
	}
	u.next = nil
	u.active = "inactive"
	u.Restarts++
	s.startService(u, false)
}

// timeUnits are those of systemd.time(7), but for months and years.
var timeUnits = map[string]time.Duration{
	"us": time.Microsecond, "usec": time.Microsecond,
	"ms": time.Millisecond, "msec": time.Millisecond,
	"s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// timespan reads systemd.time(7) spans.
func timespan(v string) (time.Duration, bool) {
	if f, err := strconv.ParseFloat(v, 64); err == nil {
		return time.Duration(f * float64(time.Second)), true
	}
	var total time.Duration
	s := strings.ReplaceAll(v, " ", "")
	for s != "" {
		i := 0
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
			i++
		}
		j := i
		for j < len(s) && s[j]|0x20 >= 'a' && s[j]|0x20 <= 'z' {
			j++
		}
		f, err := strconv.ParseFloat(s[:i], 64)
		u, ok := timeUnits[s[i:j]]
		if err != nil || !ok {
			return 0, false
		}
		total += time.Duration(f * float64(u))
		s = s[j:]
	}
	return total, v != ""
}
