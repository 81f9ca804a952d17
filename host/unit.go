package host

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Unit is the state of a systemd unit. Its files are other resources: a [UnitFile], a [DropIn], a
// [Package].
//
// RestartOn lists what the unit reads when it starts. That the unit must be restarted is not
// remembered but observed: from a change in the same plan or, if a run was cut off between the change
// and the restart, from the fingerprint of what the unit was last started with, which is noted in
// /run/lab, or from the times of the files. So a restart is never lost and never made twice.
//
// What systemd does at boot counts, not only its words: a unit that is generated from a script of
// /etc/init.d is enabled if a link starts it, and one that systemd calls enabled, but whose file is in
// /run, is an error. A unit in a restart loop is not started. A oneshot service that does not remain
// active (RemainAfterExit=) counts as started if it has run successfully since the boot.
type Unit struct {
	Order `yaml:",inline"`

	Name      string   `yaml:"name,required"` // with its suffix: "ssh.service"
	Enabled   *bool    `yaml:"enabled"`       // whether it is started at boot; empty leaves that as it is
	State     string   `yaml:"state"`         // "started" or "stopped"; empty leaves it as it is
	Masked    bool     `yaml:"masked"`        // cannot be started; false leaves it as it is, unless the unit is to be started or enabled
	RestartOn []string `yaml:"restartOn"`     // IDs of resources: the unit is restarted when one changes
	ReloadOn  []string `yaml:"reloadOn"`      // IDs of resources: the unit is reloaded when one changes, unless it is restarted

	files map[string][]string // ID in RestartOn or ReloadOn -> files, see [Relations]
	down  []string            // units that the same state stops
}

// The states of a unit that can be asked for.
const (
	Started = "started"
	Stopped = "stopped"
)

// ID returns "unit:NAME".
func (u Unit) ID() string { return "unit:" + u.Name }

// Validate implements [Resource].
func (u Unit) Validate() (ps lab.Problems) {
	checkUnitName(&ps, "name", u.Name)
	if strings.Contains(u.Name, "@.") {
		ps = append(ps, lab.Problem{Path: "name", Text: u.Name, Message: "is a template, which has no state",
			Hint: "name an instance of it: " + strings.Replace(u.Name, "@.", "@x.", 1)})
	}
	if u.State != "" && u.State != Started && u.State != Stopped {
		ps = append(ps, lab.Problem{Path: "state", Text: u.State, Message: "is not a state", Hint: "started or stopped"})
	}
	if u.Masked && (u.State == Started || u.Enabled != nil && *u.Enabled) {
		ps.Add("masked", "a masked unit can be neither started nor enabled")
	}
	return ps
}

// Relations implements [Related].
func (u Unit) Relations() Relations {
	return Relations{Provides: u.provides(), Needs: []string{"daemon-reload"}}
}

// provides returns the tokens that it provides.
func (u Unit) provides() []string {
	names := []string{u.Name}
	if prefix, rest, ok := strings.Cut(u.Name, "@"); ok {
		names = append(names, prefix+"@"+path.Ext(rest))
	}
	var tokens []string
	for _, name := range names {
		tokens = append(tokens, "unit:"+name)
		if (u.State == Stopped || u.Enabled != nil && !*u.Enabled) && len(u.ComesAfter()) == 0 {
			tokens = append(tokens, downToken+name)
		}
	}
	return tokens
}

// downToken starts the token of a unit that is stopped or disabled, see [Relations].
const downToken = "down:"

// Implies implements [Implier]: systemd reads changed unit files before a unit is changed.
func (u Unit) Implies() []Resource { return []Resource{DaemonReload{Units: []string{u.Name}}} }

// Bind implements [Binder]: it finds the files of the resources that the unit watches, and what else is
// stopped.
func (u Unit) Bind(w *Whole) Resource {
	for _, r := range w.resources {
		if other, ok := r.(Unit); ok && other.State == Stopped {
			u.down = append(u.down, other.Name)
		}
	}
	u.files = map[string][]string{}
	for _, id := range u.watches() {
		for _, r := range w.Find(id) {
			u.files[id] = append(u.files[id], relations(r).Files...)
		}
	}
	return u
}

// watches returns the IDs of the resources that the unit reads when it starts or reloads.
func (u Unit) watches() []string { return append(slices.Clone(u.RestartOn), u.ReloadOn...) }

// ComesAfter implements [Ordered].
func (u Unit) ComesAfter() []string {
	return append(slices.Clone(u.Order.After), u.watches()...)
}

// stamp returns the file that notes what the unit was last started with.
func (u Unit) stamp() string { return "/run/lab/unit/" + u.Name }

// want returns the fingerprint of the resources that the unit would be started with now.
func (u Unit) want(ids []string, o *Observation) string {
	h := sha256.New()
	for _, id := range ids {
		fmt.Fprintf(h, "%q %q\n", id, o.Fingerprint(id))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Observe implements [Resource].
func (u Unit) Observe(q *Query) {
	q.Unit(u.Name)
	if u.State == Stopped && !u.Masked {
		q.Probe(u.ID(), shell("triggers", "unit", u.Name))
	}
	if u.State == Started || len(u.watches()) > 0 {
		q.Content(u.stamp())
	}
	if len(u.watches()) > 0 {
		for _, id := range u.watches() {
			for _, file := range u.files[id] {
				q.Path(file)
			}
		}
	}
}

// Plan implements [Resource].
func (u Unit) Plan(o *Observation) ([]Op, error) {
	st := o.Unit(u.Name)
	enabling, err := u.planEnabled(o, st)
	if err == nil {
		err = u.refuseStop(o)
	}
	if err != nil {
		return nil, err
	}
	return slices.Concat(u.planMask(st), enabling, u.planState(o, st)), nil
}

// planMask returns the op that masks or unmasks the unit.
func (u Unit) planMask(st UnitState) []Op {
	wanted := u.State == Started || u.Enabled != nil && *u.Enabled
	own := u.own(st)
	switch {
	case u.Masked && (st.Load != "masked" || st.File == "masked-runtime"):
		return []Op{{Name: "mask", Action: lab.Update, Cause: "not masked", Script: own.systemctl("mask")}}
	case wanted && st.Load == "masked":
		return []Op{{Name: "unmask", Action: lab.Update, Cause: "is masked",
			Script: own.systemctl("unmask") + "\n" +
				shell("runtime", "unit", own.Name, "state", "masked-runtime", "verb", "unmask")}}
	}
	return nil
}

// own returns the unit under its own name: links at boot, and masks, are of that, not of an alias.
func (u Unit) own(st UnitState) Unit {
	u.Name = cmp.Or(st.id, u.Name)
	return u
}

// planEnabled returns the op that enables or disables the unit. It is an error if systemctl cannot do that.
func (u Unit) planEnabled(o *Observation, st UnitState) ([]Op, error) {
	own := u.own(st)
	switch {
	case u.Enabled == nil:
	case *u.Enabled && !st.enabled():
		if err := st.refuseEnable(o); err != nil {
			return nil, err
		}
		return []Op{{Name: "enable", Action: lab.Update, Cause: "is " + cmp.Or(st.File, "absent") + st.detail(),
			Batch: "systemctl enable --", Item: own.Name}}, nil
	case *u.Enabled:
		return nil, st.refuseEnable(o)
	case st.File == "enabled" || st.File == "enabled-runtime" || st.boot == "on" || st.boot == "part":
		return []Op{{Name: "disable", Action: lab.Update, Cause: "is " + st.File + st.detail(),
			Script: own.systemctl("disable") + "\n" +
				shell("runtime", "unit", own.Name, "state", "enabled-runtime", "verb", "disable")}}, nil
	case !u.Masked:
		return nil, st.refuseDisable()
	}
	return nil, nil
}

// enabled reports whether the unit is enabled or need not be: static, alias and transient units cannot be
// (systemctl(1), is-enabled), nor can linked ones without an [Install] section, nor generated ones that do
// not come from a script of /etc/init.d.
func (st UnitState) enabled() bool {
	switch st.File {
	case "enabled", "static", "alias", "transient":
		return true
	case "generated", "indirect":
		return st.boot == "" || st.boot == "on"
	case "linked":
		return !st.install
	}
	return false
}

// detail returns what the word for a unit does not say.
func (st UnitState) detail() string {
	switch {
	case st.boot == "":
		return ""
	case st.source != "":
		return " from " + st.source + ", " + st.boot + " at boot"
	}
	return map[string]string{
		"on": ", and enables others", "off": ", and nothing enables it", "part": ", and enables some others",
	}[st.boot]
}

// refuseEnable returns an error if the unit would not be started at boot although it is, or can be, enabled.
func (st UnitState) refuseEnable(o *Observation) error {
	generated := st.File == "generated" && st.boot == ""
	volatile := strings.HasPrefix(st.Fragment, "/run/") && st.File != "generated" && st.Load != "masked"
	switch {
	case generated && st.wantedBy == "" && st.source != "":
		return &lab.Error{Op: "enable unit", Hint: "change " + st.source,
			Err: fmt.Errorf("%w: it is generated from %s, which does not start it at boot", lab.ErrConflict, st.source)}
	case volatile && o.PendingToken(unitFiles) == "":
		return &lab.Error{Op: "enable unit", Hint: "put its file into /etc/systemd/system",
			Err: fmt.Errorf("%w: its file %s does not survive a boot", lab.ErrConflict, st.Fragment)}
	}
	return nil
}

// refuseDisable returns an error if the unit is started at boot and systemctl cannot change that.
func (st UnitState) refuseDisable() error {
	fixed := st.File == "static" || st.File == "generated" && st.boot == ""
	if !fixed || st.wantedBy == "" {
		return nil
	}
	return &lab.Error{Op: "disable unit", Hint: "set masked: true",
		Err: fmt.Errorf("%w: it is %s, and started by %s", lab.ErrConflict, st.File, st.wantedBy)}
}

// refuseStop returns an error if the unit would not stay stopped, because a socket or a path that stays
// active starts it when it is used.
func (u Unit) refuseStop(o *Observation) error {
	for _, trigger := range strings.Fields(string(o.Probe(u.ID()).Output)) {
		if u.State == Stopped && !u.Masked && !slices.Contains(u.down, trigger) {
			return &lab.Error{Op: "stop unit", Hint: "stop and disable " + trigger + " as well, or set masked: true",
				Err: fmt.Errorf("%w: %s is active, and starts it again when it is used", lab.ErrConflict, trigger)}
		}
	}
	return nil
}

// looping reports whether the unit failed and waits to be restarted.
func (st UnitState) looping() bool { return strings.HasPrefix(st.Sub, "auto-restart") }

// planState returns the op that starts, stops, restarts or reloads the unit.
func (u Unit) planState(o *Observation, st UnitState) []Op {
	active := st.Active == "active" || st.Active == "reloading" || st.Active == "activating" || st.Active == "refreshing"
	switch {
	case u.State == Stopped && (active || st.Active == "deactivating"):
		return []Op{{Name: "stop", Action: lab.Run, Cause: "is " + st.Active, Risk: lab.RiskRestart,
			Script: u.systemctl("stop")}}
	case u.State == Started && (!active || st.looping()):
		return u.planStart(o, st)
	case !active:
		return nil
	}
	if cause := u.stale(o, st, u.RestartOn, 1); cause != "" {
		return []Op{{Name: "restart", Action: lab.Run, Cause: cause, Risk: lab.RiskRestart,
			Script: u.systemctl("restart") + u.note(o, st)}}
	}
	if cause := u.stale(o, st, u.ReloadOn, 2); cause != "" {
		return []Op{{Name: "reload", Action: lab.Run, Cause: cause, Script: u.systemctl("reload") + u.note(o, st)}}
	}
	return nil
}

// planStart returns the op that starts the unit, which is not running; none for a oneshot that has run.
func (u Unit) planStart(o *Observation, st UnitState) []Op {
	cause := "is " + cmp.Or(st.Active, "absent")
	switch {
	case st.looping():
		cause = "is in a restart loop: " + cmp.Or(st.Result, st.Sub)
	case st.unmet:
		cause += ", because a condition in its file was not met"
	case st.oneshot && st.Active == "inactive":
		ran, why := u.ran(o, st)
		if ran {
			return nil
		}
		cause = cmp.Or(why, cause)
	}
	script := u.systemctl("start") + u.note(o, st)
	switch {
	case st.Active == "failed": // systemd does not start a unit that failed too often
		script = u.systemctl("reset-failed") + "\n" + script
	case st.looping(): // the start would wait for the next restart
		script = u.systemctl("stop") + "\n" + script
	}
	return []Op{{Name: "start", Action: lab.Run, Cause: cause, Script: script}}
}

// ran reports whether the oneshot has run successfully since the boot, with what it would read now;
// otherwise why says what has changed. systemd forgets a unit that nothing refers to, so its own stamp
// counts first.
func (u Unit) ran(o *Observation, st UnitState) (ran bool, why string) {
	for _, id := range u.watches() {
		if o.Pending(id) {
			return false, "notified by " + lab.Printable(id)
		}
	}
	stamp, _ := o.Content(u.stamp())
	if f := strings.Fields(string(stamp)); len(f) == 3 {
		if f[1] != u.want(u.RestartOn, o) || f[2] != u.want(u.ReloadOn, o) {
			return false, "ran with an earlier configuration"
		}
		return true, ""
	}
	return st.exited && st.Result == "success", ""
}

// systemctl returns the command with the verb for the unit.
func (u Unit) systemctl(verb string) string { return "systemctl " + verb + " -- " + ssh.Quote(u.Name) }

// note returns the script lines that note what the unit was started with, if it watches anything or is, or
// may be, a oneshot.
func (u Unit) note(o *Observation, st UnitState) string {
	if len(u.watches()) == 0 && st.Load == "loaded" && !st.oneshot {
		return ""
	}
	return "\n" + shell("started-with", "unit", u.Name, "stamp", u.stamp(),
		"restart", u.want(u.RestartOn, o), "reload", u.want(u.ReloadOn, o))
}

// stale returns why the unit runs with different files from those that it would be started with now,
// "" if it does not. field is the index in the stamp of the fingerprint of the resources.
func (u Unit) stale(o *Observation, st UnitState, ids []string, field int) string {
	if len(ids) == 0 {
		return ""
	}
	for _, id := range ids {
		if o.Pending(id) {
			return "notified by " + lab.Printable(id)
		}
	}
	stamp, _ := o.Content(u.stamp())
	f := strings.Fields(string(stamp))
	if len(f) == 3 && f[0] == st.InvocationID && st.InvocationID != "" {
		if f[field] != u.want(ids, o) {
			return "runs with an earlier configuration"
		}
		return ""
	}
	// The unit was not started by this package since the boot: it has not read files that are newer
	// than its start.
	if st.Entered == 0 || o.now.IsZero() {
		return ""
	}
	started := o.now.Add(-o.Facts.Uptime).Add(st.Entered)
	for _, id := range ids {
		for _, file := range u.files[id] {
			if o.Stat(file).Changed.After(started.Add(time.Second)) {
				return lab.Printable(file) + " changed after it was started"
			}
		}
	}
	return ""
}
