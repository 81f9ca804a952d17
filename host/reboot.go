package host

import (
	"context"
	"errors"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// rebootTimeout is how long a reboot may take. A Raspberry Pi that checks a large file system takes
// minutes.
const rebootTimeout = 5 * time.Minute

// reboot reboots the machine once for all changes that ask for it.
func (e *execution) reboot(ctx context.Context, reboots []int) error {
	var ids []string
	for _, i := range reboots {
		if missing := e.notDone(i, nil); missing != "" {
			e.skip(i, missing)
			continue
		}
		ids = append(ids, e.changes[i].id)
	}
	if len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		e.r.Start(id)
	}
	err := e.m.Reboot(ctx, e.boot, e.r.Wait)
	for _, id := range ids {
		e.r.Done(id, err)
		e.done[id] = err == nil
	}
	return err
}

// Reboot reboots the machine and waits, for at most 5 minutes, until its boot ID has changed. bootID
// is the boot ID that the machine had when the reboot was decided on: a machine with a different one
// has been rebooted since, and is left alone. Empty means its current one. progress, which may be
// nil, is called with what is being waited for.
func (m *Machine) Reboot(ctx context.Context, bootID string, progress func(string)) error {
	boot := func(ctx context.Context) (string, error) {
		f, err := m.Facts(ctx)
		return f.BootID, err
	}
	now, err := boot(ctx)
	if err != nil {
		return err
	}
	if bootID != "" && now != bootID {
		return nil
	}
	// systemctl returns before the shutdown, but the connection may be lost before its answer arrives.
	res, err := m.Run(ctx, ssh.Command{Script: "systemctl reboot", Root: true})
	switch {
	case err != nil && (ctx.Err() != nil || !errors.Is(err, lab.ErrUnreachable)):
		return err
	case err == nil && res.Exit > 0 && res.Exit < 128: // a higher status means that the shutdown ended it
		return &lab.Error{Op: "reboot", Target: m.Name(), Hint: "on the machine: systemctl reboot", Err: res.Err()}
	}
	poll := lab.Poll{What: m.Name() + " to boot", First: 500 * time.Millisecond, Timeout: rebootTimeout, Report: progress}
	return lab.Wait(ctx, poll, func(ctx context.Context) (bool, error) {
		_ = m.Close() // it may be connected to the system that is shutting down
		try, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		id, err := boot(try)
		if errors.Is(err, lab.ErrHostKey) || errors.Is(err, lab.ErrUnauthorized) {
			return false, err
		}
		return err == nil && id != "" && id != now, nil
	})
}
