package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// postgresSettings lets a running server read its files again, or restarts it when a setting needs
// that. That it must is observed: the server reports when it has read its files and what waits for a
// restart.
type postgresSettings struct {
	host.Order
	name  string
	files []compose.File
}

// ID implements [host.Resource].
func (p postgresSettings) ID() string { return "postgres:" + p.name }

// Validate implements [host.Resource].
func (p postgresSettings) Validate() lab.Problems { return nil }

func (p postgresSettings) path(f compose.File) string { return path.Join(dirOf(p.name), f.Path) }

// Observe implements [host.Resource].
func (p postgresSettings) Observe(q *host.Query) {
	arguments := "set --"
	for _, f := range p.files {
		q.Sum(p.path(f), sha256.Sum256([]byte(contentOf(f))))
		arguments += " " + ssh.Quote(p.path(f))
	}
	q.Probe(p.ID(), arguments+"\n"+inService(p.name, "postgres", nil, "query.sh", "settings.sh"))
}

func contentOf(f compose.File) string {
	if !f.Secret.IsZero() {
		return f.Secret.Reveal()
	}
	return f.Content
}

// serverFacts is what a server says of its settings.
type serverFacts struct {
	changed    float64  // when the newest of its files was, in seconds since 1970
	loaded     float64  // when it has read them; 0 when it did not say
	pending    []string // settings that wait for a restart
	postmaster []string // those that only a restart changes
}

func readServer(output []byte) (f serverFacts) {
	for line := range strings.Lines(string(output)) {
		w := strings.Fields(line)
		if len(w) != 2 {
			continue
		}
		n, _ := strconv.ParseFloat(w[1], 64) // 0 for a name
		switch w[0] {
		case "changed":
			f.changed = max(f.changed, n)
		case "loaded":
			f.loaded = n
		case "pending":
			f.pending = append(f.pending, w[1])
		case "postmaster":
			f.postmaster = append(f.postmaster, w[1])
		}
	}
	return f
}

// Plan implements [host.Resource].
func (p postgresSettings) Plan(o *host.Observation) ([]host.Op, error) {
	r := o.Probe(p.ID())
	f := readServer(r.Output)
	if r.Exit != 0 || f.loaded == 0 {
		return nil, nil // it does not run: what starts it lets it read everything
	}
	changed, postponed := p.compare(o, f)
	switch {
	case len(postponed) > 0:
		return []host.Op{{Name: "restart", Action: lab.Run, Risk: lab.RiskRestart,
			Cause:  strings.Join(postponed, ", ") + " cannot be changed while the server runs",
			Script: inService(p.name, "postgres", nil, "wait.sh", "query.sh", "restartpostgres.sh")}}, nil
	case len(changed) > 0:
		return []host.Op{p.reload("notified by " + strings.Join(changed, ", "))}, nil
	case f.changed > f.loaded:
		return []host.Op{p.reload("its files changed since it has read them")}, nil
	}
	return nil, nil
}

// compare returns the files that this plan changes, and the settings that only a restart changes
// and that are to be changed, or are already.
func (p postgresSettings) compare(o *host.Observation, f serverFacts) (changed, postponed []string) {
	for _, file := range p.files {
		sum := sha256.Sum256([]byte(contentOf(file)))
		have := o.Sum(p.path(file))
		if have == "" || have == hex.EncodeToString(sum[:]) {
			continue
		}
		changed = append(changed, file.Path)
		if old, ok := o.Shown(p.path(file)); ok && path.Base(file.Path) == "postgresql.conf" {
			for _, name := range changedSettings(string(old), file.Content) {
				if slices.Contains(f.postmaster, name) {
					postponed = append(postponed, name)
				}
			}
		}
	}
	for _, name := range f.pending {
		if !slices.Contains(postponed, name) {
			postponed = append(postponed, name)
		}
	}
	return changed, postponed
}

// reload makes the server read its files again.
func (p postgresSettings) reload(cause string) host.Op {
	return host.Op{Name: "reload", Action: lab.Run, Cause: cause,
		Script: inService(p.name, "postgres", nil, "wait.sh", "query.sh", "reload.sh")}
}

// changedSettings returns the names of the settings that differ between two files as the stack
// writes them.
func changedSettings(before, after string) (out []string) {
	read := func(text string) map[string]string {
		m := map[string]string{}
		for line := range strings.Lines(text) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
				m[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
			}
		}
		return m
	}
	a, b := read(before), read(after)
	for k, v := range b {
		if w, ok := a[k]; !ok || w != v {
			out = append(out, k)
		}
	}
	for k := range a {
		if _, ok := b[k]; !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}
