package health

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

//go:embed sh/health.sh
var script string

// The names of the checks, in the order in which they are reported.
const (
	reachable   = "reachable"
	hostKey     = "host key"
	login       = "login"
	clock       = "clock"
	uptime      = "uptime"
	memory      = "memory"
	power       = "power"
	reboot      = "reboot"
	diskSpace   = "disk space"
	fileSystems = "file systems"
	timeSource  = "time source"
	units       = "units"
	sudo        = "sudo"
)

// Look examines a machine, and calls report with each finding as soon as it is known. It returns
// when all is examined, or when ctx has ended and the machine was told to stop, which may take long
// if the machine hangs.
func Look(ctx context.Context, m *host.Machine, report func(lab.Finding)) {
	find := func(f lab.Finding) {
		f.Target = m.Name()
		report(f)
	}
	if _, err := m.Conn(ctx); err != nil {
		for _, f := range refused(m, err) {
			find(f)
		}
		return
	}
	for _, f := range connected(m) {
		find(f)
	}
	s := &sections{sent: time.Now(), now: time.Now, found: find}
	res, err := m.Run(ctx, ssh.Command{Script: script, Stdout: s})
	if err == nil {
		err = res.Err()
	}
	s.end(m.Name(), err)
	if ctx.Err() == nil {
		find(asRoot(ctx, m))
	}
}

// connected returns what a connection proves.
func connected(m *host.Machine) []lab.Finding {
	at := m.Target.Address
	if n := len(m.Target.Jump); n > 0 {
		at += " through " + m.Target.Jump[n-1].Address
	}
	return []lab.Finding{
		{Check: reachable, Text: at},
		{Check: hostKey, Text: "as expected"},
		{Check: login, Text: "as " + m.Target.User},
	}
}

// refused returns what the failure to connect says: what works, what does not, and what is not known
// because of it.
func refused(m *host.Machine, err error) []lab.Finding {
	failed, before := login, lab.VerdictOK
	var e *lab.Error
	op := ""
	if errors.As(err, &e) {
		op = e.Op
	}
	silent := errors.Is(err, lab.ErrUnreachable) || errors.Is(err, lab.ErrTimeout)
	switch {
	case errors.Is(err, lab.ErrHostKey):
		failed = hostKey
	case op == "read known hosts":
		failed, before = hostKey, lab.VerdictUnknown
	case op == "log in" && !silent:
	case op == "dial", silent, errors.Is(err, lab.ErrRefused), errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded):
		failed = reachable
	default: // a key of ours that cannot be read, or an agent that does not answer: nothing was dialled
		before = lab.VerdictUnknown
	}
	var out []lab.Finding
	verdict, text := before, ""
	for _, check := range []string{reachable, hostKey, login} {
		f := lab.Finding{Check: check, Verdict: verdict, Text: text}
		switch {
		case check == failed:
			f = broken(m.Name(), check, err)
			verdict, text = lab.VerdictUnknown, "not examined: "+check+" comes first"
		case verdict == lab.VerdictUnknown && text == "":
			f.Text = "not examined: see " + failed
		case verdict == lab.VerdictOK:
			f.Text = map[string]string{reachable: m.Target.Address, hostKey: "as expected"}[check]
		}
		out = append(out, f)
	}
	return out
}

// broken returns the finding of a check that ended with an error. The name of the machine is in the
// table already.
func broken(machine, check string, err error) lab.Finding {
	f := lab.Finding{Check: check, Verdict: lab.VerdictBad, Text: strings.TrimPrefix(err.Error(), machine+": "),
		Hint: strings.Join(lab.Hints(err), "; ")}
	lab.Reword(err, func(s lab.Setting) string {
		f.Set = s
		return ""
	})
	return f
}

// asRoot finds out whether a script can be run as root.
func asRoot(ctx context.Context, m *host.Machine) lab.Finding {
	res, err := m.Run(ctx, ssh.Command{Script: "id -u", Root: true})
	if err == nil {
		err = res.Err()
	}
	if err == nil && strings.TrimSpace(string(res.Stdout)) != "0" {
		err = &lab.Error{Op: "become root", Hint: "log in and see what sudo does: sudo id -u",
			Err: fmt.Errorf("%w: the script ran as user %s", lab.ErrUnauthorized,
				lab.Printable(strings.TrimSpace(string(res.Stdout))))}
	}
	switch {
	case err != nil:
		return broken(m.Name(), sudo, err)
	case m.Target.User == "root":
		return lab.Finding{Check: sudo, Text: "not needed: root logs in"}
	case !m.Target.SudoPassword.IsZero():
		return lab.Finding{Check: sudo, Text: "with the password"}
	}
	return lab.Finding{Check: sudo, Text: "without a password"}
}
