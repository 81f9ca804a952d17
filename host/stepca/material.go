package stepca

import (
	"fmt"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// material is a file of the authority: the same on every machine, mode 0600, of the user step. It is
// compared by its SHA-256, on the machine, so that a converged run moves no key.
type material struct {
	path  string
	sum   string     // SHA-256 in hex
	value lab.Secret // the content of a key or a password; zero when the machine was seen to have it
	text  string     // the content of everything else
	diff  string     // what may be shown of the change
}

// ID returns "file:PATH".
func (m material) ID() string { return "file:" + m.path }

// Validate implements [host.Resource].
func (material) Validate() lab.Problems { return nil }

// Relations implements [host.Related].
func (m material) Relations() host.Relations {
	return host.Relations{Provides: []string{"path:" + m.path}, Files: []string{m.path},
		Needs: []string{"path:" + m.path, "user:" + account, "group:" + account}, Claims: []host.Claim{{Path: m.path}}}
}

// Fingerprint implements [host.Fingerprinter].
func (m material) Fingerprint() string { return m.sum }

// Secrets implements [host.SecretHolder].
func (m material) Secrets() []lab.Secret { return []lab.Secret{m.value} }

// Observe asks for the sum alone: [host.Query.Sum] would bring the content of another key here.
func (m material) Observe(q *host.Query) {
	q.Path(m.path)
	q.Probe(m.ID(), fmt.Sprintf("[ ! -f %[1]s ] || sha256sum <%[1]s", ssh.Quote(m.path)))
}

// Plan implements [host.Resource].
func (m material) Plan(o *host.Observation) ([]host.Op, error) {
	const mode = host.Mode(0o600)
	st := o.Stat(m.path)
	have, _, _ := strings.Cut(string(o.Probe(m.ID()).Output), " ")
	op := host.Op{Action: lab.Update, Cause: "content differs", Diff: m.diff}
	switch {
	case st.Type == host.DirFile:
		return nil, &lab.Error{Op: "write file", Hint: "remove the directory",
			Err: fmt.Errorf("%w: it is a directory", lab.ErrConflict)}
	case st.Type == host.NoFile:
		op.Action, op.Cause = lab.Create, "not found"
	case st.Type != host.RegularFile:
		op.Action, op.Cause = lab.Replace, "is a "+string(st.Type)
	case have == m.sum && st.Mode == mode && st.User == account && st.Group == account:
		return nil, nil
	case have == m.sum:
		script := fmt.Sprintf("chown -- %s:%s %[3]s\nchmod -- %[4]s %[3]s", account, account, ssh.Quote(m.path), mode)
		return []host.Op{{Action: lab.Update, Cause: fmt.Sprintf("mode %s, owner %s:%s", st.Mode, st.User, st.Group),
			Script: script}}, nil
	}
	content := []byte(m.text + m.value.Reveal())
	if len(content) == 0 {
		return nil, &lab.Error{Op: "compare file", Hint: "plan again",
			Err: fmt.Errorf("%w: it changed while the plan was made", lab.ErrDrift)}
	}
	temp := path.Join(path.Dir(m.path), "."+path.Base(m.path)+".lab")
	op.Payload = &host.Payload{Temp: temp, Size: int64(len(content)), Content: content}
	op.Script = fmt.Sprintf("put %s %s %s %s:%s %s", ssh.Quote(temp), ssh.Quote(m.path), mode, account, account, m.sum)
	return []host.Op{op}, nil
}
