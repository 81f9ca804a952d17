package dns

import (
	"context"
	"fmt"
	"net"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// through is a machine that is reached through a jump, so that its port 53 is not reached from here: its instance is asked
// from the machine itself.
type through struct{ *host.Machine }

// DialContext implements [lab.Dialer], for TCP: SSH forwards no UDP.
func (t through) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := t.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return conn.DialContext(ctx, network, address)
}

// usable asks the instance on the machine, as its programs do: over UDP too, but not for everything.
func (t through) usable(ctx context.Context, c Config, s Server) error {
	v := c.asking()
	v["self"] = s.Address.String()
	r, err := t.Run(ctx, ssh.Command{Root: true, Script: script.Join(embedded, v, "ask.sh", "selfusable.sh")})
	if err == nil && r.Exit != 0 && len(r.Stdout) > 0 {
		return fmt.Errorf("%w: %s", lab.ErrConflict, lab.Printable(strings.TrimSpace(string(r.Stdout))))
	}
	if err == nil {
		err = r.Err()
	}
	return err
}
