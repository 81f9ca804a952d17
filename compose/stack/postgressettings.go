package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// postgresSettings lets a running server read its files again, or restarts it when a setting needs that. That it must is observed: the server
// tells when it has read its files and what waits for a restart.
type postgresSettings struct {
	host.Order
	name  string
	files []compose.File
}

// ID implements [host.Resource].
func (p postgresSettings) ID() string { return "postgres:" + p.name }

// Check implements [host.Resource].
func (p postgresSettings) Validate() lab.Problems { return nil }

func (p postgresSettings) path(f compose.File) string { return path.Join(dirOf(p.name), f.Path) }

// psql returns the beginning of a command that runs SQL from its standard input in the container $i.
const psql = `docker exec -i -u postgres "$i" psql -XAtq -F ' ' -v ON_ERROR_STOP=1 -U postgres -d postgres`

// Observe implements [host.Resource].
func (p postgresSettings) Observe(q *host.Query) {
	var files []string
	for _, f := range p.files {
		q.Sum(p.path(f), sha256.Sum256([]byte(contentOf(f))))
		files = append(files, ssh.Quote(p.path(f)))
	}
	q.Probe(p.ID(), container(p.name, "postgres")+fmt.Sprintf(`stat -c 'changed %%.9Z' -- %s 2>/dev/null
%s <<'SQL'
SELECT 'loaded', extract(epoch FROM pg_conf_load_time());
SELECT 'pending', name FROM pg_settings WHERE pending_restart ORDER BY name;
SELECT 'postmaster', name FROM pg_settings WHERE context = 'postmaster';
SQL`, strings.Join(files, " "), psql))
}

func contentOf(f compose.File) string {
	if !f.Secret.IsZero() {
		return f.Secret.Reveal()
	}
	return f.Content
}

// Plan implements [host.Resource].
func (p postgresSettings) Plan(o *host.Observation) ([]host.Op, error) {
	r := o.Probe(p.ID())
	if r.Exit != 0 {
		return nil, nil // it does not run: what starts it lets it read everything
	}
	var newest, loaded float64
	var pending, postmaster []string
	for line := range strings.Lines(string(r.Output)) {
		w := strings.Fields(line)
		if len(w) != 2 {
			continue
		}
		n, _ := strconv.ParseFloat(w[1], 64) // 0 for a name
		switch w[0] {
		case "changed":
			newest = max(newest, n)
		case "loaded":
			loaded = n
		case "pending":
			pending = append(pending, w[1])
		case "postmaster":
			postmaster = append(postmaster, w[1])
		}
	}
	if loaded == 0 {
		return nil, nil
	}
	var changed, postponed []string
	for _, f := range p.files {
		sum := sha256.Sum256([]byte(contentOf(f)))
		if have := o.Sum(p.path(f)); have != "" && have != hex.EncodeToString(sum[:]) {
			changed = append(changed, f.Path)
			if old, ok := o.Shown(p.path(f)); ok && path.Base(f.Path) == "postgresql.conf" {
				for _, name := range changedSettings(string(old), f.Content) {
					if slices.Contains(postmaster, name) {
						postponed = append(postponed, name)
					}
				}
			}
		}
	}
	for _, name := range pending {
		if !slices.Contains(postponed, name) {
			postponed = append(postponed, name)
		}
	}
	switch {
	case len(postponed) > 0:
		return []host.Op{{Name: "restart", Action: lab.Run, Cause: strings.Join(postponed, ", ") + " cannot be changed while the server runs", Risk: lab.RiskRestart,
			Script: container(p.name, "postgres") + restart(p.name, "postgres") + "\n" + ready("SELECT count(*) = 0 FROM pg_settings WHERE pending_restart") + untilHealthy()}}, nil
	case len(changed) > 0:
		return []host.Op{p.reload("notified by " + strings.Join(changed, ", "))}, nil
	case newest > loaded:
		return []host.Op{p.reload("its files changed since it has read them")}, nil
	}
	return nil, nil
}

// reload makes the server read its files again. It only tells the postmaster to: the load time tells when it did.
func (p postgresSettings) reload(cause string) host.Op {
	return host.Op{Name: "reload", Action: lab.Run, Cause: cause, Script: container(p.name, "postgres") +
		"t=$(" + psql + " -c 'SELECT pg_conf_load_time()')\n" + psql + " -c 'SELECT pg_reload_conf()' >/dev/null\n" +
		ready("SELECT pg_conf_load_time() > '$t'")}
}

// ready waits until a question is answered by t.
func ready(sql string) string {
	return until(fmt.Sprintf("[ \"$(%s -c \"%s\" 2>/dev/null)\" = t ]", psql, sql), "echo 'the server does not say that it did'")
}

// changedSettings returns the names of the settings that differ between two files as the stack writes them.
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
