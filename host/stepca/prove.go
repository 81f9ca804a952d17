package stepca

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Prove proves the CA's instance on a machine: it answers at localhost with a certificate that the
// root verifies, serves the root with the fingerprint of the Config or of the sink, and issues a
// certificate for MACHINE.DOMAIN, valid for five minutes, that the root verifies and that is thrown
// away; its clock is right; and it uses the ca.json that is there. It waits a minute for an instance
// that has just been started. It writes what the CA writes when it issues a certificate: an entry in
// its database.
func Prove(ctx context.Context, m *host.Machine, c Config, sink lab.Sink) error {
	root, err := Root(ctx, sink)
	if err != nil {
		return err
	}
	password, err := provisionerPassword(ctx, c, sink)
	if err != nil {
		return err
	}
	cert, err := certificate([]byte(root))
	if err != nil {
		return &lab.Error{Op: "read the root certificate", Target: sink.String(), Path: RootCertificate, Err: err}
	}
	fingerprint := fingerprintOf(cert.Raw)
	if c.Fingerprint != "" {
		fingerprint = c.Fingerprint
	}
	out, err := run(ctx, m, "prove the CA", shell("prove", "step", c.Step.path(clientName),
		"url", fmt.Sprintf("https://localhost:%d", c.port()), "root", rootFile, "fingerprint", fingerprint,
		"subject", m.Name()+"."+c.Domain, "provisioner", c.provisioner(), "password", password.Reveal())+
		shell("reload"), password)
	if err != nil {
		return err
	}
	now, why, _ := strings.Cut(strings.TrimSpace(out), "\n")
	seconds, err := strconv.ParseInt(strings.TrimPrefix(now, "now "), 10, 64)
	if err != nil {
		return &lab.Error{Op: "prove the CA", Target: m.Name(), Hint: "report this", Err: err}
	}
	if skew := time.Until(time.Unix(seconds, 0)).Abs(); skew > maxSkew {
		return wrongClock(m, skew)
	}
	if why != "" {
		return &lab.Error{Op: "prove the CA", Target: m.Name(), Path: caJSON,
			Hint: "correct it on the primary and plan again",
			Err:  fmt.Errorf("%w: the server cannot use it, and goes on with an earlier one: %s", lab.ErrDrift, why)}
	}
	return nil
}

// wrongClock is the error of a machine whose certificates are not valid yet, or not any more, for others.
func wrongClock(m *host.Machine, skew time.Duration) error {
	return &lab.Error{Op: "compare the clock", Target: m.Name(), Hint: "set it: timedatectl",
		Err: fmt.Errorf("%w: it is %s from ours", lab.ErrBlocked, skew.Round(time.Second))}
}

// provisionerPassword returns the password of the JWK provisioner, which proves need.
func provisionerPassword(ctx context.Context, c Config, sink lab.Sink) (lab.Secret, error) {
	s, err := sink.Get(ctx, ProvisionerPassword)
	if errors.Is(err, lab.ErrNotFound) {
		err = &lab.Error{Op: "get secret", Target: sink.String(), Path: ProvisionerPassword,
			Hint: fmt.Sprintf("keep the password of the provisioner %s there: each instance is proved by a certificate "+
				"that it issues", c.provisioner()), Err: lab.ErrNotFound}
	}
	return s, err
}
