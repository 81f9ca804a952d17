package stepca

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// The names under which the sink keeps what the CA is.
const (
	RootCertificate      = "step-ca-root-certificate"      // PEM; the record that there is an authority
	RootKey              = "step-ca-root-key"              // encrypted PEM, as step ca init made it
	RootPassword         = "step-ca-root-password"         // of the root key
	IntermediatePassword = "step-ca-intermediate-password" // of the key that the machines sign with
	ProvisionerPassword  = "step-ca-provisioner-password"  // of the JWK provisioner's key, for step-issuer
)

// custody moves what must outlive the machines to the sink: the root certificate, as the record that
// there is an authority, and the root key, which no machine needs to issue certificates.
type custody struct {
	c    Config
	sink lab.Sink
}

const rootStep, keyStep = "step-ca/root", "step-ca/root-key"

// record returns the step that keeps the root certificate of the machine.
func (k custody) record(m *host.Machine, after ...string) lab.Step {
	id := rootStep + "/certificate"
	return lab.Step{Name: rootStep, After: after,
		Changes: []lab.Change{{ID: id, Action: lab.Create, Cause: "not found in " + k.sink.String()}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			h, err := look(ctx, m)
			if err == nil {
				err = k.keepRoot(ctx, h)
			}
			r.Done(id, err)
			return err
		}}
}

func (k custody) keepRoot(ctx context.Context, h *holding) error {
	have := h.fingerprint()
	if have == "" || k.c.Fingerprint != "" && have != k.c.Fingerprint {
		return refused(h.machine.Name(), rootFile, "plan again", "its root has another fingerprint than was planned")
	}
	if err := k.sink.Prove(ctx); err != nil {
		return err
	}
	_, err := k.keep(ctx, RootCertificate, lab.NewSecret(string(h.content[rootFile])))
	return err
}

// keep puts a secret into the sink and returns what is read back, which is the same.
func (k custody) keep(ctx context.Context, name string, s lab.Secret) (lab.Secret, error) {
	if err := k.sink.Put(ctx, name, s); err != nil {
		return lab.Secret{}, err
	}
	back, err := k.sink.Get(ctx, name)
	if err == nil && !back.Equal(s) {
		err = &lab.Error{Op: "keep secret", Target: k.sink.String(), Path: name,
			Hint: "use a sink that keeps what is put into it", Err: fmt.Errorf("%w: another value is read back than was put", lab.ErrDrift)}
	}
	return back, err
}

// moveKeys returns the step that moves the root key off machines that have it.
func (k custody) moveKeys(machines []*host.Machine, after ...string) lab.Step {
	step := lab.Step{Name: keyStep, After: after}
	for _, m := range machines {
		step.Changes = append(step.Changes, lab.Change{ID: keyStep + "/" + m.Name(), Action: lab.Delete,
			Cause: "it belongs into " + k.sink.String() + " alone, and is removed when that has it"})
	}
	step.Run = func(ctx context.Context, r *lab.Recorder) error {
		var errs []error
		for _, m := range machines {
			id := keyStep + "/" + m.Name()
			r.Start(id)
			err := k.moveKey(ctx, m)
			r.Done(id, err)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	return step
}

// moveKey keeps the machine's root key and its password in the sink, proves on the machine that what
// the sink gives back opens and is the key of the root, and removes the machine's only then.
func (k custody) moveKey(ctx context.Context, m *host.Machine) error {
	h, err := look(ctx, m)
	if err != nil || !h.has(rootKeyFile) {
		return err
	}
	found, err := h.secrets(ctx, rootKeyFile)
	if err != nil {
		return err
	}
	if err := k.sink.Prove(ctx); err != nil {
		return err
	}
	key := found[rootKeyFile]
	password, err := k.sink.Get(ctx, RootPassword)
	if errors.Is(err, lab.ErrNotFound) {
		// an authority that was made by hand: step ca init gives both keys the password of password.txt
		password, err = k.keepPassword(ctx, h, key)
	}
	if err != nil {
		return err
	}
	back, err := k.keep(ctx, RootKey, key)
	if err != nil {
		return err
	}
	return k.opened(ctx, m, back, password, true)
}

// keepPassword keeps the machine's password.txt as that of the root key, if it opens that.
func (k custody) keepPassword(ctx context.Context, h *holding, key lab.Secret) (lab.Secret, error) {
	if !h.has(passwordFile) {
		return lab.Secret{}, k.noPassword(h.machine, errors.New("the machine has no password.txt"))
	}
	found, err := h.secrets(ctx, passwordFile)
	if err != nil {
		return lab.Secret{}, err
	}
	password := lab.NewSecret(strings.TrimRight(found[passwordFile].Reveal(), "\r\n"))
	if err := k.opened(ctx, h.machine, key, password, false); err != nil {
		return lab.Secret{}, k.noPassword(h.machine, err)
	}
	return k.keep(ctx, RootPassword, password)
}

func (k custody) noPassword(m *host.Machine, err error) error {
	return &lab.Error{Op: "move root key", Target: m.Name(), Path: rootKeyFile,
		Hint: fmt.Sprintf("keep the password of the root key in %s as %s", k.sink, RootPassword),
		Err:  fmt.Errorf("%w: its password is not known: %w", lab.ErrRefused, err)}
}

// opened proves on the machine that the key opens with the password and is that of the root, and
// removes the machine's when it is told to.
func (k custody) opened(ctx context.Context, m *host.Machine, key, password lab.Secret, remove bool) error {
	yes := ""
	if remove {
		yes = "yes"
	}
	_, err := run(ctx, m, "move root key", shell("removekey", "file", rootKeyFile, "root", rootFile,
		"step", k.c.Step.path(clientName), "key", key.Reveal(), "password", password.Reveal(), "remove", yes), key, password)
	return err
}
