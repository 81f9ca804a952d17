package host

import (
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

// Unit is the state of a systemd unit. Its files are other resources: a [UnitFile], a [DropIn], a [Package].
//
// What a unit reads when it starts is named by RestartOn. That it must be restarted is not remembered but observed: from the change itself, or,
// when a run was cut off between the change and the restart, from what the unit was last started with, which is noted in /run/lab, or from
// the times of the files. So a restart is never lost, and never made twice.
type Unit struct {
	Order `yaml:",inline"`

	Name      string   `yaml:"name,required"` // with its suffix: "ssh.service"
	Enabled   *bool    `yaml:"enabled"`       // started at boot or not; empty leaves it
	State     string   `yaml:"state"`         // "started" or "stopped"; empty leaves it
	Masked    bool     `yaml:"masked"`        // cannot be started by anything; false leaves it, except that a unit to be started or enabled is unmasked
	RestartOn []string `yaml:"restartOn"`     // IDs of resources: the unit is restarted when one changes
	ReloadOn  []string `yaml:"reloadOn"`      // IDs of resources: the unit is reloaded when one changes, unless it is restarted

	files map[string][]string // of what it watches, by ID, see [Watched]
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
		ps = append(ps, lab.Problem{Path: "name", Text: u.Name, Message: "is a template, which has no state", Hint: "name an instance of it: " + strings.Replace(u.Name, "@.", "@x.", 1)})
	}
	if u.State != "" && u.State != Started && u.State != Stopped {
		ps = append(ps, lab.Problem{Path: "state", Text: u.State, Message: "is not a state", Hint: "started or stopped"})
	}
	if u.Masked && (u.State == Started || u.Enabled != nil && *u.Enabled) {
		ps.Add("masked", "a masked unit can be neither started nor enabled")
	}
	return ps
}

// Provides implements [Provider].
func (u Unit) Provides() []string {
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

// downToken begins the token of a unit that is stopped or disabled, see [Provider].
const downToken = "down:"

// Implies implements [Implier]: systemd reads the units' files before a unit is changed.
func (u Unit) Implies() []Resource { return []Resource{DaemonReload{Units: []string{u.Name}}} }

// Bind implements [Binder]: the times of the files in which the unit reads what it is restarted on tell what it has read.
func (u Unit) Bind(w *Whole) Resource {
	u.files = map[string][]string{}
	for _, id := range u.watches() {
		for _, r := range w.Find(id) {
			if f, ok := r.(Watched); ok {
				u.files[id] = append(u.files[id], f.Files()...)
			}
		}
	}
	return u
}

// watches returns the IDs of what the unit reads when it starts or reloads.
func (u Unit) watches() []string { return append(slices.Clone(u.RestartOn), u.ReloadOn...) }

// Needs implements [Needer].
func (u Unit) Needs() []string { return []string{"daemon-reload"} }

// ComesAfter implements [Ordered].
func (u Unit) ComesAfter() []string {
	return append(slices.Clone(u.Order.After), u.watches()...)
}

func (u Unit) stamp() string { return "/run/lab/unit/" + u.Name }

// want is what the unit would be started with now.
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
	if len(u.RestartOn)+len(u.ReloadOn) > 0 {
		q.Content(u.stamp())
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
	name := ssh.Quote(u.Name)
	active := st.Active == "active" || st.Active == "reloading" || st.Active == "activating"
	var ops []Op
	if u.Masked && (st.Load != "masked" || st.File == "masked-runtime") {
		ops = append(ops, Op{Name: "mask", Action: lab.Update, Cause: "not masked", Script: "systemctl mask -- " + name})
	}
	wanted := u.State == Started || u.Enabled != nil && *u.Enabled
	if wanted && st.Load == "masked" {
		ops = append(ops, Op{Name: "unmask", Action: lab.Update, Cause: "is masked", Script: "systemctl unmask -- " + name + "\n" + shell("runtime", "unit", u.Name, "state", "masked-runtime", "verb", "unmask")})
	}
	if u.Enabled != nil {
		// static, indirect, generated, alias and transient units cannot be enabled and need not be (systemctl(1), is-enabled); of a linked one that
		// tells its file
		enabled := st.File == "enabled" || *u.Enabled && slices.Contains([]string{"static", "indirect", "generated", "alias", "transient"}, st.File) ||
			*u.Enabled && st.File == "linked" && !st.install
		switch {
		case *u.Enabled && !enabled:
			ops = append(ops, Op{Name: "enable", Action: lab.Update, Cause: "is " + orAbsent(st.File), Batch: "systemctl enable --", Item: u.Name})
		case !*u.Enabled && (st.File == "enabled" || st.File == "enabled-runtime"):
			ops = append(ops, Op{Name: "disable", Action: lab.Update, Cause: "is " + st.File, Script: "systemctl disable -- " + name + "\n" + shell("runtime", "unit", u.Name, "state", "enabled-runtime", "verb", "disable")})
		}
	}
	stamp := ""
	if len(u.RestartOn)+len(u.ReloadOn) > 0 {
		stamp = "\n" + shell("started-with", "unit", u.Name, "restart", u.want(u.RestartOn, o), "reload", u.want(u.ReloadOn, o), "stamp", u.stamp())
	}
	switch {
	case u.State == Stopped && active:
		ops = append(ops, Op{Name: "stop", Action: lab.Run, Cause: "is " + st.Active, Risk: lab.RiskRestart, Script: "systemctl stop -- " + name})
	case u.State == Started && !active:
		script := "systemctl start -- " + name
		if st.Active == "failed" {
			script = "systemctl reset-failed -- " + name + "\n" + script // a unit that failed too often is not started
		}
		ops = append(ops, Op{Name: "start", Action: lab.Run, Cause: "is " + orAbsent(st.Active), Script: script + stamp})
	case active:
		if cause := u.stale(o, st, u.RestartOn, 1); cause != "" {
			ops = append(ops, Op{Name: "restart", Action: lab.Run, Cause: cause, Risk: lab.RiskRestart, Script: "systemctl restart -- " + name + stamp})
		} else if cause := u.stale(o, st, u.ReloadOn, 2); cause != "" {
			ops = append(ops, Op{Name: "reload", Action: lab.Run, Cause: cause, Script: "systemctl reload -- " + name + stamp})
		}
	}
	return ops, nil
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}

// stale returns why the unit runs with other files than those it would be started with now, "" when it does not. The field is that of the
// stamp with the fingerprint of the resources.
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
			return "runs with what was configured before"
		}
		return ""
	}
	// Not started by us since the boot. What is younger than the start was not read by it.
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
