package ssh

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

//go:embed sh/guard.sh
var guardScript string

//go:embed sh/holder.sh
var holderScript string

// errLocked is the cause if another process holds the lock.
var errLocked = errors.New("another process holds the lock of this machine")

// guarded returns a script that runs text, and ends the connection if we have vanished: see guard.sh. If it
// runs while it holds the machine's lock, it says so in the lock file.
func (t Target) guarded(text string, locked bool) string {
	lock := ""
	if locked {
		lock = t.lockFile()
	}
	every := t.KeepAlive
	if every == 0 {
		every = defaultKeepAlive
	}
	return script(guardScript, "every", strconv.FormatFloat(max(every, 0).Seconds(), 'f', -1, 64),
		"lock", lock, "who", lockOwner(), "text", text)
}

// lockOwner returns who we are, as one word for the lock file: user, machine and process.
func lockOwner() string {
	name, machine := "", ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		machine = h
	}
	plain := func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r
		}
		return '_'
	}
	return strings.Map(plain, fmt.Sprintf("%s@%s,process-%d", name, machine, os.Getpid()))
}

// blocked adds to an error who holds the lock and since when.
func (c *Conn) blocked(ctx context.Context, err error) error {
	var e *lab.Error
	if !errors.As(err, &e) {
		return err
	}
	r, asked := c.Run(ctx, Command{Root: true, Script: script(holderScript, "lock", c.target.lockFile())})
	if asked != nil || r.Exit != 0 {
		return err
	}
	if by := lockHolder(string(r.Stdout), time.Now()); by != "" {
		e.Err = fmt.Errorf("%w: %s", e.Err, by)
	}
	return err
}

// lockHolder reads what holder.sh printed; "" if nothing holds the lock any more.
func lockHolder(printed string, now time.Time) string {
	f := strings.Fields(printed)
	if len(f) < 3 {
		return ""
	}
	if f[0] == "-" {
		return lab.Printable(strings.TrimSpace("process " + f[2] + " " + strings.Join(f[3:], " ")))
	}
	seconds, err := strconv.Atoi(f[1])
	if err != nil {
		return ""
	}
	held := time.Duration(seconds) * time.Second
	who := lab.Printable(strings.ReplaceAll(f[0], ",process-", ", process "))
	return fmt.Sprintf("%s, since %s (%s), by process %s of the machine",
		who, now.Add(-held).Format(time.DateTime), held, f[2])
}
