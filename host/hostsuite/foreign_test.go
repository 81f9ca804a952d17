package hostsuite_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hostsuite"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// TestForeignKinds runs the suite with files and units that are implemented here with the exported
// interfaces of package host alone: a kind of another package can do all that those of host can.
func TestForeignKinds(t *testing.T) {
	files, units := 0, 0
	hostsuite.Run(t, func(t *testing.T) hostsuite.Subject {
		m := hosttest.New(t, hosttest.Config{})
		return hostsuite.Subject{
			Target: ssh.Target{
				Name: "pi1", Address: m.Addr(), User: m.User(),
				Auth:     ssh.Auth{Signers: []cryptossh.Signer{m.ClientKey()}},
				HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(m.HostKey()))}},
			},
			Cuts: 40,
			Kind: func(r host.Resource) host.Resource {
				switch r := r.(type) {
				case host.File:
					if r.Template == "" && r.ValidateWith == "" {
						files++
						return file{r.Order, r.Path, r.Content, r.Value, r.Mode, r.Owner, r.Group, r.Absent}
					}
				case host.Unit:
					units++
					return unit{Order: r.Order, name: r.Name, enabled: r.Enabled != nil && *r.Enabled, restartOn: r.RestartOn}
				}
				return r
			},
		}
	})
	if files == 0 || units == 0 {
		t.Errorf("%d files and %d units were substituted", files, units)
	}
}

// file is a file with this content.
type file struct {
	host.Order
	path, content string
	secret        lab.Secret
	mode          host.Mode
	owner, group  string
	absent        bool
}

func (f file) ID() string { return "file:" + f.path }

func (file) Validate() lab.Problems { return nil }

// Relations implements [host.Related].
func (f file) Relations() host.Relations {
	return host.Relations{
		Provides: f.provides(),
		Needs:    []string{"path:" + f.path, "user:" + f.ownerName(), "group:" + f.groupName()},
		Claims:   []host.Claim{{Path: f.path}},
		Files:    []string{f.path},
	}
}

// provides returns the tokens that it provides.
func (f file) provides() []string {
	tokens := []string{"path:" + f.path}
	if strings.HasPrefix(f.path, "/etc/systemd/system/") {
		tokens = append(tokens, "units")
	}
	return tokens
}

func (f file) Secrets() []lab.Secret { return []lab.Secret{f.secret} }

func (f file) Fingerprint() string {
	sum := f.sum()
	return hex.EncodeToString(sum[:])
}

func (f file) text() string { return f.content + f.secret.Reveal() }

func (f file) sum() [32]byte { return sha256.Sum256([]byte(f.text())) }

func (f file) ownerName() string { return cmp.Or(f.owner, "root") }

func (f file) groupName() string { return cmp.Or(f.group, "root") }

func (f file) fileMode() host.Mode {
	switch {
	case f.mode != 0:
		return f.mode
	case !f.secret.IsZero():
		return 0o600
	}
	return 0o644
}

func (f file) Observe(q *host.Query) { q.Sum(f.path, f.sum()) }

func (f file) Plan(o *host.Observation) ([]host.Op, error) {
	st := o.Stat(f.path)
	sum := f.sum()
	switch {
	case f.absent && st.Type == host.NoFile:
		return nil, nil
	case f.absent:
		return []host.Op{{Action: lab.Delete, Cause: "exists", Script: "rm -f -- " + ssh.Quote(f.path)}}, nil
	case st.Type == host.RegularFile && o.Sum(f.path) == hex.EncodeToString(sum[:]):
		if st.Mode == f.fileMode() && st.User == f.ownerName() && st.Group == f.groupName() {
			return nil, nil
		}
		return []host.Op{{Action: lab.Update, Cause: "mode or owner differs",
			Script: fmt.Sprintf("chown -- %s %[2]s; chmod -- %[3]s %[2]s",
				f.ownerName()+":"+f.groupName(), ssh.Quote(f.path), f.fileMode())}}, nil
	}
	op := host.Op{Action: lab.Create, Cause: "not found"}
	if st.Type != host.NoFile {
		op.Action, op.Cause = lab.Update, "content differs"
	}
	if f.secret.IsZero() {
		op.Diff = lab.Diff(f.path, nil, []byte(f.content))
	}
	temp := path.Join(path.Dir(f.path), ".foreign-"+hex.EncodeToString(sum[:4]))
	op.Payload = &host.Payload{Temp: temp, Size: int64(len(f.text())), Content: []byte(f.text()), Replaces: f.path}
	op.Script = fmt.Sprintf("put %s %s %s %s:%s %x",
		ssh.Quote(temp), ssh.Quote(f.path), f.fileMode(), f.ownerName(), f.groupName(), sum)
	return []host.Op{op}, nil
}

// unit is a running systemd unit that is restarted when what it reads changes.
type unit struct {
	host.Order
	name      string
	enabled   bool
	restartOn []string

	watched map[string][]string // files by ID
}

func (u unit) ID() string { return "unit:" + u.name }

func (unit) Validate() lab.Problems { return nil }

// Relations implements [host.Related].
func (u unit) Relations() host.Relations {
	return host.Relations{Provides: []string{"unit:" + u.name}, Needs: []string{"daemon-reload"}}
}

func (u unit) ComesAfter() []string { return append(slices.Clone(u.After), u.restartOn...) }

func (u unit) Implies() []host.Resource {
	return []host.Resource{host.DaemonReload{Units: []string{u.name}}}
}

func (u unit) Bind(w *host.Whole) host.Resource {
	u.watched = map[string][]string{}
	for _, id := range u.restartOn {
		for _, r := range w.Find(id) {
			if related, ok := r.(host.Related); ok {
				u.watched[id] = append(u.watched[id], related.Relations().Files...)
			}
		}
	}
	return u
}

func (u unit) stamp() string { return "/run/foreign-" + u.name }

func (u unit) Observe(q *host.Query) {
	q.Unit(u.name)
	q.Content(u.stamp())
}

func (u unit) Plan(o *host.Observation) (ops []host.Op, err error) {
	st := o.Unit(u.name)
	if u.enabled && st.File != "enabled" {
		ops = append(ops, host.Op{Name: "enable", Action: lab.Update, Cause: "is " + st.File,
			Batch: "systemctl enable --", Item: u.name})
	}
	var prints strings.Builder
	for _, id := range u.restartOn {
		prints.WriteString(o.Fingerprint(id))
	}
	want := fmt.Sprintf("%x", sha256.Sum256([]byte(prints.String())))
	note := fmt.Sprintf("; echo \"$(systemctl show -p InvocationID --value -- %s) %s\" >%s", u.name, want, u.stamp())
	if st.Active != "active" {
		return append(ops, host.Op{Name: "start", Action: lab.Run, Cause: "is " + st.Active,
			Script: "systemctl start -- " + u.name + note}), nil
	}
	cause := ""
	for _, id := range u.restartOn {
		if o.Pending(id) {
			cause = "notified by " + id
		}
	}
	noted, _ := o.Content(u.stamp())
	if cause == "" && string(noted) != st.InvocationID+" "+want+"\n" {
		cause = "runs with an earlier configuration"
	}
	if cause != "" {
		ops = append(ops, host.Op{Name: "restart", Action: lab.Run, Cause: cause, Risk: lab.RiskRestart,
			Script: "systemctl restart -- " + u.name + note})
	}
	return ops, nil
}
