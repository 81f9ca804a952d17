package ssh

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab"
)

//go:embed sh/kill.sh
var killScript string

// kill stops the processes of a session. It returns "terminated", "killed", or "" if no process was
// left. If the machine opens no further session, kill connects a second time.
func (c *Conn) kill(ctx context.Context, s *session) (how string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, killTimeout, fmt.Errorf("%w after %s", lab.ErrTimeout, killTimeout))
	defer cancel()
	cmd := Command{Root: s.cmd.Root, abandon: true, Script: script(killScript,
		"session", strconv.Itoa(s.pid), "boot", s.boot, "boot_file", bootIDFile, "uptime_file", uptimeFile)}
	r, err := c.Run(ctx, cmd)
	if errors.Is(err, lab.ErrBlocked) {
		var second *Conn
		if second, err = Dial(ctx, c.target); err == nil {
			r, err = second.Run(ctx, cmd)
			second.Close()
			n := second.Counters()
			c.connections.Add(n.Connections)
			c.execs.Add(n.Execs)
			c.sent.Add(n.BytesSent)
			c.received.Add(n.BytesReceived)
		}
	}
	if err != nil {
		return "", err
	}
	if r.Exit != 0 {
		return "", fmt.Errorf("%w: some are still there 5 s after SIGKILL", lab.ErrTimeout)
	}
	return string(r.Stdout), nil
}
