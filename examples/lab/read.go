package main

import (
	"context"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
)

// read reads the config that the command line chooses, and says what the run is about. It returns the name of
// the config.
func (r *runner) read() (name string, err error) {
	name, data, err := r.choose()
	if err != nil {
		return name, err
	}
	if r.lab, err = ReadConfig(name, data); err != nil {
		return name, err
	}
	if err := r.lab.limit(r.limit); err != nil {
		return name, err
	}
	if err := r.lab.confirmable(r.request.Confirmed); err != nil {
		return name, err
	}
	about(r.out, r.call, r.lab, name)
	return name, nil
}

// visit finds out what the run works on, which is to be closed. The keys to log in with are unlocked.
func (r *runner) visit(ctx context.Context) (err error) {
	if r.sandbox {
		r.site, err = r.lab.sandbox(ctx)
	} else {
		r.site, err = r.lab.real()
	}
	if err != nil {
		return err
	}
	if err := r.unlock(ctx, r.site.machines); err != nil {
		r.site.close()
		return err
	}
	return nil
}

// unlock asks for the passphrases of the keys that the machines are logged in to with, and has their progress shown.
func (r *runner) unlock(ctx context.Context, machines []*host.Machine) error {
	var targets []*ssh.Target
	for _, m := range machines {
		m.Events = r.out.Event
		targets = append(targets, &m.Target)
	}
	return login.UnlockTargets(ctx, r.terminal, targets...)
}
